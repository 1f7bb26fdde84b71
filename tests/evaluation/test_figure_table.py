"""Figures stay whole and belong to their headings, whatever the width of the terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from refseg.evaluation import PROTOCOLS, metric_table, protocol_table, word_table
from refseg.evaluation.figure_table import FigureTable

NAMES = st.sampled_from(["val", "testA", "refcoco+/testB", "[red]", "a model with a long name", ""])


def _printed(table: FigureTable, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue().splitlines()


@given(st.integers(7, 130), st.lists(NAMES, min_size=1, max_size=4), st.integers(1, 9), st.data())
def test_every_figure_is_there_whole(
    width: int, names: list[str], columns: int, data: st.DataObject
) -> None:
    table = FigureTable("in %", [f"P@0.{number}" for number in range(columns)], "a title")
    numbers = st.integers(0, 10_000).map(lambda number: f"{number / 100:.2f}")
    expected = []
    for name in names:
        figures = [data.draw(numbers | st.just("–")) for _ in range(columns)]
        table.add_row(name, *figures)
        expected += figures
    lines = _printed(table, width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    words = [word for line in lines for word in line.split()]
    for figure in set(expected):
        assert words.count(figure) == expected.count(figure)


ROWS = {
    split: {"overall_iou": 0.1 * number, "mean_iou": 0.2, "precision@0.5": 1.0}
    for number, split in enumerate(("val", "testA", "testB"), 1)
}


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (60, ["in % overall IoU mean IoU P@0.5", "val 10.00 20.00 100.00"]),
        (30, ["overall mean", "in % IoU IoU P@0.5", "val 10.00 20.00 100.00"]),
        (20, ["val, in %", "overall IoU 10.00", "mean IoU 20.00", "P@0.5 100.00"]),
        (12, ["val, in %", "overall IoU", "10.00", "mean IoU", "20.00", "P@0.5", "100.00"]),
    ],
)
def test_layouts(width: int, expected: list[str]) -> None:
    found = [" ".join(line.split()) for line in _printed(metric_table(ROWS), width)]
    found = [line for line in found if line and "─" not in line]
    assert found[: len(expected)] == expected


def test_a_table_is_turned_where_that_has_room() -> None:
    rows = {name: dict.fromkeys(["overall_iou", *(f"precision@0.{n}" for n in range(9))], 0.5)
            for name in ("val", "testA")}  # fmt: skip
    lines = [" ".join(line.split()) for line in _printed(metric_table(rows), 30)]
    assert "in % val testA" in lines
    assert "overall IoU 50.00 50.00" in lines


def test_the_other_tables_keep_their_figures_too() -> None:
    words = word_table({"val": {25: 0.1, 50: 0.25, 100: 1.0}})
    protocols = protocol_table({"standard": ROWS["val"], "cris": ROWS["testA"]}, PROTOCOLS, "val")
    for width in (20, 40, 80):
        found = " ".join(_printed(words, width)).split()
        assert [found.count(figure) for figure in ("10.00", "25.00", "100.00")] == [1, 1, 1]
        found = " ".join(_printed(protocols, width)).split()
        assert found.count("10.00") == 1
        assert found.count("20.00*") + found.count("20.00") == 3

"""Which expression a prediction is for, on splits of a few expressions."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from refseg.errors import DataError
from refseg.evaluation.matching import Matches, SplitRows
from refseg.evaluation.submitted import PredictionFiles


def split(name: str, *rows: tuple[int, str, str], source: str = "refcoco (unc)") -> SplitRows:
    ids, images, sentences = zip(*rows, strict=True)
    columns = {
        "expression_id": pa.array(ids, pa.int64()),
        "image_path": [f"/data/{image}" for image in images],
        "expression": [sentence.lower() for sentence in sentences],
        "raw": sentences,
    }
    return SplitRows(name, source, pa.table(columns))


VAL = split("val", (30, "a/1.jpg", "The dog"), (10, "a/1.jpg", "cat"), (20, "b/1.jpg", "cat"))
TEST = split("testA", (40, "a/4.jpg", "bird"), (30, "a/1.jpg", "The dog"))  # 30 is in both


def no_files(path: Path, height: int, width: int, record: str) -> np.ndarray:
    raise AssertionError(path)


def matches(folder: Path, lines: list[dict[str, object]], *splits: SplitRows) -> Matches:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps({"mask": None, **line}) + "\n" for line in lines))
    return Matches(PredictionFiles(path, no_files), splits or (VAL, TEST))


def lines_of(found: Matches, name: str, rows: int) -> list[int | None]:
    places = [found.place(name, row) for row in range(rows)]
    return [None if place is None else place.line for place in places]


def by_id(*ids: int) -> list[dict[str, object]]:
    return [{"expression_id": number} for number in ids]


def by_name(*pairs: tuple[str, str]) -> list[dict[str, object]]:
    return [{"image": image, "expression": expression} for image, expression in pairs]


def test_by_id_in_each_split_that_has_it(tmp_path: Path) -> None:
    found = matches(tmp_path, by_id(10, 20, 30, 40))
    assert lines_of(found, "val", 3) == [3, 1, 2]
    assert lines_of(found, "testA", 2) == [4, 3]
    found.check(["val", "testA"])
    assert len(found) == 4


def test_a_line_may_name_its_split(tmp_path: Path) -> None:
    """As `refseg predict` does, which writes an expression of two splits twice."""
    lines = [{"expression_id": 30, "split": name} for name in ("testA", "val")]
    found = matches(tmp_path, [*lines, *by_id(10, 20, 40)])
    assert lines_of(found, "val", 3) == [2, 3, 4]
    assert lines_of(found, "testA", 2) == [5, 1]
    found.check(["val", "testA"])
    with pytest.raises(DataError, match="line 1: unknown split 'vla'; choose among val, testA"):
        matches(tmp_path, [{"expression_id": 30, "split": "vla"}])


@pytest.mark.parametrize("sentence", ["The dog", "the dog", " THE  dog"])
@pytest.mark.parametrize("image", ["a/1.jpg", "1.jpg", "/elsewhere/a/1.jpg", "/data/a/1.jpg"])
def test_by_image_and_sentence(image: str, sentence: str, tmp_path: Path) -> None:
    found = matches(tmp_path, by_name((image, sentence)))
    assert lines_of(found, "val", 3) == [1, None, None]
    assert lines_of(found, "testA", 2) == [None, 1]


def test_images_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    found = matches(tmp_path, by_name(("b/1.jpg", "cat"), ("a/1.jpg", "cat")))
    assert lines_of(found, "val", 3) == [None, 2, 1]
    message = "line 1: 1.jpg may be /data/a/1.jpg or /data/b/1.jpg; write more of its path"
    with pytest.raises(DataError, match=re.escape(message)):
        matches(tmp_path, by_name(("1.jpg", "cat")))


def test_the_same_sentence_twice_about_an_image(tmp_path: Path) -> None:
    """One answer is for both; two answers are for one each; three are too many."""
    twice = split("val", (1, "1.jpg", "cat"), (2, "2.jpg", "cat"), (3, "1.jpg", "Cat"))
    one = matches(tmp_path, by_name(("1.jpg", "cat"), ("2.jpg", "cat")), twice)
    assert lines_of(one, "val", 3) == [1, 2, 1]
    two = matches(tmp_path, by_name(("1.jpg", "cat"), ("2.jpg", "cat"), ("1.jpg", "cat")), twice)
    assert lines_of(two, "val", 3) == [1, 2, 3]
    three = matches(tmp_path, by_name(*[("1.jpg", "cat")] * 3, ("2.jpg", "cat")), twice)
    with pytest.raises(
        DataError, match=r"1 with more than one: expression_id 3 \(line 2 and line 3"
    ):
        three.check(["val"])


def test_what_is_missing_double_or_unknown_is_named(tmp_path: Path) -> None:
    lines = [*by_id(10, 99, 10), *by_name(("1.jpg", "a dog"))]
    with pytest.raises(DataError) as error:
        matches(tmp_path, lines).check(["val"])
    file = tmp_path / "mine.jsonl"
    assert str(error.value) == (
        f"Expected one prediction for each of 3 expressions of val, got 4 lines in {file}. "
        "2 without a prediction (expression_id): 30 of val, 20 of val. "
        "1 with more than one: expression_id 10 (line 1 and line 3). "
        f"2 predictions for no expression of the data: {file}, line 2: expression_id 99, "
        f"{file}, line 4: 1.jpg 'a dog'. "
        "Name the splits that were predicted with --splits, or give --allow_missing to count what "
        "has no prediction as an empty mask."
    )


def test_missing_ones_may_be_allowed_and_nothing_else(tmp_path: Path) -> None:
    found = matches(tmp_path, by_id(20))
    assert found.missing("val").tolist() == [30, 10]
    assert found.predicted("val") == 1
    assert found.predicted("testA") == 0
    found.check(["val"], allow_missing=True)
    with pytest.raises(DataError, match="1 predictions for no expression"):
        matches(tmp_path, by_id(20, 99)).check(["val"], allow_missing=True)
    with pytest.raises(DataError, match="1 with more than one"):
        matches(tmp_path, by_id(20, 20)).check(["val"], allow_missing=True)


def test_only_the_first_few_are_named(tmp_path: Path) -> None:
    many = split("val", *((number, "1.jpg", f"cat {number}") for number in range(50)))
    with pytest.raises(DataError, match=r"49 without .*: 1 of val, .* 5 of val and 44 more\."):
        matches(tmp_path, by_id(0), many).check(["val"])


def test_predictions_for_other_splits_are_left_out(tmp_path: Path) -> None:
    found = matches(tmp_path, by_id(10, 20, 30, 40, 40))
    found.check(["val"])
    with pytest.raises(DataError, match="1 with more than one: expression_id 40"):
        found.check(["testA"])


def test_ids_of_several_data_sets_want_a_split(tmp_path: Path) -> None:
    one = split("refcoco/val", (1, "1.jpg", "cat"))
    other = split("refcocog/val", (1, "1.jpg", "a cat"), source="refcocog (umd)")
    with pytest.raises(
        DataError,
        match=r"line 1: expression_id 1 is an expression of refcoco \(unc\) and of refcocog",
    ):
        matches(tmp_path, by_id(1), one, other)
    found = matches(tmp_path, [{"expression_id": 1, "split": "refcocog/val"}], one, other)
    assert lines_of(found, "refcoco/val", 1) == [None]
    assert lines_of(found, "refcocog/val", 1) == [1]


def test_what_two_processes_wrote_of_one_expression_counts_once(tmp_path: Path) -> None:
    """A distributed sampler repeats samples; the mask lies in one file."""
    repeated = [{"expression_id": number, "mask": f"masks/val/{number}.png"} for number in (10, 20)]
    for rank, lines in enumerate((repeated, [repeated[0], {"expression_id": 30, "mask": "x.png"}])):
        path = tmp_path / f"predictions-{rank}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = Matches(PredictionFiles(tmp_path, no_files), [VAL])
    found.check(["val"])
    assert [place.file for row in range(3) if (place := found.place("val", row))] == [1, 0, 0]
    with path.open("a") as file:
        file.write(json.dumps({"expression_id": 20, "mask": "other.png"}) + "\n")
    with pytest.raises(
        DataError,
        match=r"expression_id 20 \(.*-0.jsonl, line 2 and .*-1.jsonl, line 3\)",
    ):
        Matches(PredictionFiles(tmp_path, no_files), [VAL]).check(["val"])

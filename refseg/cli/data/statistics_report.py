"""The numbers of a data set as tables on the terminal and as a page with plots."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from refseg.cli.data.statistics_rows import (
    blocks,
    chosen_splits,
    decimal,
    distractors_known,
    group_shares,
    percent,
    whole,
)
from refseg.data.statistics import (
    DISTRACTOR_BINS,
    SHARE_BINS,
    WORD_KINDS,
    DatasetStatistics,
    SplitStatistics,
)
from refseg.visualization.charts import bar_chart
from refseg.visualization.html.markup import HtmlTable
from refseg.visualization.html.pages import Section, write_page

_CLASSES_SHOWN = 15
_CLASSES_DRAWN = 30


def show(statistics: DatasetStatistics, names: Sequence[str] | None, console: Console) -> None:
    """Print all numbers, a column for each split.

    Args:
        statistics: of the data set.
        names: of the splits; None shows all of them, and all together.
        console: to print on.
    """
    splits = chosen_splits(statistics, names)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=statistics.source)
    table.add_column("")
    for name in splits:
        table.add_column(name, justify="right")
    for block in blocks(statistics, list(splits.values())):
        table.add_row(Text(block.title, style="bold"))
        for label, cells in block.rows:
            table.add_row(Padding(label, (0, 0, 0, 2)), *cells)
        table.add_section()
    console.print(table)
    for title, counts, number in _most(statistics):
        shown = list(counts.items())[:number]
        more = f", … ({len(counts):,} in all)" if len(counts) > len(shown) else ""
        words = ", ".join(f"{name} {count:,}" for name, count in shown)
        console.print(Text(f"{title}: ", style="bold") + Text(words + more, style="not bold"))


def _most(statistics: DatasetStatistics) -> list[tuple[str, dict[str, int], int]]:
    together = statistics.together
    most = [("most frequent words", together.frequent, len(together.frequent))]
    if together.categories:
        most.insert(0, ("references by class", together.categories, _CLASSES_SHOWN))
    return most


def write(
    path: Path, statistics: DatasetStatistics, names: Sequence[str] | None, subtitle: str
) -> None:
    """Write a page with plots and the same numbers.

    Args:
        path: of the HTML file.
        statistics: of the data set.
        names: as for `show`.
        subtitle: where the data came from.
    """
    splits = chosen_splits(statistics, names)
    together = statistics.together if names is None else next(iter(splits.values()))
    whose = "" if names is None else f" ({next(iter(splits))})"
    drawn = {name: splits[name] for name in splits if name in statistics.splits}
    tiles = [
        (whole(together.expressions), f"expressions{whose}"),
        (whole(together.references), f"references{whose}"),
        (whole(together.images), f"images{whose}"),
        (decimal(together.words.mean), f"words in an expression{whose}"),
        (whole(together.vocabulary.size), f"different words{whose}"),
        (percent(together.shares.median), f"of its image: the median object{whose}"),
    ]
    sections = [
        Section(
            "Words in an expression",
            "Share of the expressions of each split, in the groups of the RMI paper.",
            bar_chart(
                statistics.length_bins.labels,
                {name: group_shares(split.words) for name, split in drawn.items()},
                percent=True,
            ),
        ),
        Section(
            "What expressions speak of",
            "Share of the expressions with at least one word of position (left, second, corner), "
            "attribute (red, small, striped) or relation (next to, behind), by word lists.",
            bar_chart(
                WORD_KINDS,
                {name: [split.kinds[kind] for kind in WORD_KINDS] for name, split in drawn.items()},
                percent=True,
            ),
        ),
        Section(
            "Area of the object in its image",
            "Share of the references of each split.",
            bar_chart(
                SHARE_BINS.labels,
                {name: group_shares(split.shares) for name, split in drawn.items()},
                percent=True,
            ),
        ),
        *([_distractors(statistics, drawn)] if distractors_known(drawn.values()) else []),
        *_rankings(statistics),
        Section("All numbers", "", _table(statistics, names)),
    ]
    write_page(path, statistics.source, subtitle, tiles, sections)


def _distractors(statistics: DatasetStatistics, drawn: dict[str, SplitStatistics]) -> Section:
    which = (
        "All annotated objects of the image count."
        if statistics.distractors_from_all
        else "Only objects that are referred to count: the data set publishes no others."
    )
    return Section(
        "Other objects of its class in the image",
        f"Share of the references of each split. {which}",
        bar_chart(
            DISTRACTOR_BINS.labels,
            {name: group_shares(split.distractors) for name, split in drawn.items()},
            percent=True,
        ),
    )


def _rankings(statistics: DatasetStatistics) -> list[Section]:
    categories = dict(list(statistics.together.categories.items())[:_CLASSES_DRAWN])
    words = statistics.together.frequent
    sections = []
    if categories:
        of = len(statistics.together.categories)
        text = f"References in all splits, the {len(categories)} most frequent of {of} classes."
        chart = bar_chart(
            list(categories), {"references": list(categories.values())}, horizontal=True
        )
        sections.append(Section("Classes", text, chart))
    text = (
        f"In all splits, the {len(words)} most frequent of {statistics.together.vocabulary.size:,}."
    )
    chart = bar_chart(list(words), {"occurrences": list(words.values())}, horizontal=True)
    sections.append(Section("Words", text, chart))
    return sections


def _table(statistics: DatasetStatistics, names: Sequence[str] | None) -> HtmlTable:
    splits = chosen_splits(statistics, names)
    rows: list[tuple[str, Sequence[str]]] = []
    for block in blocks(statistics, list(splits.values())):
        rows.append((block.title, ()))
        rows += block.rows
    return HtmlTable(["", *splits], rows)

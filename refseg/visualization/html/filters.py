"""A filter by words, category and split, which works in the reader's browser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from refseg.visualization.html.markup import Html, inert_json
from refseg.visualization.html.rendering import render

FILTER_SCRIPT = (Path(__file__).parent / "filter.js").read_text(encoding="utf-8")
"""Has to be given to `write_page` where a page has a filter."""


@dataclass(frozen=True)
class Counted:
    """The pixels that one run counted, expression by expression.

    Args:
        intersections: pixels.
        unions: pixels.
    """

    intersections: Sequence[int]
    unions: Sequence[int]


def expression_filter(
    expressions: Sequence[str],
    categories: Sequence[str],
    splits: Sequence[str],
    models: Mapping[str, Sequence[Counted]],
) -> Html:
    """Fields to type a word into, and to choose a category and a split from.

    Below stand the figures over all expressions that match, for each model, and those with the
    lowest IoU; of the galleries and strips of the page (`Card.row`, `ReadCard.row`) only those that
    match stay.

    Args:
        expressions: the sentences; the number of each is its row.
        categories: of each.
        splits: of each.
        models: what each seed of each model counted.
    """
    names, codes = _coded(categories)
    split_names, split_codes = _coded(splits)
    data = {
        "expressions": list(expressions),
        "categories": names,
        "category": codes,
        "splits": split_names,
        "split": split_codes,
        "models": [
            {
                "name": name,
                "seeds": [
                    {"intersections": list(one.intersections), "unions": list(one.unions)}
                    for one in seeds
                ],
            }
            for name, seeds in models.items()
        ],
    }
    return render(
        "filter.html",
        categories=_counted(names, codes),
        splits=_counted(split_names, split_codes),
        data=inert_json(data),
    )


def _coded(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """The different values, the most frequent first, and the number of each value among them."""
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    names = sorted(counts, key=lambda name: -counts[name])
    numbers = {name: number for number, name in enumerate(names)}
    return names, [numbers[value] for value in values]


def _counted(names: Sequence[str], codes: Sequence[int]) -> list[tuple[str, int]]:
    counts = [0] * len(names)
    for code in codes:
        counts[code] += 1
    return list(zip(names, counts, strict=True))

"""A filter by words, category and split, which works in the reader's browser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from refseg.visualization.html.markup import Html, attributes, data_script, escaped, scrolled

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
    fields = [
        '<p><label for="filter-words">Words</label><input type="search" id="filter-words" '
        'autocomplete="off" autocapitalize="none" spellcheck="false" '
        'aria-describedby="filter-help"></p>',
        _choice("filter-category", "Category", names, codes),
    ]
    if len(split_names) > 1:
        fields.append(_choice("filter-split", "Split", split_names, split_codes))
    fields.append('<p><button type="reset">Show all</button></p>')
    return Html(
        f'<form id="filter" role="search" hidden>{"".join(fields)}</form>'
        '<p id="filter-help" hidden>Beginnings of words are enough; all of them must occur.</p>'
        '<p id="filter-count" role="status"></p>'
        '<p id="filter-empty" class="empty" hidden>No expression matches. Try the beginning of a '
        "word, or “Show all”.</p>"
        f'{scrolled("Figures of what matches")}<table id="filter-figures"></table></div>'
        '<details id="filter-listed" hidden><summary>Matching expressions with the lowest IoU'
        f'</summary>{scrolled("Matching expressions")}<table id="filter-rows"></table></div>'
        "</details>" + data_script("filter-data", data)
    )


def _coded(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """The different values, the most frequent first, and the number of each value among them."""
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    names = sorted(counts, key=lambda name: -counts[name])
    numbers = {name: number for number, name in enumerate(names)}
    return names, [numbers[value] for value in values]


def _choice(element: str, label: str, names: Sequence[str], codes: Sequence[int]) -> str:
    counts = [0] * len(names)
    for code in codes:
        counts[code] += 1
    options = "".join(
        f"<option{attributes(value=number)}>{escaped(name)} ({count:,})</option>"
        for number, (name, count) in enumerate(zip(names, counts, strict=True))
    )
    return (
        f'<p><label for="{element}">{label}</label><select id="{element}">'
        f'<option value="">all</option>{options}</select></p>'
    )

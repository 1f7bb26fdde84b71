"""How overall IoU grows while sentences are read, where `refseg test --words` has measured it."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from refseg.analysis.figure_texts import UNKNOWN, percent
from refseg.analysis.runs import Contenders
from refseg.evaluation.word_curves import read_curves
from refseg.visualization.charts import curve_chart
from refseg.visualization.html.markup import HtmlTable
from refseg.visualization.html.pages import Section, folded

Curve = Mapping[float, float]
"""Share of the words, (0, 1] -> overall IoU, [0, 1]."""


def word_sections(contenders: Contenders, splits: Sequence[str]) -> dict[str, Section]:
    """The curves of the models that have any, a section for each split that they were measured on.

    Args:
        contenders: the results of each model, one for each seed.
        splits: that the report is about.

    Raises:
        DataError: the file of a run's figures is damaged.
    """
    read = {
        name: [read_curves(results.path) for results in seeds] for name, seeds in contenders.items()
    }
    sections = {}
    for split in splits:
        curves = {
            name: _mean([curves[split] for curves in seeds])
            for name, seeds in read.items()
            if all(split in curves for curves in seeds)
        }
        if curves:
            sections[split] = _section(curves, split, len(contenders) > 1)
    return sections


def _mean(seeds: Sequence[Curve]) -> Curve:
    """Over the seeds, where all of them have a point."""
    shared = [share for share in seeds[0] if all(share in curve for curve in seeds)]
    return {share: fmean(curve[share] for curve in seeds) for share in sorted(shared)}


def _section(curves: Mapping[str, Curve], split: str, several: bool) -> Section:
    shares = sorted({share for curve in curves.values() for share in curve})
    series = {
        name: [curve.get(share, float("nan")) for share in shares] for name, curve in curves.items()
    }
    rows = [
        (
            f"{100 * share:.0f}",
            [percent(curve[share]) if share in curve else UNKNOWN for curve in curves.values()],
        )
        for share in shares
    ]
    whose = f" of {' and '.join(curves)}" if several else ""
    title = f"While the sentence is read, {split}"
    return Section(
        title,
        f"Overall IoU{whose} (protocol standard) after a share of the words of each sentence, as "
        "`refseg test --words` has measured it.",
        [
            curve_chart(
                shares,
                series,
                x_title="share of the words read",
                y_title="overall IoU",
                percent=True,
                marked=True,
            ),
            folded(
                "In numbers, in %",
                HtmlTable(["words read", *curves], rows),
                f"{title}, in numbers",
            ),
        ],
    )

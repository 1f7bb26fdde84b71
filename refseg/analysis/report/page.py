"""A report as a page: what stands where."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from refseg.analysis.comparison import METRICS, Part, pair_runs
from refseg.analysis.figure_texts import percent
from refseg.analysis.findings import Findings
from refseg.analysis.masks import RunMasks
from refseg.analysis.report.figures import breakdown_parts, curve_section, metric_sections
from refseg.analysis.report.gallery import Cases
from refseg.analysis.report.notes import runs_section, titles
from refseg.analysis.report.words import word_sections
from refseg.analysis.runs import Contenders
from refseg.analysis.verdict import standing
from refseg.evaluation.tables import metric_title
from refseg.visualization.html.filters import FILTER_SCRIPT
from refseg.visualization.html.galleries import Album
from refseg.visualization.html.pages import Fold, Section, write_page


def write_report(
    path: Path,
    contenders: Contenders,
    found: Findings,
    *,
    only_shared: bool = False,
    resamples: int = 2_000,
    seed: int = 0,
    cases: int = 8,
    strips: int = 4,
    root: Path | None = None,
    device: str = "cpu",
) -> None:
    """Write the page.

    Args:
        path: of the file.
        contenders: the results of each model, one for each seed.
        found: what a comparison of them found, with all breakdowns.
        only_shared: leave out expressions that a run lacks, rather than refuse.
        resamples: number of bootstrap draws of images for the curve of precision.
        seed: of the draws, and of the order of the cases.
        cases: pictures of each kind in the gallery.
        strips: sentences that are shown word by word.
        root: folder of the data, if they lie elsewhere now.
        device: on which the masks of the cases are predicted once more: `cpu`, `cuda`, …
    """
    whole = [part for part in found.parts if not part.by]
    paired = _paired(contenders, [part.split for part in whole], only_shared)
    reading = word_sections(contenders, list(paired))
    curves = {
        split: [
            curve_section(tables, split, resamples, seed),
            *([reading[split]] if split in reading else []),
        ]
        for split, tables in paired.items()
    }
    seeds = {name: [RunMasks(one, device) for one in runs] for name, runs in contenders.items()}
    firsts = {name: runs[0] for name, runs in seeds.items()}
    tables = {name: _joined([of[name] for of in paired.values()]) for name in contenders}
    gallery = Cases(tables, firsts, cases, seed, root)
    album = Album()
    sections: list[Section | Fold] = [
        *metric_sections(found, paired),
        *breakdown_parts(found, curves),
    ]
    sections += [gallery.filter_section()]
    if cases:
        sections.append(gallery.gallery_section(album))
    if strips and cases:
        sections += [gallery.strip_section(name, strips, album) for name in firsts]
    every = dict(zip(titles(seeds), [one for runs in seeds.values() for one in runs], strict=True))
    sections.append(runs_section(every, path))
    notes = [*found.notes, *gallery.notes]
    for name, run in firsts.items():
        notes += [f"{name}: {note}" if found.others else note for note in run.notes()]
    write_page(
        path,
        _title(found),
        _subtitle(contenders, whole, [name for name, run in firsts.items() if run.after_crf]),
        _tiles(found, whole[0]),
        sections,
        lead=found.verdicts or [standing(found.parts, found.metric, found.first)],
        notes=notes,
        script=FILTER_SCRIPT,
        unseen=album.markup(),
    )


def _paired(
    contenders: Contenders, splits: Sequence[str], only_shared: bool
) -> dict[str, dict[str, list[pa.Table]]]:
    tables = {name: [one.table for one in runs] for name, runs in contenders.items()}
    return {split: pair_runs(tables, split, only_shared) for split in splits}


def _joined(of_splits: Sequence[Sequence[pa.Table]]) -> list[pa.Table]:
    """The rows of all splits, one table for each seed."""
    return [
        pa.concat_tables(parts).unify_dictionaries().combine_chunks()
        for parts in zip(*of_splits, strict=True)
    ]


def _title(found: Findings) -> str:
    if not found.others:
        return found.first
    return f"{found.first} compared with {' and '.join(found.others)}"


def _subtitle(contenders: Contenders, whole: Sequence[Part], refined: Sequence[str]) -> str:
    first = next(iter(contenders.values()))[0]
    sources = ", ".join(dict.fromkeys(first.table["source"].cast(pa.string()).to_pylist()))
    protocol = first.summary.get("protocol", "standard")
    splits = ", ".join(part.split for part in whole)
    whose = "" if len(contenders) == 1 else f" ({' and '.join(refined)})"
    crf = f", after DenseCRF{whose}" if refined else ""
    return f"{sources}: {splits}. Counted in the images’ own size (protocol {protocol}){crf}."


def _tiles(found: Findings, part: Part) -> list[tuple[str, str]]:
    names = [found.first, *found.others]
    if len(names) > 1:
        metric = found.metric
        return [
            (
                f"{percent(part.figures[metric][name].interval.value)} %",
                f"{metric_title(metric)} on {part.split}, {name}",
            )
            for name in names
        ]
    tiles = [
        (
            f"{percent(part.figures[metric][found.first].interval.value)} %",
            f"{metric_title(metric)} on {part.split}",
        )
        for metric in METRICS[:3]
    ]
    return [
        *tiles,
        (f"{part.expressions:,}", f"expressions of {part.split}"),
        (f"{part.images:,}", "images"),
    ]

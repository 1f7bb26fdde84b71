"""A report as a page: what stands where."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from refseg.analysis.breakdowns import AUTOMATIC, BREAKDOWNS
from refseg.analysis.comparison import METRICS, Part, pair_runs
from refseg.analysis.figure_texts import percent
from refseg.analysis.findings import Findings, compare
from refseg.analysis.report.figures import breakdown_parts, curve_section, metric_sections
from refseg.analysis.report.gallery import Cases
from refseg.analysis.report.notes import notes_on_masks, runs_section, titles
from refseg.analysis.report.word_curves import word_sections
from refseg.analysis.run_masks import RunMasks
from refseg.analysis.runs import Contenders, Run, Runs
from refseg.analysis.verdict import summary_sentence
from refseg.checkpoint import import_packages as import_own
from refseg.errors import ConfigError
from refseg.evaluation.sums import OVERALL_IOU
from refseg.evaluation.tables import metric_title
from refseg.visualization.html.filters import FILTER_SCRIPT
from refseg.visualization.html.galleries import Album
from refseg.visualization.html.pages import Fold, Section, write_page

RESAMPLES_OF_A_PAGE = 2_000
"""Draws, where nobody asks for another number: enough for the intervals of a page."""


def report(
    runs: Runs | Findings,
    output: str | Path | None = None,
    *,
    against: Sequence[Run] = (),
    baseline: str | None = None,
    splits: Sequence[str] | None = None,
    metric: str = OVERALL_IOU,
    lengths: str = AUTOMATIC,
    sizes: str = "share",
    categories: int = 15,
    only_shared: bool = False,
    resamples: int = RESAMPLES_OF_A_PAGE,
    seed: int = 0,
    cases: int = 8,
    strips: int = 4,
    root: str | Path | None = None,
    device: str = "cpu",
    import_packages: Sequence[str] = (),
) -> Path:
    """Write one HTML page about runs, which needs no network.

    It has the verdict in a sentence, figures with 95 % intervals, the curve of precision over
    thresholds, breakdowns, a gallery of cases with the outlines of their masks, a filter by word
    and category, word-by-word strips, and what was run with what.

    Masks are those that were saved with the results; without them the cases that are shown are
    predicted once more from the checkpoint. The truth comes from the data of the run's config.

    Args:
        runs: as for `compare`; or what `compare` found, and then its options hold, not those up to
            `seed` here.
        output: the page; None: `report.html` beside the results, of a sweep in its folder, of
            several runs in the working directory.
        against: as for `compare`, like those up to `seed`.
        baseline: name of the model that all others are compared with, in place of the first.
        splits: to compare on.
        metric: of the breakdowns and of the verdict.
        lengths: groups of lengths.
        sizes: groups of sizes.
        categories: number of the most frequent categories that have a group each.
        only_shared: leave out expressions that a run lacks, rather than refuse.
        resamples: number of bootstrap draws of images, and of swaps of models.
        seed: of the draws, and of the order of the cases.
        cases: pictures of each kind in the gallery.
        strips: sentences that are shown word by word.
        root: folder of the data, if they lie elsewhere now.
        device: on which the masks of the cases are predicted once more: `cpu`, `cuda`, …
        import_packages: packages of your own whose classes the checkpoints may name.

    Returns:
        The path of the page.

    Raises:
        ConfigError: as `compare`, or the page cannot be written.
        DataError: as `compare`.
    """
    import_own(import_packages)
    found = (
        runs
        if isinstance(runs, Findings)
        else compare(
            runs,
            against,
            baseline=baseline,
            by=BREAKDOWNS,
            splits=splits,
            metric=metric,
            lengths=lengths,
            sizes=sizes,
            categories=categories,
            only_shared=only_shared,
            resamples=resamples,
            seed=seed,
            examples=0,
        )
    )
    path = _default_path(found) if output is None else Path(output)
    place = None if root is None else Path(root)
    try:
        _write(path, found, cases, strips, place, device)
    except OSError as error:  # what reads files has errors of its own
        raise ConfigError(
            f"Cannot write {path} ({error}); name another file with --output."
        ) from None
    return path


def _default_path(found: Findings) -> Path:
    if found.sweep is not None:
        return found.sweep.path / "report.html"
    runs = [results for seeds in found.contenders.values() for results in seeds]
    return runs[0].path.parent / "report.html" if len(runs) == 1 else Path("report.html")


def _write(
    path: Path, found: Findings, cases: int, strips: int, root: Path | None, device: str
) -> None:
    contenders, whole = found.contenders, found.wholes
    resamples, seed = found.options.resamples, found.options.seed
    paired = _paired(contenders, [part.split for part in whole], found.options.only_shared)
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
        sections += gallery.strip_sections(strips, album)
    every = dict(zip(titles(seeds), [one for runs in seeds.values() for one in runs], strict=True))
    sections.append(runs_section(every, path))
    notes = [*found.notes, *gallery.notes]
    notes += notes_on_masks(firsts)
    write_page(
        path,
        _title(found),
        _subtitle(contenders, whole, [name for name, run in firsts.items() if run.after_crf]),
        _tiles(found, whole[0]),
        sections,
        lead=found.rankings
        or found.verdicts
        or [summary_sentence(found.parts, found.metric, found.first)],
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
    if found.has_many:
        sweep = "" if found.sweep is None else f"{found.sweep.name}: "
        return f"{sweep}{len(found.contenders)} models compared"
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
    metric = found.metric
    if found.has_many:  # the first table has the figures of all
        figures = {name: part.figures[metric][name].interval.value for name in names}
        best = max(figures, key=figures.__getitem__)
        return [
            (f"{percent(figures[best])} %", f"{metric_title(metric)} on {part.split}: {best}"),
            (f"{len(names)}", "models"),
            (f"{sum(map(len, found.contenders.values()))}", "runs"),
            (f"{part.expressions:,}", f"expressions of {part.split}"),
            (f"{part.images:,}", "images"),
        ]
    if len(names) > 1:
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

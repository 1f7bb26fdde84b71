"""All that a comparison finds, over the splits that the runs share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import groupby
from typing import Literal, NamedTuple

import pyarrow as pa
from rich.console import Console

from refseg.analysis.all_pairs import AllPairs, compare_all_pairs
from refseg.analysis.breakdowns import AUTOMATIC, By, Grouping
from refseg.analysis.comparison import Part, compare_runs, of_split, pair_runs, splits_of
from refseg.analysis.examples import Example, largest_gains_and_losses
from refseg.analysis.ranking import ranking
from refseg.analysis.runs import (
    Contenders,
    Run,
    Runs,
    notes_on,
    read_contenders,
    training_note,
)
from refseg.analysis.sweep_folders import SweepFolder
from refseg.analysis.verdict import seed_warning, verdict
from refseg.errors import DataError
from refseg.evaluation.bootstrap import RESAMPLES
from refseg.evaluation.sums import OVERALL_IOU

_SIDE_BY_SIDE = 3  # models; of more, each is a row
_WIDTH = 110  # characters of the tables in a notebook: as wide as they get


class Options(NamedTuple):
    """How runs were compared, as `compare` was asked.

    Args:
        metric: of the breakdowns and of the verdict.
        only_shared: expressions that a run lacks are left out.
        resamples: number of draws.
        seed: of the draws.
    """

    metric: str = OVERALL_IOU
    only_shared: bool = False
    resamples: int = RESAMPLES
    seed: int = 0


@dataclass(frozen=True, repr=False)
class Findings:
    """What a comparison of runs has found; printed, it is the tables of `refseg compare`.

    Args:
        contenders: the results of each model, one for each seed.
        parts: the figures: of each whole split, then of each group of its breakdowns.
        examples: the largest gains and losses, by the name of the model compared with.
        verdicts: a sentence for each model compared with.
        notes: what a reader should know before believing it.
        options: what was asked for.
        sweep: the sweep that was compared, where it was one.
        pairs: of three models and more, every two of them over each whole split, by its name.
        rankings: of three models and more, a sentence for each split: which is the best.
    """

    contenders: Contenders
    parts: Sequence[Part]
    examples: Mapping[str, tuple[Sequence[Example], Sequence[Example]]]
    verdicts: Sequence[str]
    notes: Sequence[str]
    options: Options
    sweep: SweepFolder | None = None
    pairs: Mapping[str, AllPairs] = field(default_factory=dict)
    rankings: Sequence[str] = ()

    @property
    def first(self) -> str:
        """Name of the model that is compared."""
        return next(iter(self.contenders))

    @property
    def others(self) -> list[str]:
        """Names of those that it is compared with."""
        return list(self.contenders)[1:]

    @property
    def has_many(self) -> bool:
        """Whether tables have a row for each model, as there are too many for side by side."""
        return len(self.contenders) > _SIDE_BY_SIDE

    @property
    def metric(self) -> str:
        """Of the breakdowns and of the verdict."""
        return self.options.metric

    @property
    def wholes(self) -> list[Part]:
        """The figures of each whole split."""
        return [part for part in self.parts if not part.by]

    def breakdowns(self) -> list[list[Part]]:
        """The parts of each breakdown of each split."""
        parts = [part for part in self.parts if part.by]
        return [list(members) for _, members in groupby(parts, lambda part: (part.split, part.by))]

    def table(self) -> pa.Table:
        """A row for each figure of a model, and for each difference of two (`export.SCHEMA`).

        `table().to_pandas()` is a data frame, where pandas is installed.
        """
        from refseg.analysis.export import SCHEMA, rows

        return pa.Table.from_pylist(list(rows(self.parts)), schema=SCHEMA)

    def __repr__(self) -> str:
        """The tables as text."""
        return self._console().export_text().rstrip()

    def _repr_html_(self) -> str:
        """The tables as a notebook shows them."""
        frame = '<pre style="font-family:monospace; line-height:1.2">{code}</pre>'
        return self._console().export_html(inline_styles=True, code_format=frame)

    def _console(self) -> Console:
        from refseg.analysis.tables import tables_of

        console = Console(record=True, width=_WIDTH, file=StringIO(), force_jupyter=False)
        for table in tables_of(self, _WIDTH):
            console.print(table)
        return console


def compare(
    runs: Runs,
    against: Sequence[Run] = (),
    *,
    baseline: str | None = None,
    by: Sequence[By | Literal["rivals"]] = (),
    splits: Sequence[str] | None = None,
    metric: str = OVERALL_IOU,
    lengths: str = AUTOMATIC,
    sizes: str = "share",
    categories: int = 15,
    only_shared: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
    examples: int = 5,
) -> Findings:
    """Compare runs on the same expressions: the first model with each of the others.

    Figures have 95 % intervals (bootstrap over images), differences their interval and p-value
    (paired permutation test). One model alone gets its figures and intervals.

    Args:
        runs: the runs of each model by its name, `{"RMI": ["runs/rmi-0", "runs/rmi-1"], "LSTM-CNN":
            "runs/lstm"}`, where several are seeds of one model; or a list of runs, as on the
            command line: paths, or `NAME=PATH`. A run is the folder of an evaluation or of its
            training, a table of results, or what `evaluate` returned. The folder of a sweep, alone
            or in a list, stands for its finished runs: a model for each of its settings.
        against: seeds of the other model; `runs`, a list, are then seeds of the first.
        baseline: name of the model that all others are compared with, in place of the first.
        by: breakdowns to make: `length` of the expression, `size` of the object, `category`, number
            of `distractors` (`rivals` in earlier versions), kinds of `words`.
        splits: to compare on; None: all that the runs share.
        metric: of the breakdowns and of the verdict: `overall_iou`, `mean_iou` or `precision@X`.
        lengths: groups of lengths, as in `Grouping`.
        sizes: groups of sizes, as in `Grouping`.
        categories: number of the most frequent categories that have a group each.
        only_shared: leave out expressions that a run lacks, rather than refuse.
        resamples: number of bootstrap draws of images, and of swaps of models.
        seed: of draws and swaps.
        examples: number of the largest gains, and losses, to keep.

    Raises:
        ConfigError: there is no such metric or breakdown, or a run is given twice.
        DataError: results are absent or damaged, or the runs cannot be compared.
    """
    chosen_by: list[By] = list(dict.fromkeys("distractors" if b == "rivals" else b for b in by))
    contenders, sweep, left_out = read_contenders(runs, against, baseline)
    tables = {name: [one.table for one in found] for name, found in contenders.items()}
    chosen = _splits(tables, splits)
    notes = [
        *left_out,
        *training_note(contenders),
        *notes_on(contenders),
        *_missing_splits(tables, chosen, splits),
    ]
    grouping = Grouping(lengths, sizes, categories)
    first, *others = contenders
    parts: list[Part] = []
    pairs: dict[str, AllPairs] = {}
    shown: dict[str, tuple[list[Example], list[Example]]] = {name: ([], []) for name in others}
    for split in chosen:
        paired = pair_runs(tables, split, only_shared)
        notes += _left_out(tables, paired, split)
        parts += compare_runs(paired, split, chosen_by, metric, grouping, resamples, seed)
        if len(others) > 1:
            pairs[split] = compare_all_pairs(paired, metric, resamples, seed)
        for other, kept in shown.items():
            more = largest_gains_and_losses(paired[first], paired[other], examples)
            for place in range(2):
                kept[place].extend(more[place])
    most = {other: _most(*kept, examples) for other, kept in shown.items()}
    wholes = [part for part in parts if not part.by]
    notes += [
        warning
        for part in wholes
        if (warning := seed_warning(part, metric, first, others)) is not None
    ]
    verdicts = [verdict(parts, metric, first, other) for other in others]
    rankings = [ranking(part, metric, pairs[part.split]) for part in wholes if part.split in pairs]
    options = Options(metric, only_shared, resamples, seed)
    return Findings(
        contenders, parts, most, verdicts, notes, options, sweep, pairs=pairs, rankings=rankings
    )


def _splits(tables: Mapping[str, Sequence[pa.Table]], asked: Sequence[str] | None) -> list[str]:
    """Those asked for, else those that all runs have."""
    if asked is not None:
        return list(dict.fromkeys(asked))
    of_runs = [(name, splits_of(table)) for name, runs in tables.items() for table in runs]
    shared = [split for split in of_runs[0][1] if all(split in splits for _, splits in of_runs)]
    if not shared:
        listed = "; ".join(f"{name}: {', '.join(splits) or 'none'}" for name, splits in of_runs)
        raise DataError(
            f"Expected a split that all runs have results for, got none ({listed}); evaluate them "
            "on the same data."
        )
    return shared


def _missing_splits(
    tables: Mapping[str, Sequence[pa.Table]], splits: Sequence[str], asked: Sequence[str] | None
) -> Iterator[str]:
    if asked is None:
        every = dict.fromkeys(
            s for runs in tables.values() for table in runs for s in splits_of(table)
        )
        missing = [split for split in every if split not in splits]
        if missing:
            yield f"Not all runs have results for {', '.join(missing)}: left out."


def _left_out(
    tables: Mapping[str, Sequence[pa.Table]], paired: Mapping[str, Sequence[pa.Table]], split: str
) -> Iterator[str]:
    """What `--only_shared` has cost."""
    for name, runs in tables.items():
        kept = paired[name][0].num_rows
        most = max(of_split(table, split, name).num_rows for table in runs)
        if most > kept:
            yield f"{split}: {most - kept:,} of {most:,} expressions of {name} are left out."


def _most(
    gains: Sequence[Example], losses: Sequence[Example], number: int
) -> tuple[list[Example], list[Example]]:
    return (
        sorted(gains, key=lambda example: -example.gain)[:number],
        sorted(losses, key=lambda example: example.gain)[:number],
    )

"""All that a comparison finds, over the splits that the runs share."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa

from refseg.analysis.breakdowns import AUTOMATIC, By, Grouping
from refseg.analysis.comparison import Part, compare_runs, of_split, pair_runs, splits_of
from refseg.analysis.examples import Example, largest_gains_and_losses
from refseg.analysis.runs import Contenders, notes_on, training_note
from refseg.analysis.sums import OVERALL_IOU
from refseg.analysis.verdict import seed_warning, verdict
from refseg.errors import DataError


class Findings(NamedTuple):
    """What was found.

    Args:
        first: name of the model that is compared.
        others: names of those that it is compared with.
        metric: of the breakdowns and of the verdict.
        parts: the figures.
        examples: the largest gains and losses, by the name of the model compared with.
        verdicts: a sentence for each model compared with.
        notes: what a reader should know before believing it.
    """

    first: str
    others: Sequence[str]
    metric: str
    parts: Sequence[Part]
    examples: Mapping[str, tuple[Sequence[Example], Sequence[Example]]]
    verdicts: Sequence[str]
    notes: Sequence[str]

    def breakdowns(self) -> list[list[Part]]:
        """The parts of each breakdown of each split."""
        parts = [part for part in self.parts if part.by]
        return [list(members) for _, members in groupby(parts, lambda part: (part.split, part.by))]


def find(
    contenders: Contenders,
    *,
    by: Sequence[By] = (),
    splits: Sequence[str] | None = None,
    metric: str = OVERALL_IOU,
    lengths: str = AUTOMATIC,
    sizes: str = "share",
    categories: int = 15,
    only_shared: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
    examples: int = 5,
) -> Findings:
    """Compare everything that was asked for.

    Args:
        contenders: the results of each model.
        by: breakdowns to make.
        splits: to compare on; None: all that the runs share.
        metric: of the breakdowns and of the verdict.
        lengths: groups of lengths, as in `Grouping`.
        sizes: groups of sizes, as in `Grouping`.
        categories: number of the most frequent categories that have a group each.
        only_shared: leave out expressions that a run lacks, rather than refuse.
        resamples: number of bootstrap draws of images, and of swaps of models.
        seed: of draws and swaps.
        examples: number of the largest gains, and losses, to keep.

    Raises:
        ConfigError: there is no such metric.
        DataError: the runs cannot be compared.
    """
    tables = {name: [one.table for one in found] for name, found in contenders.items()}
    chosen = _splits(tables, splits)
    notes = [
        *training_note(contenders),
        *notes_on(contenders),
        *_missing_splits(tables, chosen, splits),
    ]
    grouping = Grouping(lengths, sizes, categories)
    first, *others = contenders
    by = list(dict.fromkeys(by))
    parts: list[Part] = []
    shown: dict[str, tuple[list[Example], list[Example]]] = {name: ([], []) for name in others}
    for split in chosen:
        runs = pair_runs(tables, split, only_shared)
        notes += _left_out(tables, runs, split)
        parts += compare_runs(runs, split, by, metric, grouping, resamples, seed)
        for other, kept in shown.items():
            more = largest_gains_and_losses(runs[first], runs[other], examples)
            for place in range(2):
                kept[place].extend(more[place])
    most = {other: _most(*kept, examples) for other, kept in shown.items()}
    warnings = [
        seed_warning(part, metric, first, other)
        for other in others
        for part in parts
        if not part.by
    ]
    notes += [warning for warning in warnings if warning is not None]
    verdicts = [verdict(parts, metric, first, other) for other in others]
    return Findings(first, others, metric, parts, most, verdicts, notes)


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

"""Several models, each with one or several seeds, compared on the same expressions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from refseg.analysis.beyond_others import beyond_of_seeds, gain_beyond_others
from refseg.analysis.breakdowns import By, Grouping, groups
from refseg.analysis.pairing import pair
from refseg.analysis.seeds import SeedNoise, deviation, seed_noise
from refseg.errors import DataError
from refseg.evaluation.bootstrap import (
    RESAMPLES,
    Difference,
    Interval,
    bootstrap_each,
    differences,
    holm,
)
from refseg.evaluation.protocols import THRESHOLDS
from refseg.evaluation.sums import MEAN_IOU, OVERALL_IOU, PRECISION, image_sums

METRICS = (OVERALL_IOU, MEAN_IOU, *(f"{PRECISION}{threshold}" for threshold in THRESHOLDS))

Runs = Mapping[str, Sequence[pa.Table]]
"""The results of each model, a table for each of its seeds."""


class Figure(NamedTuple):
    """What a model reaches: the mean over its seeds.

    Args:
        interval: the figure, with its 95 % interval over images.
        seeds: the figure of each seed.
    """

    interval: Interval
    seeds: Sequence[float]

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the seeds; None for fewer than two."""
        return deviation(self.seeds)


class Gain(NamedTuple):
    """How much higher the first model's figure is than another's.

    Args:
        difference: over images, whose p-value is that of the permutation test.
        noise: the same difference beside the spread of the seeds; None with fewer than two.
        adjusted: `raw_p_value` after Holm's correction, in a breakdown over its groups, for a whole
            split over the models that the first one is compared with, or over all pairs where all
            are compared; None where that is one test.
        beyond_others: how much larger the difference is than for all other expressions; None where
            there are none.
        beyond_others_adjusted: the p-value of `beyond_others` after Holm's correction.
    """

    difference: Difference
    noise: SeedNoise | None = None
    adjusted: float | None = None
    beyond_others: Difference | None = None
    beyond_others_adjusted: float | None = None

    @property
    def raw_p_value(self) -> float:
        """Over images and, where they can be told apart, over seeds: the larger one."""
        return max(self.difference.p_value, 0.0 if self.noise is None else self.noise.p_value)

    @property
    def p_value(self) -> float:
        """That by which to judge."""
        return self.raw_p_value if self.adjusted is None else self.adjusted


class Part(NamedTuple):
    """Figures of all models over some expressions.

    Args:
        split: of the data set.
        by: the breakdown to which the part belongs; empty for the whole split.
        group: of the breakdown; empty for the whole split.
        expressions: how many there are.
        images: how many they lie in.
        figures: by metric, then by model.
        gains: by metric, then by each model but the first, which is compared with it.
    """

    split: str
    by: str
    group: str
    expressions: int
    images: int
    figures: Mapping[str, Mapping[str, Figure]]
    gains: Mapping[str, Mapping[str, Gain]]


def splits_of(table: pa.Table) -> list[str]:
    """The splits of some results, in the order in which they come."""
    return [str(name) for name in pc.unique(table["split"].cast(pa.string())).to_pylist()]


def of_split(table: pa.Table, split: str, name: str) -> pa.Table:
    """The rows of one split.

    Args:
        table: results of a run.
        split: of the data set.
        name: of the run, for messages.

    Raises:
        DataError: the run has none.
    """
    rows = pc.equal(table["split"].cast(pa.string()), split)
    chosen = table.filter(rows)
    if not chosen.num_rows:
        raise DataError(
            f"{name} has no split '{split}'; choose one of {', '.join(splits_of(table))}, or "
            "evaluate it on that split."
        )
    return chosen


def pair_runs(runs: Runs, split: str, only_shared: bool = False) -> dict[str, list[pa.Table]]:
    """The results of all models and seeds in one split: the same expressions in the same order.

    Args:
        runs: the results of each model.
        split: of the data set.
        only_shared: leave out expressions that a run lacks, rather than refuse.

    Raises:
        DataError: the runs cannot be compared.
    """
    flat = {
        name if len(tables) == 1 else f"{name} (run {number})": of_split(table, split, name)
        for name, tables in runs.items()
        for number, table in enumerate(tables, start=1)
    }
    paired = iter(pair(flat, only_shared).values())
    return {name: [next(paired) for _ in tables] for name, tables in runs.items()}


def compare_runs(
    runs: Runs,
    split: str,
    by: Iterable[By] = (),
    metric: str = OVERALL_IOU,
    grouping: Grouping | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Part]:
    """Compare the first model with each of the others: the whole split, then group by group.

    Args:
        runs: the results of each model in that split, paired by `pair_runs`. One alone gets its
            figures and intervals.
        split: of the data set.
        by: breakdowns that are wanted.
        metric: that of the breakdowns.
        grouping: which groups there are.
        resamples: draws of images, and swaps of models.
        seed: of both.

    Raises:
        ConfigError: there is no such metric, breakdown or grouping.
        DataError: there are no expressions.
    """
    metrics = list(dict.fromkeys([*METRICS, metric]))
    parts = [_part(runs, split, "", "", metrics, resamples, seed)]
    first = next(iter(runs.values()))
    for one in by:
        found = groups(first[0], one, grouping)
        members = []
        for group in found:
            chosen = pa.array(group.rows)
            of_group = {name: [t.filter(chosen) for t in tables] for name, tables in runs.items()}
            part = _part(of_group, split, one, group.label, [metric], resamples, seed)
            spread = [beyond_of_seeds(tables, group.rows, metric) for tables in runs.values()]
            gains = {
                other: gain._replace(
                    beyond_others=gain_beyond_others(
                        first, runs[other], group.rows, metric, resamples, seed, spread
                    )
                )
                for other, gain in part.gains[metric].items()
            }
            members.append(part._replace(gains={metric: gains}))
        parts += _adjusted(members, metric)
    return parts


def _part(
    runs: Runs,
    split: str,
    by: str,
    group: str,
    metrics: Sequence[str],
    resamples: int,
    seed: int,
) -> Part:
    figures: dict[str, dict[str, Figure]] = {metric: {} for metric in metrics}
    gains: dict[str, dict[str, Gain]] = {metric: {} for metric in metrics}
    (first_name, first), *others = runs.items()
    for name, tables in runs.items():
        sums = image_sums(tables, metrics)
        of_seeds = sums.figures().reshape(len(metrics), len(tables)).tolist()
        intervals = bootstrap_each(tables, metrics, resamples=resamples, seed=seed)
        for metric, interval, seeds in zip(metrics, intervals, of_seeds, strict=True):
            figures[metric][name] = Figure(interval, seeds)
    for name, tables in others:
        found = differences(first, tables, metrics, resamples, seed)
        for metric, difference in zip(metrics, found, strict=True):
            of_models = {one: figure.seeds for one, figure in figures[metric].items()}
            noise = seed_noise(of_models[first_name], of_models[name], list(of_models.values()))
            gains[metric][name] = Gain(difference, noise)
    if not by and len(others) > 1:
        gains = {metric: _adjusted_over_models(of_metric) for metric, of_metric in gains.items()}
    images = image_sums(first[:1]).images
    return Part(split, by, group, first[0].num_rows, images, figures, gains)


def _adjusted_over_models(gains: Mapping[str, Gain]) -> dict[str, Gain]:
    p_values = holm([gain.raw_p_value for gain in gains.values()])
    return {
        other: gain._replace(adjusted=p_value)
        for (other, gain), p_value in zip(gains.items(), p_values, strict=True)
    }


def _adjusted(parts: Sequence[Part], metric: str) -> list[Part]:
    """Holm's correction over the groups of a breakdown, for each pair of models."""
    corrected: list[dict[str, Gain]] = [{} for _ in parts]
    for other in parts[0].gains[metric]:
        gains = [part.gains[metric][other] for part in parts]
        p_values = holm([gain.raw_p_value for gain in gains])
        tested = [gain.beyond_others.p_value for gain in gains if gain.beyond_others is not None]
        beyond = iter(holm(tested))
        for place, (gain, p_value) in enumerate(zip(gains, p_values, strict=True)):
            corrected[place][other] = gain._replace(
                adjusted=p_value,
                beyond_others_adjusted=None if gain.beyond_others is None else next(beyond),
            )
    return [
        part._replace(gains={metric: gains}) for part, gains in zip(parts, corrected, strict=True)
    ]

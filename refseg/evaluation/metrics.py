"""The figures of a whole split, over any number of batches and processes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from refseg.errors import ConfigError, DataError
from refseg.evaluation.functional import merge_repeats, no_target_accuracy, target_accuracy
from refseg.evaluation.protocols import STANDARD, THRESHOLDS, Protocol

_UNKNOWN_AREA = -1
_IDS_IN_MESSAGE = 10
# Many small tensors, left between the large masks of each batch, keep freed memory from being used
# again: an evaluation would grow by hundreds of megabytes.
_JOINED_AFTER = 64


class Counts(NamedTuple):
    """The pixel counts of a whole split: a column each, a row per expression, sorted by id.

    Args:
        expression_ids: unique within the data set.
        intersections: pixels.
        unions: pixels.
        areas: pixels of the true masks; -1 where they were not given. The prediction has
            `intersections + unions - areas`.
    """

    expression_ids: Int64[Tensor, " expressions"]
    intersections: Int64[Tensor, " expressions"]
    unions: Int64[Tensor, " expressions"]
    areas: Int64[Tensor, " expressions"]

    @property
    def nothing_predicted(self) -> bool:
        """Whether every prediction is empty, though some expressions name something.

        Example:
            >>> ids, no, some = torch.tensor([7]), torch.tensor([0]), torch.tensor([9])
            >>> Counts(ids, no, some, some).nothing_predicted
            True
            >>> Counts(ids, no, some + 1, some).nothing_predicted  # somewhere else
            False
        """
        predicted = self.intersections + self.unions - self.areas
        return bool((self.areas > 0).any()) and not predicted.any()


class CountingMetric(Metric):
    """What the metrics of this package share: the pixel counts of each expression, kept once.

    A distributed sampler repeats samples. Counts are therefore kept per expression (32 bytes) and
    merged by id, in `compute` (`merge_repeats`).
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    counts: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", default=[], dist_reduce_fx="cat")

    def update(
        self,
        intersections: Int64[Tensor, " expressions"],
        unions: Int64[Tensor, " expressions"],
        expression_ids: Sequence[int] | Int64[Tensor, " expressions"],
        areas: Int64[Tensor, " expressions"] | None = None,
    ) -> None:
        """Add the counts of some expressions.

        Args:
            intersections: pixels, as counted by `intersection_and_union`.
            unions: pixels.
            expression_ids: the data set's id of each expression.
            areas: pixels of the true masks, for the figures of expressions that name nothing.
        """
        ids = torch.as_tensor(expression_ids, dtype=torch.int64, device=self.device)
        areas = torch.full_like(unions, _UNKNOWN_AREA) if areas is None else areas
        columns = [ids, *(column.to(self.device) for column in (intersections, unions, areas))]
        self.counts.append(torch.stack(columns, dim=1))
        if len(self.counts) >= _JOINED_AFTER:
            self.counts = [torch.cat(self.counts)]

    def rows(self) -> Counts:
        """Return the counts of each expression that was added, on all processes, sorted by id.

        With several processes all of them must call it, like `compute`.

        Example:
            >>> metrics = ReferringMetrics()
            >>> metrics.update(torch.tensor([30, 10]), torch.tensor([40, 40]), (8, 7))
            >>> metrics.rows().expression_ids
            tensor([7, 8])
        """
        with self.sync_context():
            return self._merged()

    def check_ids(self, expected_ids: Sequence[int] | Int64[Tensor, " expected"]) -> None:
        """Make sure that every expression of a split was counted, and no other.

        With several processes all of them must call it, like `compute`.

        Args:
            expected_ids: of all expressions of the split.

        Raises:
            DataError: An id is missing or surplus, or stands for several expressions.
        """
        counted = self.rows().expression_ids
        ids = torch.as_tensor(expected_ids, dtype=torch.int64, device=counted.device)
        expected, repeats = torch.unique(ids, return_counts=True)
        problems = {
            "ids of several expressions": expected[repeats > 1],
            "missing": expected[~torch.isin(expected, counted)],
            "surplus": counted[~torch.isin(counted, expected)],
        }
        found = [f"{name}: {_some(ids)}" for name, ids in problems.items() if len(ids)]
        if found:
            raise DataError(
                f"Expected each of {len(expected)} expressions to be evaluated under an id of its "
                f"own, got {len(counted)} ids; {'; '.join(found)}. Check that data set and data "
                "loader give every expression of the split, under unique ids."
            )

    def sync(
        self,
        dist_sync_fn: Callable[..., list[Tensor]] | None = None,
        process_group: object = None,
        should_sync: bool = True,
        distributed_available: Callable[[], bool] | None = None,
    ) -> None:
        """Gather the counts of all processes; one without any sends an empty table.

        Args:
            dist_sync_fn: as in torchmetrics, which calls this method, like the others.
            process_group: whose counts are gathered; None means all processes.
            should_sync: False leaves the counts as they are.
            distributed_available: tells whether there are several processes.
        """
        # For an empty list torchmetrics sends float32, which the others cannot join with int64.
        if isinstance(self.counts, list) and not self.counts:
            self.counts.append(torch.empty((0, 4), dtype=torch.int64, device=self.device))
        super().sync(dist_sync_fn, process_group, should_sync, distributed_available)

    def _counted(self) -> Counts:
        """The merged rows; there has to be one.

        Raises:
            DataError: nothing was added.
        """
        rows = self._merged()
        if not len(rows.unions):
            raise DataError(
                "Expected at least one expression to evaluate, got none; "
                "check that the split has expressions and that batches reached the metric."
            )
        return rows

    def _merged(self) -> Counts:
        """One row per id, on the CPU (`merge_repeats`)."""
        empty = torch.empty((0, 4), dtype=torch.int64)
        table = dim_zero_cat(self.counts).cpu() if len(self.counts) else empty
        return Counts(*table[merge_repeats(*table.unbind(dim=1)[:3])].unbind(dim=1))


class ReferringMetrics(CountingMetric):
    """Overall IoU, mean IoU and precision@X over every expression of a split, each counted once.

    Where the split has expressions that name nothing, also the share of them that were predicted
    so, `no_target_accuracy`, and the share of the others that were not, `target_accuracy`.

    `compute` returns float64 values on the CPU.

    Args:
        thresholds: the X of precision@X, IoU in [0, 1].
        protocol: whose rules apply.
        chosen_ids: of the expressions that the figures are about; None means all.

    Raises:
        ConfigError: A threshold is outside of [0, 1].

    Example:
        >>> metrics = ReferringMetrics(thresholds=(0.5,))
        >>> metrics.update(torch.tensor([30, 10]), torch.tensor([40, 40]), expression_ids=(7, 8))
        >>> metrics.update(torch.tensor([10]), torch.tensor([40]), expression_ids=(8,))  # a repeat
        >>> {name: value.item() for name, value in metrics.compute().items()}
        {'overall_iou': 0.5, 'mean_iou': 0.5, 'precision@0.5': 0.5}
    """

    def __init__(
        self,
        thresholds: Sequence[float] = THRESHOLDS,
        protocol: Protocol = STANDARD,
        chosen_ids: Int64[Tensor, " chosen"] | None = None,
    ) -> None:
        super().__init__()
        for threshold in thresholds:
            check_threshold(threshold)
        self.thresholds = tuple(thresholds)
        self.protocol, self.chosen_ids = protocol, chosen_ids

    def compute(self) -> dict[str, Tensor]:
        """Return the figures over everything that was added, on all processes.

        Raises:
            DataError: Nothing was added.
        """
        rows = self._counted()
        if self.chosen_ids is not None:
            chosen = torch.isin(rows.expression_ids, self.chosen_ids)
            rows = Counts(*(column[chosen] for column in rows))
        columns = rows.intersections, rows.unions
        figures = self.protocol.figures(*columns, self.thresholds, rows.areas)
        # An object that is squashed to nothing is none that the expression does not name.
        tells_apart = self.protocol.side is None or self.protocol.generalized
        if tells_apart and (rows.areas == 0).any():
            areas = rows.areas, rows.intersections + rows.unions - rows.areas
            figures["no_target_accuracy"] = no_target_accuracy(*areas)
            figures["target_accuracy"] = target_accuracy(*areas)
        return figures


def check_threshold(threshold: float) -> None:
    """Refuse what is no IoU.

    Raises:
        ConfigError: it is outside of [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise ConfigError(
            f"Expected thresholds of IoU in [0, 1], got {threshold}; write 0.5 for 50 %."
        )


def mean_figures(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure over the splits that have it, in which each split counts the same.

    Args:
        rows: the figures of each split. Only those with expressions that name nothing have the
            accuracies of gRefCOCO.

    Example:
        >>> mean_figures([{"overall_iou": 0.25}, {"overall_iou": 0.5, "target_accuracy": 0.9}])
        {'overall_iou': 0.375, 'target_accuracy': 0.9}
    """
    splits = list(rows)
    keys = dict.fromkeys(key for row in splits for key in row)
    return {key: fmean(row[key] for row in splits if key in row) for key in keys}


def _some(ids: Tensor) -> str:
    shown = ", ".join(str(number) for number in ids[:_IDS_IN_MESSAGE].tolist())
    rest = len(ids) - _IDS_IN_MESSAGE
    return f"{shown} and {rest} more" if rest > 0 else shown

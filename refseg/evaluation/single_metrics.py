"""Each figure as a metric of its own, and those of gRefCOCO."""

from torch import Tensor

from refseg.errors import DataError
from refseg.evaluation.functional import (
    mean_iou,
    no_target_accuracy,
    overall_iou,
    precision_at,
    target_accuracy,
)
from refseg.evaluation.metrics import CountingMetric, check_threshold


class OverallIoU(CountingMetric):
    """The sum of all intersections divided by the sum of all unions (`overall_iou`).

    Example:
        >>> import torch
        >>> metric = OverallIoU()
        >>> metric.update(torch.tensor([1, 50]), torch.tensor([4, 96]), expression_ids=(1, 2))
        >>> metric.compute()
        tensor(0.5100, dtype=torch.float64)
    """

    def compute(self) -> Tensor:
        """Return it for everything that was added, on all processes.

        Raises:
            DataError: nothing was added.
        """
        rows = self._counted()
        return overall_iou(rows.intersections, rows.unions)


class MeanIoU(CountingMetric):
    """The mean of the expressions' IoU (`mean_iou`).

    Example:
        >>> import torch
        >>> metric = MeanIoU()
        >>> metric.update(torch.tensor([1, 50]), torch.tensor([4, 100]), expression_ids=(1, 2))
        >>> metric.compute()
        tensor(0.3750, dtype=torch.float64)
    """

    def compute(self) -> Tensor:
        """Return it for everything that was added, on all processes.

        Raises:
            DataError: nothing was added.
        """
        rows = self._counted()
        return mean_iou(rows.intersections, rows.unions)


class PrecisionAt(CountingMetric):
    """The share of the expressions whose IoU reaches a threshold (`precision_at`).

    Args:
        threshold: IoU from which an expression counts as found, [0, 1].

    Raises:
        ConfigError: the threshold is outside of [0, 1].

    Example:
        >>> import torch
        >>> metric = PrecisionAt(0.6)
        >>> metric.update(torch.tensor([3, 1]), torch.tensor([5, 5]), expression_ids=(1, 2))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    def __init__(self, threshold: float) -> None:
        super().__init__()
        check_threshold(threshold)
        self.threshold = threshold

    def compute(self) -> Tensor:
        """Return it for everything that was added, on all processes.

        Raises:
            DataError: nothing was added.
        """
        rows = self._counted()
        return precision_at(rows.intersections, rows.unions, self.threshold)


class GeneralizedMetrics(CountingMetric):
    """The figures of gRefCOCO, whose expressions name one object, several, or none.

    A model says that there is no target by an empty prediction. `gIoU` is the mean IoU and `cIoU`
    the overall IoU: an empty prediction for nothing has IoU 1 and adds no pixel to either sum, any
    other prediction for nothing has IoU 0 and adds its area to the union. `N_acc` is the share of
    the expressions without a target that were recognised, `T_acc` the share of those with one that
    were not taken for one without; NaN where there are none of them.

    Unlike the code of ReLA (`refer_evaluation.py`), whose model says "no target" beside its mask:
    where it says so wrongly, the mask that it takes back still enlarges the union of cIoU and gIoU.
    Here the union is then the object alone. Nor is an accuracy 0 because nothing was there to be
    recognised.

    References:
        Liu, Ding, Jiang, "GRES: Generalized Referring Expression Segmentation", CVPR 2023,
        section 4 (https://arxiv.org/abs/2306.00968).

    Example:
        >>> import torch
        >>> metric = GeneralizedMetrics()
        >>> intersections, unions = torch.tensor([30, 0, 0]), torch.tensor([40, 0, 10])
        >>> metric.update(intersections, unions, (1, 2, 3), areas=torch.tensor([35, 0, 0]))
        >>> {name: round(value.item(), 4) for name, value in metric.compute().items()}
        {'gIoU': 0.5833, 'cIoU': 0.6, 'N_acc': 0.5, 'T_acc': 1.0}
    """

    def compute(self) -> dict[str, Tensor]:
        """Return the figures for everything that was added, on all processes.

        Raises:
            DataError: nothing was added, or counts without the areas of the masks.
        """
        _, intersections, unions, areas = self._counted()
        if (areas < 0).any():
            raise DataError(
                "Expected the areas of the true masks, got counts without; give `areas` to update."
            )
        predicted_areas = intersections + unions - areas
        return {
            "gIoU": mean_iou(intersections, unions),
            "cIoU": overall_iou(intersections, unions),
            "N_acc": no_target_accuracy(areas, predicted_areas),
            "T_acc": target_accuracy(areas, predicted_areas),
        }

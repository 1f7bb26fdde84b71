"""How good predictions are: metrics, and the tables that show them."""

from refseg.evaluation.functional import (
    intersection_and_union,
    iou,
    mean_iou,
    no_target_accuracy,
    overall_iou,
    precision_at,
    target_accuracy,
)
from refseg.evaluation.metrics import Counts, ReferringMetrics, mean_figures
from refseg.evaluation.protocols import PROTOCOLS, STANDARD, THRESHOLDS, Protocol
from refseg.evaluation.single_metrics import GeneralizedMetrics, MeanIoU, OverallIoU, PrecisionAt
from refseg.evaluation.tables import (
    metric_table,
    protocol_notes,
    protocol_table,
    word_table,
    write_metrics,
)

__all__ = [
    "PROTOCOLS",
    "STANDARD",
    "THRESHOLDS",
    "Counts",
    "GeneralizedMetrics",
    "MeanIoU",
    "OverallIoU",
    "PrecisionAt",
    "Protocol",
    "ReferringMetrics",
    "intersection_and_union",
    "iou",
    "mean_figures",
    "mean_iou",
    "metric_table",
    "no_target_accuracy",
    "overall_iou",
    "precision_at",
    "protocol_notes",
    "protocol_table",
    "target_accuracy",
    "word_table",
    "write_metrics",
]

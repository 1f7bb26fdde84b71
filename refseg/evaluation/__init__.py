"""How good predictions are: metrics, and the tables that show them."""

from refseg.evaluation.functional import (
    intersection_and_union,
    iou,
    mean_iou,
    overall_iou,
    precision_at,
)
from refseg.evaluation.metrics import THRESHOLDS, Counts, ReferringMetrics, mean_figures
from refseg.evaluation.tables import metric_table, word_table, write_metrics

__all__ = [
    "THRESHOLDS",
    "Counts",
    "ReferringMetrics",
    "intersection_and_union",
    "iou",
    "mean_figures",
    "mean_iou",
    "metric_table",
    "overall_iou",
    "precision_at",
    "word_table",
    "write_metrics",
]

"""What training minimises: per-pixel logistic loss, Dice, other outputs, and weighted sums.

Every loss takes the output of a network and its batch and returns one number. The arithmetic is
float32 (or float64, if the logits are), in mixed precision too.
"""

from refseg.losses.base import Loss, MaskLoss
from refseg.losses.cells import CellLoss, any_foreground, subsampled
from refseg.losses.dice import DiceLoss
from refseg.losses.grid import GridLoss
from refseg.losses.logistic import WeightedLogisticLoss
from refseg.losses.minimap import MinimapLoss
from refseg.losses.no_target import NoTargetLoss
from refseg.losses.weighted_sum import WeightedSum
from refseg.losses.words import WordLoss

__all__ = [
    "CellLoss",
    "DiceLoss",
    "GridLoss",
    "Loss",
    "MaskLoss",
    "MinimapLoss",
    "NoTargetLoss",
    "WeightedLogisticLoss",
    "WeightedSum",
    "WordLoss",
    "any_foreground",
    "subsampled",
]

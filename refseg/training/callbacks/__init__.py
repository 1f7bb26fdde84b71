"""What happens beside training and evaluation: checkpoints, pictures, predicted masks, results.

In come Lightning's calls, out go files of the run. Open `checkpoints` first.
"""

from refseg.training.callbacks.checkpoints import CompleteCheckpoint, FolderTaken
from refseg.training.callbacks.curves import ValidationCurve
from refseg.training.callbacks.pictures import ExamplePictures
from refseg.training.callbacks.predictions import PredictionWriter
from refseg.training.callbacks.regular_validation import RegularValidation

__all__ = [
    "CompleteCheckpoint",
    "ExamplePictures",
    "FolderTaken",
    "PredictionWriter",
    "RegularValidation",
    "ValidationCurve",
]

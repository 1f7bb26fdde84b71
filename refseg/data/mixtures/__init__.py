"""Several data sets in one run: their names, the images they share, and what is trained on.

In come names of data sets, out come the rows to train on and those of each split to evaluate. Open
`mixture` first.
"""

from refseg.data.mixtures.leakage import SharedImages, describe, image_keys
from refseg.data.mixtures.mixture import Mixture, Part, is_built_in, read_mixture
from refseg.data.mixtures.neighbours import present_sources, protected_parts
from refseg.data.mixtures.overlap import Overlap, find_overlaps
from refseg.data.mixtures.spec import DataSource, sources_of
from refseg.data.mixtures.training import Training, choose_training, training_dataset

__all__ = [
    "DataSource",
    "Mixture",
    "Overlap",
    "Part",
    "SharedImages",
    "Training",
    "choose_training",
    "describe",
    "find_overlaps",
    "image_keys",
    "is_built_in",
    "present_sources",
    "protected_parts",
    "read_mixture",
    "sources_of",
    "training_dataset",
]

"""Features of images that a frozen network computed once, read in place of the images.

In come images and their feature maps, out come the same maps for each later run. Open `store`
first.
"""

from refseg.data.features.digests import ImageDigests, mirrored
from refseg.data.features.store import FeatureStore, Key

__all__ = ["FeatureStore", "ImageDigests", "Key", "mirrored"]

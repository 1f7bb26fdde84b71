"""What a frozen network makes of images, kept on disk and read in place of the images."""

from refseg.data.features.digests import ImageDigests
from refseg.data.features.store import FeatureStore, Key

__all__ = ["FeatureStore", "ImageDigests", "Key"]

"""From images to grids of feature vectors, one file per family."""

from refseg.models.backbones.base import Backbone, Normalization
from refseg.models.backbones.pyramid import FeaturePyramid
from refseg.models.backbones.small import SmallBackbone
from refseg.models.backbones.torchvision import TorchvisionBackbone
from refseg.models.backbones.transformers import TransformersBackbone

__all__ = [
    "Backbone",
    "FeaturePyramid",
    "Normalization",
    "SmallBackbone",
    "TorchvisionBackbone",
    "TransformersBackbone",
]

"""From images to grids of feature vectors, one file per family."""

from refseg.models.backbones.atrous_resnet import AtrousResNet
from refseg.models.backbones.base import Backbone, Normalization
from refseg.models.backbones.precomputed import PrecomputedFeatures
from refseg.models.backbones.pyramid import FeaturePyramid
from refseg.models.backbones.small import SmallBackbone
from refseg.models.backbones.torchvision import TorchvisionBackbone
from refseg.models.backbones.transformers import TransformersBackbone
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.backbones.vgg import VGG16FullyConvolutional

__all__ = [
    "AtrousResNet",
    "Backbone",
    "FeaturePyramid",
    "Normalization",
    "PrecomputedFeatures",
    "SmallBackbone",
    "TorchvisionBackbone",
    "TransformersBackbone",
    "TrunkBackbone",
    "VGG16FullyConvolutional",
]

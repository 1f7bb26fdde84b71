"""The VGG-16 of LSTM-CNN: its fully connected layers as convolutions."""

from typing import Any, Literal, cast

from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from refseg.models.backbones.base import Normalization, NormalizationName
from refseg.models.backbones.torchvision import download, published
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.files import load_weights, read_weights
from refseg.models.weights.provenance import of_file, of_torchvision
from refseg.types import Maps


class VGG16FullyConvolutional(TrunkBackbone):
    """VGG-16 at stride 32 up to fc8, whose 1000 channels LSTM-CNN calls the visual feature.

    fc6 is a 7×7 convolution that keeps the map's size, fc7 and fc8 are 1×1. Unlike the network on
    ImageNet there is no dropout, as in the paper's code.

    Args:
        weights: none: random; `imagenet`: torchvision's, downloaded; a state dict with
            torchvision's names (`.pt`, `.pth`, `.safetensors`); or an `.npz` of the original's
            variables (`vgg_local/…`).
        frozen: what stays as it is: the `convolutions`, as LSTM-CNN trains its segmentation stages,
            `all`, as in its first stage, or `nothing`.
        normalization: how the weights want their pixels; none: `imagenet` for torchvision's,
            `vgg_rgb` for the original's.
        image_dim: channels of fc8; 1000 in the paper.
        hidden_dim: channels of fc6 and fc7; 4096 in the paper.
        width: channels of the first convolution; 64 in the paper.

    Raises:
        ConfigError: the weights do not exist, or do not fit.

    References:
        Simonyan, Zisserman, *Very Deep Convolutional Networks for Large-Scale Image Recognition*,
        ICLR 2015, https://arxiv.org/abs/1409.1556, and Hu, Rohrbach, Darrell, *Segmentation from
        Natural Language Expressions*, ECCV 2016, https://arxiv.org/abs/1603.06180, section 3.1.

    Example:
        >>> import torch
        >>> backbone = VGG16FullyConvolutional(image_dim=10, hidden_dim=16, width=4)
        >>> backbone(torch.zeros(1, 3, 61, 83, dtype=torch.uint8))[-1].shape
        torch.Size([1, 10, 2, 3])
    """

    strides = (32,)

    def __init__(
        self,
        weights: str | None = None,
        frozen: Literal["convolutions", "all", "nothing"] = "convolutions",
        normalization: NormalizationName | None = None,
        image_dim: int = 1000,
        hidden_dim: int = 4096,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.dims = (image_dim,)
        of_original = weights is None or weights.endswith(".npz")
        self.chosen = normalization or ("vgg_rgb" if of_original else "imagenet")
        self.normalization = Normalization(self.chosen)
        trunk = make_layers(_layers(width))
        for layer in trunk:
            if isinstance(layer, nn.MaxPool2d):
                layer.ceil_mode = True  # TensorFlow's SAME
        self.head = nn.Sequential(
            nn.Conv2d(8 * width, hidden_dim, 7, padding=3),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden_dim, hidden_dim, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden_dim, image_dim, 1),
        )
        self.hold(trunk, frozen != "nothing")
        pools = [index for index, layer in enumerate(trunk) if isinstance(layer, nn.MaxPool2d)]
        self.ends = (0, *(index + 1 for index in pools))
        self.taps = (len(pools) - 1,)
        self.head.requires_grad_(frozen != "all")
        if weights is None:
            self._initialize()
        else:
            self._fill(weights, width)

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images _ _ _"]:
        """Pixels as the weights want them; the five stages end with a pooling each."""
        return self.normalization(images)

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Apply fc6 to fc8 to the last pooled map."""
        return (self.head(maps[-1]),)

    def trunk_settings(self) -> dict[str, Any]:
        """Nothing but the stride: the rest shows in the names and shapes of the weights."""
        return {"stride": self.strides[-1]}

    def vectors(
        self, crops: UInt8[Tensor, " crops 3 height width"]
    ) -> Float[Tensor, " crops dim 1 1"]:
        """One vector per crop, as in the paper's first stage.

        Args:
            crops: of 224×224 pixels, which fc6 sees whole.
        """
        fc6 = cast("nn.Conv2d", self.head[0])
        (pooled,) = self.maps(crops)
        vector = nn.functional.conv2d(pooled, fc6.weight, fc6.bias)
        return self.head[1:](vector)

    def portable_arguments(self) -> dict[str, Any]:
        """No weights, which the checkpoint has, but what they want of pixels."""
        return {"weights": None, "normalization": self.chosen}

    def _initialize(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def _fill(self, weights: str, width: int) -> None:
        if weights.endswith(".npz"):
            from refseg.models.original.backbones import read_vgg  # a finished model needs it not

            load_weights(self, read_vgg(weights, width), weights)
            self.origin = of_file(weights, is_original=True)
            return
        named = weights == "imagenet"
        found = download("vgg16", weights) if named else read_weights(weights)
        load_weights(self, _convolutional(found), "torchvision's vgg16" if named else weights)
        named_origin = of_torchvision("vgg16", published("vgg16", weights).name) if named else None
        self.origin = named_origin or of_file(weights)


def _layers(width: int) -> list[str | int]:
    """Torchvision's list of VGG-16's layers, at another width."""
    return [layer if isinstance(layer, str) else layer * width // 64 for layer in cfgs["D"]]


def _convolutional(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's weights by our names, matrices as kernels."""
    places = {"classifier.0": "head.0", "classifier.3": "head.2", "classifier.6": "head.4"}
    renamed = {}
    for name, weight in weights.items():
        layer, _, kind = name.rpartition(".")
        ours = places.get(layer, layer.replace("features.", "trunk."))
        if layer in places and kind == "weight":
            side = 7 if layer == "classifier.0" else 1
            weight = weight.unflatten(1, (-1, side, side))
        renamed[f"{ours}.{kind}"] = weight
    return renamed

"""Backbones from torchvision, with a chosen output stride."""

import sys
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from refseg.errors import ConfigError
from refseg.models.backbones.atrous import dilate, margin, strides
from refseg.models.backbones.base import Classifier, Normalization, NormalizationName
from refseg.models.backbones.pyramid import FeaturePyramid
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.files import load_weights, read_weights
from refseg.models.weights.provenance import Origin, of_file, of_torchvision
from refseg.types import Maps

FAMILIES = ("mobilenet", "resnet", "resnext", "squeezenet", "vgg", "wide_resnet")


class TorchvisionBackbone(TrunkBackbone):
    """A network of torchvision without its classifier.

    The output stride is reached in one of two ways. Without a pyramid, every step of the network
    beyond `stride` is taken out and the kernels after it are dilated (à trous): each cell sees what
    it would have seen, in a denser grid. With a pyramid, the network stays as it is, and its
    levels of `stride` and coarser are merged by convolutions that are trained even where the
    network is frozen.

    Networks whose convolutions shrink the map at its borders (SqueezeNet, VGG) get their images
    padded with the mean colour, as much as it takes to have `ceil(height / stride)` rows.

    Args:
        name: of torchvision: a ResNet, ResNeXt, VGG, SqueezeNet or MobileNet, such as `resnet101`.
        stride: pixels per cell of the output; 32 in LSTM-CNN (VGG-16), 8 in RMI (ResNet-101).
        weights: none: random; `imagenet` or a name of torchvision's (`IMAGENET1K_V1`):
            downloaded; else the path of a state dict with torchvision's names (`.pt`, `.pth`,
            `.safetensors`), with or without the classifier.
        frozen: leave the network as it is; train what comes after it only.
        normalization: how the weights want their pixels; torchvision's own want `imagenet`.
        pyramid_dim: channels of the pyramid's output; none: no pyramid.

    Raises:
        ConfigError: the network, the stride or the weights do not exist, or do not fit.

    Example:
        >>> backbone = TorchvisionBackbone("squeezenet1_1", stride=8)
        >>> backbone.dims, backbone(torch.zeros(1, 3, 64, 96, dtype=torch.uint8))[-1].shape
        ((512,), torch.Size([1, 512, 8, 12]))
    """

    def __init__(
        self,
        name: str,
        stride: int = 8,
        weights: str | None = None,
        frozen: bool = False,
        normalization: NormalizationName = "imagenet",
        pyramid_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.stride, self.strides = stride, (stride,)
        self.normalization = Normalization(normalization)
        model = _network(name)
        self.name = name
        if weights is not None:
            self.origin, self.classifier = _fill(model, name, weights)
        units = _units(model)
        reached = strides(units)  # after each unit
        if stride not in reached or stride == 1:
            possible = ", ".join(str(s) for s in sorted({*reached} - {1}))
            raise ConfigError(f"{name} has no stride {stride}; choose one of {possible}.")
        self.margin = margin(units, stride)
        # A stage ends with the last unit of each stride; those finer than 4 pixels are the stem.
        last = {step: unit for unit, step in enumerate(reached)}
        coarse = [step for step in last if step >= min(4, stride)]
        finer = [last[step] + 1 for step in last if step < coarse[0]]
        self.ends = (max(finer, default=0), *(last[step] + 1 for step in coarse))
        if pyramid_dim is None:
            units = dilate(units, stride)
            self.taps = (len(coarse) - 1,)
        else:
            self.taps = tuple(stage for stage, step in enumerate(coarse) if step >= stride)
        self.hold(nn.Sequential(*units), frozen)
        dims = self._widths()
        self.dims = (dims[-1] if pyramid_dim is None else pyramid_dim,)
        self.pyramid = None if pyramid_dim is None else FeaturePyramid(dims, pyramid_dim)

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images _ _ _"]:
        """The units of a stride below 4; a stage for each stride follows."""
        return self.entry(self._pad(self.normalization(images)))

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Merge the maps, where there is a pyramid."""
        return maps[-1:] if self.pyramid is None else (self.pyramid(maps),)

    def trunk_settings(self) -> dict[str, Any]:
        """The network, where it is tapped, and how its images are padded."""
        return {
            "network": self.name,
            "stride": self.stride,
            "units": [self.ends[stage + 1] - 1 for stage in self.taps],
            "margin": self.margin,
        }

    def portable_arguments(self) -> dict[str, Any]:
        """No weights: the checkpoint has them."""
        return {"weights": None}

    def _pad(self, pixels: Tensor) -> Tensor:
        """Pad with the mean colour, 0 after normalisation, for whole cells over all pixels."""
        before = max(0, self.margin) // 2
        missing = [-size % self.stride + self.margin for size in pixels.shape[-2:]]
        bottom, right = (max(0, total - before) for total in missing)
        return functional.pad(pixels, (before, right, before, bottom))

    @torch.no_grad()
    def _widths(self) -> list[int]:
        mode = self.training
        self.eval()
        current, widths = self.entry(torch.zeros(1, 3, 64, 64)), []
        for stage in self.stages:
            current = stage(current)
            widths.append(current.shape[1])
        self.train(mode)
        return [widths[stage] for stage in self.taps]


def _network(name: str) -> nn.Module:
    known = [known for known in models.list_models(module=models) if known.startswith(FAMILIES)]
    if name not in known:
        raise ConfigError(
            f"Unknown torchvision network '{name}'; choose one of {', '.join(known)}."
        )
    return models.get_model(name)


def _units(model: nn.Module) -> list[nn.Module]:
    """The layers and blocks of a network in the order of the data, up to the classifier."""
    if isinstance(model, models.ResNet):
        stem = nn.Sequential(model.conv1, model.bn1, model.relu)
        stages = (model.layer1, model.layer2, model.layer3, model.layer4)
        return [stem, model.maxpool, *(block for stage in stages for block in stage)]
    return [*model.get_submodule("features").children()]


def _fill(model: nn.Module, name: str, weights: str) -> tuple[Origin, Classifier | None]:
    """Load everything but the classifier; say what it was, and give the classifier of a ResNet."""
    for classifier in ("fc", "classifier"):
        if hasattr(model, classifier):
            setattr(model, classifier, nn.Identity())
    known = models.get_model_weights(name).__members__
    if weights == "imagenet" or weights in known:
        found, source = download(name, weights), f"torchvision's {name}, {weights},"
        origin = of_torchvision(name, published(name, weights).name)
    elif "/" not in weights and "." not in weights:
        raise ConfigError(
            f"Unknown weights '{weights}' of {name}; expected imagenet, {', '.join(known)}, or the "
            "path of a state dict (./FILE)."
        )
    else:
        found, source = read_weights(weights), weights
        origin = of_file(weights)
    if hasattr(model, "features") and not any(key.startswith("features.") for key in found):
        found = {f"features.{key}": tensor for key, tensor in found.items()}
    ours = {k: v for k, v in found.items() if not k.startswith(("fc.", "classifier."))}
    load_weights(model, ours, source)
    weight, bias = found.get("fc.weight"), found.get("fc.bias")
    return origin, None if weight is None or bias is None else Classifier(weight, bias)


def download(name: str, weights: str) -> dict[str, Tensor]:
    """Torchvision's weights, from its cache or the network.

    Args:
        name: of the network.
        weights: `imagenet`, or torchvision's name of them.

    Raises:
        ConfigError: there is no network, or no such file.
    """
    chosen = published(name, weights)
    try:
        return chosen.get_state_dict(progress=sys.stderr.isatty(), check_hash=True)
    except (OSError, RuntimeError) as error:
        folder = f"{torch.hub.get_dir()}/checkpoints"
        raise ConfigError(
            f"Cannot download the weights {chosen.name} of {name} ({error}). Download {chosen.url} "
            f"elsewhere, and put the file into {folder} or name its path in `weights`."
        ) from error


def published(name: str, weights: str) -> models.WeightsEnum:
    """Torchvision's entry of weights, by its name or as `imagenet`."""
    return models.get_model_weights(name)["DEFAULT" if weights == "imagenet" else weights]

"""The original's backbones: the names and shapes of their variables, and where these belong."""

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from refseg.models.original.layouts import convolution, linear
from refseg.models.original.shapes import Shape, infer_widths
from refseg.models.original.variables import read_variables

ResNetPrefix = Literal["ResNet", "DeepLab"]

RESNET_101 = (3, 4, 23, 3)
_VGG_CONVOLUTIONS = (2, 2, 3, 3, 3)
_STATISTICS = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
# Layers of a block: the original's name -> ours (convolution, batch normalisation).
_LAYERS = {
    "block_1": ("conv1", "bn1"),
    "block_2": ("conv2", "bn2"),
    "block_3": ("conv3", "bn3"),
    "block_add": ("downsample.0", "downsample.1"),
}


def resnet_patterns(
    prefix: ResNetPrefix, blocks: Sequence[int] = RESNET_101, width: int = 64
) -> dict[str, Shape]:
    """The shapes of all variables of a ResNet up to res5c.

    Args:
        prefix: of their names.
        blocks: of the four groups.
        width: channels of the narrow convolutions in the first group; 64 in the original.
    """
    patterns: dict[str, Shape] = {f"{prefix}/group_1/conv1/DW": (7, 7, 3, 64)}
    patterns |= _normalization_patterns(f"{prefix}/group_1/bn_conv1", prefix, 64)
    inputs = 64
    for group, count in enumerate(blocks, start=2):
        narrow, outputs = (size * 2 ** (group - 2) for size in (width, 256))
        for index in range(count):
            block = f"{prefix}/group_{group}_{index}"
            shapes: dict[str, tuple[int, int, int, int]] = {
                "block_1": (1, 1, inputs, narrow),
                "block_2": (3, 3, narrow, narrow),
                "block_3": (1, 1, narrow, outputs),
            }
            if index == 0:
                shapes["block_add"] = (1, 1, inputs, outputs)
            for layer, shape in shapes.items():
                patterns[f"{block}/{layer}/conv/DW"] = shape
                patterns |= _normalization_patterns(f"{block}/{layer}/bn", prefix, shape[3])
            inputs = outputs
    return patterns


def _normalization_patterns(name: str, prefix: ResNetPrefix, channels: int) -> dict[str, Shape]:
    patterns: dict[str, Shape] = {f"{name}/{statistic}": (channels,) for statistic in _STATISTICS}
    return patterns | ({f"{name}/factor": (1,)} if prefix == "DeepLab" else {})


def resnet_state(
    variables: Mapping[str, Tensor], prefix: ResNetPrefix, blocks: Sequence[int] = RESNET_101
) -> dict[str, Tensor]:
    """The state dict of an `AtrousResNet`.

    DeepLab's statistics are sums of Caffe, to be divided by their factor.
    """
    state = {"trunk.1.weight": convolution(variables[f"{prefix}/group_1/conv1/DW"])}
    state |= _normalization_state(variables, f"{prefix}/group_1/bn_conv1", "trunk.2")
    names = [f"group_{g}_{i}" for g, count in enumerate(blocks, start=2) for i in range(count)]
    for place, name in enumerate(names, start=6):  # after padding, stem and pooling
        for layer, (ours, normalization) in _LAYERS.items():
            scope = f"{prefix}/{name}/{layer}"
            if f"{scope}/conv/DW" in variables:
                kernel = variables[f"{scope}/conv/DW"]
                state[f"trunk.{place}.{ours}.weight"] = convolution(kernel)
                ours = f"trunk.{place}.{normalization}"
                state |= _normalization_state(variables, f"{scope}/bn", ours)
    return state


def _normalization_state(
    variables: Mapping[str, Tensor], scope: str, ours: str
) -> dict[str, Tensor]:
    state = {
        f"{ours}.{name}": variables[f"{scope}/{theirs}"] for theirs, name in _STATISTICS.items()
    }
    factor = variables.get(f"{scope}/factor")
    if factor is not None:
        for statistic in ("running_mean", "running_var"):
            state[f"{ours}.{statistic}"] = state[f"{ours}.{statistic}"] / factor
    return state


def vgg_patterns(width: int = 64) -> dict[str, Shape]:
    """The shapes of all variables of the fully convolutional VGG-16.

    Args:
        width: channels of the first convolution; 64 in the original.
    """
    patterns: dict[str, Shape] = {}
    inputs = 3
    for stage, count in enumerate(_VGG_CONVOLUTIONS, start=1):
        outputs = width * min(2 ** (stage - 1), 8)
        for index in range(1, count + 1):
            layer = f"vgg_local/conv{stage}_{index}"
            patterns |= {f"{layer}/weights": (3, 3, inputs, outputs), f"{layer}/biases": (outputs,)}
            inputs = outputs
    return patterns | {
        "vgg_local/fc6/weights": (7, 7, 8 * width, "D"),
        "vgg_local/fc6/biases": ("D",),
        "vgg_local/fc7/weights": (1, 1, "D", "D"),
        "vgg_local/fc7/biases": ("D",),
        "vgg_local/fc8/weights": (1, 1, "D", "F"),
        "vgg_local/fc8/biases": ("F",),
    }


def vgg_state(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a `VGG16FullyConvolutional`."""
    places = {}
    place = 0
    for stage, count in enumerate(_VGG_CONVOLUTIONS, start=1):
        for index in range(1, count + 1):
            places[f"conv{stage}_{index}"] = f"trunk.{place}"
            place += 2  # a ReLU after each convolution
        place += 1  # a pooling after each stage
    places |= {"fc6": "head.0", "fc7": "head.2", "fc8": "head.4"}
    state = {}
    for layer, ours in places.items():
        state[f"{ours}.weight"] = convolution(variables[f"vgg_local/{layer}/weights"])
        state[f"{ours}.bias"] = variables[f"vgg_local/{layer}/biases"]
    return state


def read_resnet(
    path: str, blocks: Sequence[int], width: int = 64
) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor] | None]:
    """The state dict of an `AtrousResNet` from a file with the original's variables.

    Variables of other parts of the model may stand in the file, too.

    Args:
        path: of the file.
        blocks: of the four groups.
        width: as of `resnet_patterns`.

    Returns:
        The state dict; and weight and bias of fc1000, ImageNet's classifier, if it is there.

    Raises:
        ConfigError: variables are missing or misshapen.
    """
    variables = read_variables(path)
    deep = any(name.startswith("DeepLab/") for name in variables)
    prefix: ResNetPrefix = "DeepLab" if deep else "ResNet"
    patterns = resnet_patterns(prefix, blocks, width)
    infer_widths(patterns, {name: v for name, v in variables.items() if name in patterns})
    kernel, bias = (variables.get(f"{prefix}/fc1000/{name}") for name in ("DW", "biases"))
    classifier = None
    if kernel is not None and bias is not None:
        classifier = (linear(kernel.reshape(kernel.shape[-2:])), bias)
    return resnet_state(variables, prefix, blocks), classifier


def read_vgg(path: str, width: int = 64) -> dict[str, Tensor]:
    """The state dict of a `VGG16FullyConvolutional` from a file with the original's variables.

    Args:
        path: of the file.
        width: as of `vgg_patterns`.

    Raises:
        ConfigError: variables are missing or misshapen.
    """
    patterns = vgg_patterns(width)
    found = {name: v for name, v in read_variables(path).items() if name in patterns}
    found = unflattened(found)
    infer_widths(patterns, found)
    return vgg_state(found)


def unflattened(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fully connected layers as the convolutions that compute the same.

    LSTM-CNN's first stage sees boxes and has plain matrices; its later stages reshape them.
    """
    shaped = dict(variables)
    for name, variable in variables.items():
        if name.endswith("/weights") and variable.ndim == 2:
            inputs, outputs = variable.shape
            side = 7 if name == "vgg_local/fc6/weights" and inputs % 49 == 0 else 1
            shaped[name] = variable.reshape(side, side, inputs // side**2, outputs)
    return shaped

"""RMI and its LSTM baseline, on ResNet (R) or DeepLab (D)."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from refseg.errors import ConfigError
from refseg.models.original import layouts
from refseg.models.original.backbones import ResNetPrefix, resnet_patterns, resnet_state
from refseg.models.original.heads import (
    CELL,
    OriginalModel,
    classifier_state,
    concat_state,
    lstm_patterns,
    prefixed,
    text_arguments,
    text_state,
)
from refseg.models.original.shapes import Shape, infer_widths


def translate_rmi(variables: Mapping[str, Tensor], *, baseline: bool) -> OriginalModel:
    """The model of these variables.

    Args:
        variables: by canonical names.
        baseline: the LSTM baseline instead of RMI.

    Raises:
        ConfigError: variables are missing, superfluous or misshapen.
    """
    prefix, projection = _variant(variables)
    with_backbone = any(
        name.startswith(f"{prefix}/") and not name.startswith(projection) for name in variables
    )
    words = "text_objseg/RNN/WLSTM" if not baseline else "text_objseg/RNN"
    channels = 2048 if with_backbone else "C"
    patterns: dict[str, Shape] = {
        f"{projection}/DW": (1, 1, channels, "P"),
        f"{projection}/biases": ("P",),
        "text_objseg/embedding": ("V", "E"),
        **lstm_patterns(words, "E", "H"),
        "text_objseg/conv2/DW": (1, 1, "M", 1),
        "text_objseg/conv2/biases": (1,),
    }
    if baseline:
        patterns |= {
            "text_objseg/conv1/DW": (1, 1, "P+H+8", "M"),
            "text_objseg/conv1/biases": ("M",),
        }
    else:
        patterns |= lstm_patterns("text_objseg/RNN/ALSTM", "P+E+H+8", "M")
    if with_backbone:
        patterns |= resnet_patterns(prefix)
    widths = infer_widths(patterns, variables)

    state = {
        "fusion.visual.projection.weight": layouts.convolution(variables[f"{projection}/DW"]),
        "fusion.visual.projection.bias": variables[f"{projection}/biases"],
        **text_state(variables, "text_objseg/embedding", words, widths["E"]),
        **classifier_state(
            variables["text_objseg/conv2/DW"], variables["text_objseg/conv2/biases"]
        ),
    }
    if baseline:
        order = [("image", widths["P"]), ("sentence", widths["H"]), ("coordinates", 8)]
        state |= concat_state(
            variables["text_objseg/conv1/DW"], variables["text_objseg/conv1/biases"], order
        )
    else:
        state |= _mlstm_state(variables, widths)
    if with_backbone:
        state |= prefixed("backbone", resnet_state(variables, prefix))
    given = {"image_dim": widths.get("C", 2048), "stride": 8}
    fusion = {"hidden_dim": widths["M"], "projection_dim": widths["P"]}
    parts: dict[str, tuple[str, dict[str, Any]]] = {
        "backbone": ("AtrousResNet", {}) if with_backbone else ("PrecomputedFeatures", given),
        "text_encoder": ("LSTMEncoder", text_arguments(widths)),
        "fusion": ("ConcatFusion" if baseline else "MultimodalLSTM", fusion),
        "decoder": ("BilinearDecoder", {"grid": "legacy"}),
    }
    return OriginalModel(parts, widths["V"], state)


def _variant(variables: Mapping[str, Tensor]) -> tuple[ResNetPrefix, str]:
    """The backbone and the projection of its features: of ImageNet's classifier, or a new one."""
    variants: dict[ResNetPrefix, str] = {"ResNet": "ResNet/fc1000", "DeepLab": "text_objseg/conv0"}
    there: list[ResNetPrefix] = [
        prefix
        for prefix, scope in variants.items()
        if any(name.startswith(f"{scope}/") for name in variables)
    ]
    if len(there) != 1:
        got = "both" if there else "neither"
        raise ConfigError(
            "Expected the variables of either ResNet/fc1000 (R) or text_objseg/conv0 (D), got "
            f"{got}; check that all variables of one checkpoint are there."
        )
    return there[0], variants[there[0]]


def _mlstm_state(variables: Mapping[str, Tensor], widths: Mapping[str, int]) -> dict[str, Tensor]:
    scope = f"text_objseg/RNN/ALSTM/{CELL}"
    kernel = layouts.gates(variables[f"{scope}/kernel"])
    sizes = [widths["P"], widths["E"] + widths["H"], 8, widths["M"]]
    image, words, cells, recurrent = kernel.split(sizes)
    return {
        "fusion.visual.image.weight": layouts.pointwise(image),
        "fusion.visual.image.bias": layouts.gate_bias(variables[f"{scope}/bias"]),
        "fusion.visual.coordinates.weight": layouts.pointwise(cells),
        "fusion.word.weight": layouts.linear(words),
        "fusion.recurrent.weight": layouts.linear(recurrent),
    }

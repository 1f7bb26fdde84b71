"""LSTM-CNN (Hu et al.), in any of its stages."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from refseg.models.decoders import bilinear_filter
from refseg.models.original import layouts
from refseg.models.original.backbones import unflattened, vgg_patterns, vgg_state
from refseg.models.original.heads import (
    OriginalModel,
    classifier_state,
    concat_state,
    lstm_patterns,
    prefixed,
    text_arguments,
    text_state,
)
from refseg.models.original.shapes import Shape, infer_widths


def translate_lstm_cnn(variables: Mapping[str, Tensor]) -> OriginalModel:
    """The model of these variables; of the first stage's, what the second stage starts as.

    Args:
        variables: by canonical names.

    Raises:
        ConfigError: variables are missing, superfluous or misshapen.
    """
    variables = unflattened(variables)
    fc8, upsampling = "vgg_local/fc8", "classifier/upsample32s/weights"
    of_backbone = {name for name in variables if name.startswith("vgg_local/")}
    with_backbone = any(not name.startswith(f"{fc8}/") for name in of_backbone)
    patterns: dict[str, Shape] = {
        "word_embedding/embedding": ("V", "E"),
        **lstm_patterns("lstm_lang/rnn", "E", "H"),
        "classifier/mlp_l1/weights": (1, 1, "H+F+8", "M"),
        "classifier/mlp_l1/biases": ("M",),
        "classifier/mlp_l2/weights": (1, 1, "M", 1),
        "classifier/mlp_l2/biases": (1,),
        upsampling: ("2S", "2S", 1, 1),
    }
    if with_backbone:
        patterns |= vgg_patterns()
    elif of_backbone:
        patterns |= {f"{fc8}/weights": (1, 1, "D", "F"), f"{fc8}/biases": ("F",)}
    widths = infer_widths(patterns, variables, optional=[upsampling])

    stride = widths.get("S", 32)
    bilinear = bilinear_filter(stride)[:, :, None, None]
    order = [("sentence", widths["H"]), ("image", widths["F"]), ("coordinates", 8)]
    state = {
        **text_state(variables, "word_embedding/embedding", "lstm_lang/rnn", widths["E"]),
        **concat_state(
            variables["classifier/mlp_l1/weights"], variables["classifier/mlp_l1/biases"], order
        ),
        **classifier_state(
            variables["classifier/mlp_l2/weights"], variables["classifier/mlp_l2/biases"]
        ),
        "decoder.upsampling.weight": layouts.convolution(variables.get(upsampling, bilinear)),
    }
    backbone: tuple[str, dict[str, Any]] = (
        "PrecomputedFeatures",
        {"image_dim": widths["F"], "stride": stride, "given_dim": widths.get("D")},
    )
    if with_backbone:
        backbone = (
            "VGG16FullyConvolutional",
            {"image_dim": widths["F"], "hidden_dim": widths["D"]},
        )
        state |= prefixed("backbone", vgg_state(variables))
    elif of_backbone:
        state["backbone.projection.weight"] = layouts.convolution(variables[f"{fc8}/weights"])
        state["backbone.projection.bias"] = variables[f"{fc8}/biases"]
    parts: dict[str, tuple[str, dict[str, Any]]] = {
        "backbone": backbone,
        "text_encoder": ("LSTMEncoder", {**text_arguments(widths), "left_padding": 20}),
        "fusion": ("ConcatFusion", {"hidden_dim": widths["M"]}),
        "decoder": ("DeconvolutionDecoder", {"stride": stride}),
    }
    return OriginalModel(parts, widths["V"], state)

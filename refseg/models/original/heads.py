"""What the papers' models have in common: text, concatenation, classifier of cells."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from refseg.models.original import layouts
from refseg.models.original.shapes import Shape

CELL = "multi_rnn_cell/cell_0/basic_lstm_cell"
_PART_PACKAGES = {
    "backbone": "refseg.models.backbones",
    "text_encoder": "refseg.models.text_encoders",
    "fusion": "refseg.models.fusion",
    "decoder": "refseg.models.decoders",
}


class OriginalModel(NamedTuple):
    """A model of the papers in terms of refseg, before it is made.

    Args:
        parts: for each part the name of its class and its arguments.
        vocab_size: number of token ids.
        state: the weights of a `Segmenter` of these parts.
        transform: options of the `Transform` that its images want; none where the kind says it.
        max_words: sentences were cut after so many tokens.
        clean: sentences were mended first, as CLIP's code does (`TransformersTokenizer`).
        notes: what a user has to know of the translation, a line each.
    """

    parts: dict[str, tuple[str, dict[str, Any]]]
    vocab_size: int
    state: dict[str, Tensor]
    transform: Mapping[str, Any] = MappingProxyType({})
    max_words: int = 20
    clean: bool = False
    notes: tuple[str, ...] = ()

    @property
    def has_backbone(self) -> bool:
        """Whether it can look at images, and not at given features alone."""
        return self.parts["backbone"][0] != "PrecomputedFeatures"

    def config(self) -> dict[str, Any]:
        """The parts as in a config, for a checkpoint."""
        return {
            part: {"class_path": f"{_PART_PACKAGES[part]}.{name}", "init_args": arguments}
            for part, (name, arguments) in self.parts.items()
        }


def lstm_patterns(scope: str, inputs: str, hidden: str) -> dict[str, Shape]:
    """Of an LSTM whose inputs and state have these widths."""
    return {
        f"{scope}/{CELL}/kernel": (f"{inputs}+{hidden}", f"4{hidden}"),
        f"{scope}/{CELL}/bias": (f"4{hidden}",),
    }


def text_state(
    variables: Mapping[str, Tensor], embedding: str, scope: str, embedding_dim: int
) -> dict[str, Tensor]:
    """Of an `LSTMEncoder`."""
    weights = layouts.linear(layouts.gates(variables[f"{scope}/{CELL}/kernel"]))
    bias = layouts.gate_bias(variables[f"{scope}/{CELL}/bias"])
    return {
        "text_encoder.embedding.weight": variables[embedding],
        "text_encoder.lstm.weight_ih_l0": weights[:, :embedding_dim].contiguous(),
        "text_encoder.lstm.weight_hh_l0": weights[:, embedding_dim:].contiguous(),
        "text_encoder.lstm.bias_ih_l0": bias,
        "text_encoder.lstm.bias_hh_l0": bias.new_zeros(len(bias)),
    }


def concat_state(kernel: Tensor, bias: Tensor, widths: list[tuple[str, int]]) -> dict[str, Tensor]:
    """Of a `ConcatFusion`, from one kernel over the concatenation of its inputs.

    Args:
        kernel: of a 1×1 convolution.
        bias: of the same.
        widths: the inputs in their order.
    """
    parts = kernel[0, 0].split([width for _, width in widths])
    rows = {name: part for (name, _), part in zip(widths, parts, strict=True)}
    return {
        "fusion.visual.image.weight": layouts.pointwise(rows["image"]),
        "fusion.visual.image.bias": bias,
        "fusion.visual.coordinates.weight": layouts.pointwise(rows["coordinates"]),
        "fusion.sentence.weight": layouts.linear(rows["sentence"]),
    }


def classifier_state(kernel: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Of a decoder's classifier of cells."""
    return {
        "decoder.classifier.weight": layouts.convolution(kernel),
        "decoder.classifier.bias": bias,
    }


def text_arguments(widths: Mapping[str, int]) -> dict[str, Any]:
    """Of an `LSTMEncoder`."""
    return {"embedding_dim": widths["E"], "hidden_dim": widths["H"], "recurrent_bias": False}


def prefixed(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights under the name of a part."""
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}

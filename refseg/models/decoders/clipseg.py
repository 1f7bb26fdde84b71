"""CLIPSeg's decoder: a small transformer over what CLIP sees, conditioned on the sentence."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.models.decoders.base import Decoder
from refseg.models.weights.clipseg import (
    apply_layer,
    layer_options,
    load_clipseg_config,
    with_one_layer_of,
)
from refseg.models.weights.huggingface import (
    Architecture,
    PreTrainedConfig,
    import_transformers,
    load_pretrained,
    plain_config,
)
from refseg.precision import in_full_precision
from refseg.types import Maps, Output, TextFeatures


class ClipSegDecoder(Decoder):
    """Reads the states of CLIP from the last to the first, and scales the channels by the sentence.

    Each state is reduced to 64 channels, added to what comes before it, and goes through a layer of
    self-attention; to the first of them the sentence speaks (FiLM). Transposed convolutions make a
    logit for each pixel of the result. The weights go on from those that were published, by the
    library's own modules: before training the logits are those of
    `CLIPSegForImageSegmentation`.

    The maps are those of `ClipSegBackbone`, which `NoFusion` lets pass by; the sentence is that of
    `TransformersEncoder` with `sentence: projection`; all three are of one name.

    Args:
        dims: channels of the maps; supplied by the fusion.
        word_dim: not used.
        sentence_dim: length of the sentence vector; supplied by the text encoder.
        name: on the Hugging Face hub, perhaps with a revision (`owner/name@v1`), or a folder that
            `save_pretrained` wrote.
        pretrained: load the weights; else only the architecture, with random weights.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.

    Raises:
        ConfigError: there is no such model, no network to get it, it is no CLIPSeg, or maps and
            sentence are not those of one.

    References:
        Lüddecke and Ecker, *Image Segmentation Using Text and Image Prompts*, CVPR 2022,
        https://arxiv.org/abs/2112.10003, section 3.
    """

    listens = True

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        name: str,
        pretrained: bool = True,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        self.config = config = load_clipseg_config(name, architecture)
        _check_input(dims, sentence_dim, config)
        self.network: Any = _decoder(name, config, pretrained and architecture is None)
        self.options = layer_options(self.network.layers[0])

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        fine = self._fine_logits(fused, text)
        patch = self.config.vision_config.patch_size
        beyond = [found - asked for found, asked in zip(fine.shape[-2:], size, strict=True)]
        if all(0 <= rest < patch for rest in beyond):  # whole cells: a part lies beyond the image
            return Output(fine[:, 0, : size[0], : size[1]])
        return Output(self.enlarge(fine, size)[:, 0])

    def cell_logits(self, fused: Maps, text: TextFeatures) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of CLIP's grid."""
        h, w = fused[0].shape[-2:]
        return self(fused, text, (h, w)).logits

    def _fine_logits(
        self, fused: Maps, text: TextFeatures
    ) -> Float[Tensor, " expressions 1 fine_h fine_w"]:
        network = self.network
        dtype, sentence = network.film_mul.weight.dtype, text.sentence
        count = len(network.layers)
        h, w = fused[0].shape[-2:]
        tokens: Tensor | None = None
        for number in range(count):
            cells, beside = fused[count - 1 - number], fused[2 * count - 1 - number]
            state = torch.cat([beside.flatten(2), cells.flatten(2)], 2).transpose(1, 2)
            reduced = network.reduces[number](state.to(dtype))
            tokens = reduced if tokens is None else reduced + tokens
            if number == network.conditional_layer:
                scale, shift = (
                    film(sentence.to(dtype))[:, None]
                    for film in (network.film_mul, network.film_add)
                )
                tokens = scale * tokens + shift
            tokens = apply_layer(network.layers[number], tokens, self.options)
        assert tokens is not None
        fine = tokens[:, 1:].transpose(1, 2).unflatten(2, (h, w))
        last = network.transposed_convolution
        for layer in last if isinstance(last, nn.Sequential) else [last]:
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                fine = in_full_precision(layer, fine)
            else:
                fine = layer(fine)
        return fine

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the architecture is given, in place of the files behind `name`."""
        return arguments.get("architecture") is not None

    def portable_arguments(self) -> dict[str, Any]:
        """The architecture in place of the files behind `name`."""
        return {"architecture": plain_config(self.config)}


def _decoder(name: str, config: PreTrainedConfig, pretrained: bool) -> Any:  # noqa: ANN401 - the transformers library has no types
    """The library's decoder, whose class it does not export."""
    kind = import_transformers().CLIPSegForImageSegmentation
    if pretrained:
        # The library would leave a decoder without weights at random.
        saved = config.architectures or [kind.__name__]
        if kind.__name__ not in saved:
            raise ConfigError(
                f"Expected a CLIPSeg with its decoder ({kind.__name__}), got '{name}' "
                f"({', '.join(saved)})."
            )
        small = with_one_layer_of(config, "text_config", "vision_config")
        return load_pretrained(kind, name, small, is_part=True).decoder
    return import_module("transformers.models.clipseg.modeling_clipseg").CLIPSegDecoder(config)


def _check_input(dims: Sequence[int], sentence_dim: int, config: PreTrainedConfig) -> None:
    """Make sure that maps and sentence are those of a CLIPSeg."""
    expected = (config.vision_config.hidden_size,) * (2 * len(config.extract_layers))
    if tuple(dims) != expected:
        raise ConfigError(
            f"ClipSegDecoder decodes maps of {expected} channels, which ClipSegBackbone with "
            f"NoFusion gives, got {tuple(dims)}; choose these parts, of the same name."
        )
    if sentence_dim != config.projection_dim:
        raise ConfigError(
            f"ClipSegDecoder hears sentences of {config.projection_dim} numbers, got "
            f"{sentence_dim}; choose TransformersEncoder of the same name with sentence: "
            "projection."
        )

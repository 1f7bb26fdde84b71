"""The stages of a Swin transformer one by one, so that a fusion can speak between them."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from refseg.models.backbones.base import Stage


def swin_stem(
    trunk: Any,  # noqa: ANN401 - the transformers library has no types
    pixels: Float[Tensor, " images 3 height width"],
) -> Float[Tensor, " images dim h w"]:
    """The embedded patches.

    Args:
        trunk: a `SwinBackbone` of the transformers library.
        pixels: normalised; padded with zeros to whole patches.
    """
    tokens, (h, w) = trunk.swin.embeddings(pixels)
    return _as_map(tokens, h, w)


def swin_stages(trunk: Any) -> Sequence[Stage]:  # noqa: ANN401 - as above
    """What follows, map -> map: the blocks of each stage, after the merging that leads to it.

    The library merges at the end of a stage. Here the merging belongs to the next one, so that what
    is said after a stage goes into it.

    Args:
        trunk: a `SwinBackbone` of the transformers library, whose modules these use.
    """
    layers = trunk.swin.encoder.layers
    return [
        _Stage(layers[number - 1] if number else None, layers[number])
        for number in range(len(layers))
    ]


class _Stage:
    def __init__(self, before: Any, layer: Any) -> None:  # noqa: ANN401 - as above
        self.before, self.layer = before, layer

    def __call__(self, seen: Tensor) -> Tensor:
        h, w = seen.shape[-2:]
        tokens = seen.flatten(2).transpose(1, 2)
        if self.before is not None:
            tokens = self.before.downsample(tokens, (h, w))
            h, w = (h + 1) // 2, (w + 1) // 2
        for block in self.layer.blocks:
            tokens = block(tokens, (h, w), always_partition=True)[0]
        return _as_map(tokens, h, w)


def _as_map(
    tokens: Float[Tensor, " images cells dim"], h: int, w: int
) -> Float[Tensor, " images dim h w"]:
    return tokens.transpose(1, 2).unflatten(2, (h, w))

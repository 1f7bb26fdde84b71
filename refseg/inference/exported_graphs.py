"""The two halves of a network as programs of `torch.export`.

The first half is what the words do not change: image -> maps. The second half is the rest: (maps,
words) -> logits.
"""

import warnings
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from refseg.errors import ConfigError
from refseg.geometry import Geometry
from refseg.models.segmenter import Segmenter
from refseg.types import Batch, Maps


class Graphs(NamedTuple):
    """The two halves of a network, as torch exports them.

    Args:
        features: `images` [images 3 size size], 8-bit RGB -> the maps that do not depend on words.
        logits: (the maps, `tokens` and `token_mask` [expressions words], `image_index`
            [expressions]) -> logits [expressions size size].
        maps: what `features` gives for two images.
    """

    features: ExportedProgram
    logits: ExportedProgram
    maps: Maps


def export_halves(segmenter: Segmenter, image_size: int, max_words: int) -> Graphs:
    """The two halves of a network as programs of `torch.export`.

    They are for any number of images and expressions, and for sentences of 1 to `max_words` tokens.
    Where a fusion speaks between the stages of the backbone, the first half ends before the first
    of its sites, and the second half has the stages that follow.

    Args:
        segmenter: on the CPU; it is exported as it evaluates.
        image_size: side of the network's square, pixels.
        max_words: of the tokenizer.

    Raises:
        ConfigError: a part cannot be exported.
    """
    was_training = segmenter.training
    segmenter.eval()
    sees, answers = _Sees(segmenter), _Answers(segmenter, image_size)
    length = min(max(2, max_words - 1), 5)  # torch takes a size of 1 for a number that stays
    pixels = torch.randint(0, 256, (2, 3, image_size, image_size), dtype=torch.uint8)
    token_mask = torch.arange(length) < torch.tensor([length, length - 1, 1])[:, None]
    tokens = torch.ones(3, length, dtype=torch.int64) * token_mask
    text = tokens, token_mask, torch.tensor([0, 1, 0])
    image_rows, rows = Dim("images", min=1), Dim("expressions", min=1)
    columns = {1: Dim("words", min=1, max=max_words)} if max_words > 2 else {}
    shapes = ({0: rows, **columns}, {0: rows, **columns}, {0: rows})
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own LSTM
            maps: Maps = sees(pixels)
            return Graphs(
                torch.export.export(sees, (pixels,), dynamic_shapes=({0: image_rows},)),
                torch.export.export(
                    answers,
                    (maps, *text),
                    dynamic_shapes=(tuple({0: image_rows} for _ in maps), *shapes),
                ),
                maps,
            )
    except Exception as error:  # of torch, which has many, and of parts that are not ours
        reason = " ".join(str(error).split())[:300]
        parts = segmenter.backbone, segmenter.text_encoder, segmenter.fusion, segmenter.decoder
        raise ConfigError(
            f"The network ({', '.join(type(part).__name__ for part in parts)}) cannot be exported: "
            f"{type(error).__name__}: {reason}"
        ) from error
    finally:
        segmenter.train(was_training)


class _Sees(nn.Module):
    """The first half of a network."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, images: UInt8[Tensor, " images 3 size size"]) -> Maps:
        nobody = torch.zeros(0, dtype=torch.int64)
        return self.segmenter.see(_batch(images, nobody[:, None], nobody[:, None] > 0, nobody, ()))


class _Answers(nn.Module):
    """The second half of a network."""

    def __init__(self, segmenter: Segmenter, image_size: int) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.geometry = Geometry.letterbox(image_size, image_size, image_size)

    def forward(
        self,
        maps: Maps,
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions size size"]:
        batch = _batch(None, tokens, token_mask, image_index, (self.geometry,))
        return self.segmenter.answer(maps, batch, image_index).segmentation()


def _batch(
    images: Tensor | None,
    tokens: Tensor,
    token_mask: Tensor,
    image_index: Tensor,
    geometries: tuple[Geometry, ...],
) -> Batch:
    """What `Segmenter` asks for; of the size of the images, the geometry tells."""
    return Batch(images, tokens, token_mask, image_index, None, (), (), (), geometries, ())

"""The nouns of refseg: what travels between files, networks and figures.

Axes are named once and kept: ``images expressions words`` count things, ``word_dim sentence_dim
dim`` are channels, ``h w`` is the feature grid and ``height width`` are pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from refseg.geometry import Geometry

Maps = tuple[Float[Tensor, " _ _ _ _"], ...]
"""Grids of feature vectors, [_ dim h w] each, from fine to coarse. They have a row per image or,
once words and pixels are fused, a row per expression."""

_NOWHERE = -1e4  # a logit whose probability is 0; finite, so that it can be interpolated


class RunLengths(NamedTuple):
    """A mask in COCO's compressed run-length encoding, in the image's own size.

    Args:
        height: pixels.
        width: pixels.
        counts: the compressed counts, as `pycocotools.mask.encode` returns them.
    """

    height: int
    width: int
    counts: bytes


@dataclass
class Sample:
    """One image with the expressions that are asked of it, and the mask each of them names.

    Args:
        image: RGB, 0–255, in its own size or, after the transform, in network size; None where
            `features` stand for it.
        masks: one per expression, in the same size as `image`.
        expressions: the sentences, as the annotators wrote them.
        expression_ids: the data set's id of each expression (unique within a data set).
        truths: the mask of each expression in the image's own size, whatever the transform did.
        image_path: where the image was read from; used in messages.
        geometry: how `image` was fitted into the network's square; None before that.
        features: what the frozen trunk of a backbone makes of the fitted image, where that is kept
            on disk (`refseg data features`).
        is_mirrored: whether image, masks and sentences are mirrored, left for right.
    """

    image: UInt8[np.ndarray, "height width 3"] | None
    masks: Bool[np.ndarray, "expressions height width"]
    expressions: tuple[str, ...]
    expression_ids: tuple[int, ...]
    truths: tuple[RunLengths, ...]
    image_path: str
    geometry: Geometry | None = None
    features: tuple[Float[Tensor, " _ _ _"], ...] | None = None
    is_mirrored: bool = False


@dataclass
class Batch:
    """Images with the expressions of all of them in one flat list.

    Args:
        images: RGB, 0–255; a backbone normalises for itself. None where `features` stand for them.
        tokens: token ids, padded on the right.
        token_mask: True at a word, False at padding.
        image_index: which of `images` each expression looks at.
        masks: the segmentations in network size, or None where nothing is known (`segment`).
        expressions: the sentences.
        expression_ids: as in `Sample`.
        truths: the segmentations in each image's own size.
        geometries: per image, the way back to its own size.
        image_paths: per image, for messages and figures.
        features: what the frozen trunk of the backbone makes of the images, read from disk: one map
            or several.
    """

    images: UInt8[Tensor, " images 3 height width"] | None
    tokens: Int64[Tensor, " expressions words"]
    token_mask: Bool[Tensor, " expressions words"]
    image_index: Int64[Tensor, " expressions"]
    masks: Bool[Tensor, " expressions height width"] | None
    expressions: tuple[str, ...]
    expression_ids: tuple[int, ...]
    truths: tuple[RunLengths, ...]
    geometries: tuple[Geometry, ...]
    image_paths: tuple[str, ...]
    features: tuple[Float[Tensor, " images _ _ _"], ...] | None = None

    def __len__(self) -> int:
        """Number of expressions."""
        return len(self.expressions)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network works in, pixels."""
        if self.images is not None:
            height, width = self.images.shape[-2:]
            return height, width
        return self.geometries[0].size, self.geometries[0].size

    def _map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {
            name: function(value) for name, value in values.items() if isinstance(value, Tensor)
        }
        if self.features is not None:
            changed["features"] = tuple(map(function, self.features))
        return replace(self, **changed)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """The same batch with its tensors on `device`; ids and sentences stay where they are."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def select(self, expressions: Sequence[int]) -> "Batch":
        """The same batch with some of its expressions only, in this order, and their images."""
        chosen = torch.as_tensor(expressions, device=self.image_index.device)
        images, image_index = self.image_index[chosen].unique(return_inverse=True)
        token_mask = self.token_mask[chosen]
        read = token_mask.any(0)  # without the padding that only others needed
        return replace(
            self,
            images=None if self.images is None else self.images[images],
            features=None if self.features is None else tuple(f[images] for f in self.features),
            tokens=self.tokens[chosen][:, read],
            token_mask=token_mask[:, read],
            image_index=image_index,
            masks=None if self.masks is None else self.masks[chosen],
            expressions=tuple(self.expressions[i] for i in expressions),
            expression_ids=tuple(self.expression_ids[i] for i in expressions),
            truths=tuple(self.truths[i] for i in expressions) if self.truths else (),
            geometries=tuple(self.geometries[i] for i in images.tolist()),
            image_paths=tuple(self.image_paths[i] for i in images.tolist()),
        )

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory (called by the data loader)."""
        return self._map(lambda tensor: tensor.pin_memory())


@dataclass
class TextFeatures:
    """What a text encoder made of a batch of expressions.

    It carries words **and** sentence: the mLSTM reads words, the LSTM-CNN reads the sentence.

    Args:
        words: one vector per word; values at padding are unspecified.
        sentence: one vector per expression.
        token_mask: True at a word, False at padding.
    """

    words: Float[Tensor, " expressions words word_dim"]
    sentence: Float[Tensor, " expressions sentence_dim"]
    token_mask: Bool[Tensor, " expressions words"]


WORDS = "words"
"""Name of an auxiliary output: a logit for each word of the vocabulary in each cell of a map that
no word has gone into, `[expressions vocabulary h w]`."""

MINIMAP = "minimap"
"""Name of an auxiliary output: a logit for each cell of a coarse grid over the whole image, above 0
where the mask covers it, `[expressions rows columns]`."""


GRID_LOGITS = "grid_logits"
"""Name of an auxiliary output: the logits of the decoder's own grid, before they are enlarged to
network size, `[expressions h w]`."""


@dataclass
class Output:
    """What a network answers to a batch; a loss is given all of it.

    Args:
        logits: in network size, before the sigmoid.
        no_target: above 0 where nothing in the image is meant; None: the network does not say.
        auxiliary: what else a loss of the same system asks for, by name.
    """

    logits: Float[Tensor, " expressions height width"]
    no_target: Float[Tensor, " expressions"] | None = None
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def nothing(self) -> Bool[Tensor, " expressions"] | None:
        """Where nothing in the image is meant; None: the network does not say."""
        return None if self.no_target is None else self.no_target > 0

    def segmentation(self) -> Float[Tensor, " expressions height width"]:
        """The logits in float32, far below 0 everywhere for an expression that means nothing."""
        logits = self.logits.float()
        if self.nothing is None:
            return logits
        return torch.where(self.nothing[:, None, None], _NOWHERE, logits)

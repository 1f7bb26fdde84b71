"""From samples to one batch with a flat list of expressions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import default_collate

from refseg.data.tokenizers import Tokenizer
from refseg.types import Batch, Sample

if TYPE_CHECKING:
    from refseg.geometry import Geometry


def collate(samples: Sequence[Sample], tokenizer: Tokenizer) -> Batch:
    """Put transformed samples together; `image_index` says which image each expression looks at.

    Args:
        samples: at least one, all in the same network size.
        tokenizer: with its vocabulary.

    Raises:
        DataError: an expression has no word.
    """
    expressions = tuple(expression for sample in samples for expression in sample.expressions)
    tokens, token_mask = tokenizer.encode(expressions)
    images = [sample.image for sample in samples if sample.image is not None]
    features = [sample.features for sample in samples if sample.features is not None]
    counts = torch.tensor([len(sample.expressions) for sample in samples])
    return Batch(
        images=stack_images(images) if images else None,
        tokens=torch.from_numpy(tokens),
        token_mask=torch.from_numpy(token_mask),
        image_index=torch.repeat_interleave(torch.arange(len(samples)), counts),
        masks=_stacked([torch.from_numpy(mask) for sample in samples for mask in sample.masks]),
        expressions=expressions,
        expression_ids=tuple(number for sample in samples for number in sample.expression_ids),
        truths=tuple(truth for sample in samples for truth in sample.truths),
        geometries=tuple(cast("Geometry", sample.geometry) for sample in samples),
        image_paths=tuple(sample.image_path for sample in samples),
        features=tuple(map(_stacked_levels, zip(*features, strict=True))) if features else None,
    )


def stack_images(
    images: Sequence[UInt8[np.ndarray, " height width 3"]],
) -> UInt8[Tensor, " images 3 height width"]:
    """Images as a batch, colours last in memory, which convolutions on a CPU are fastest with.

    Networks go on in the layout in memory that they are given, and the last bits of what they
    compute depend on it: whatever makes a batch of images, makes it here.

    Args:
        images: of equal size.
    """
    return _stacked([torch.from_numpy(image) for image in images]).permute(0, 3, 1, 2)


def _stacked_levels(
    levels: Sequence[Float[Tensor, " channels h w"]],
) -> Float[Tensor, " images channels h w"]:
    """Maps as a batch, in the layout of the maps."""
    if all(level.permute(1, 2, 0).is_contiguous() for level in levels):
        return _stacked([level.permute(1, 2, 0) for level in levels]).permute(0, 3, 1, 2)
    return _stacked(levels)


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Stack tensors; in a worker, directly into memory shared with the main process."""
    stacked: Tensor = default_collate([*tensors])
    return stacked

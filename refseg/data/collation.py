"""From samples to one batch with a flat list of expressions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info

from refseg.data.freed_memory import give_back
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
    counts = torch.tensor([len(sample.expressions) for sample in samples])
    return Batch(
        images=_stacked([sample.image.transpose(2, 0, 1) for sample in samples]),
        tokens=torch.from_numpy(tokens),
        token_mask=torch.from_numpy(token_mask),
        image_index=torch.repeat_interleave(torch.arange(len(samples)), counts),
        masks=_stacked([mask for sample in samples for mask in sample.masks]),
        expressions=expressions,
        expression_ids=tuple(number for sample in samples for number in sample.expression_ids),
        truths=tuple(truth for sample in samples for truth in sample.truths),
        geometries=tuple(cast("Geometry", sample.geometry) for sample in samples),
        image_paths=tuple(sample.image_path for sample in samples),
    )


def _stacked(arrays: Sequence[np.ndarray]) -> Tensor:
    """In a worker, straight into the memory that it shares with the main process."""
    stacked: Tensor = default_collate([torch.from_numpy(array) for array in arrays])
    return stacked


class Collate:
    """`collate` with its tokenizer, in a form that worker processes can be given.

    Args:
        tokenizer: with its vocabulary.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """Put samples together; a worker process then gives back what it needed for them."""
        batch = collate(samples, self.tokenizer)
        if get_worker_info() is not None:
            give_back()
        return batch

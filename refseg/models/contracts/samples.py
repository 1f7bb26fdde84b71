"""Batches of random images and words, and random features of them."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from refseg.geometry import Geometry
from refseg.types import Batch, Maps, RunLengths, TextFeatures

VOCAB_SIZE = 50
WORD_DIM, SENTENCE_DIM = 7, 5
DIMS = (8, 9)
"""Channels of `make_maps`."""


def make_batch(
    lengths: Sequence[int] = (3, 5, 1),
    image_index: Sequence[int] = (0, 1, 0),
    size: tuple[int, int] = (64, 64),
    seed: int = 0,
) -> Batch:
    """Random images, and expressions of the given lengths that look at the given images."""
    generator = torch.Generator().manual_seed(seed)
    images, words = max(image_index) + 1, max(lengths)
    tokens = torch.randint(3, VOCAB_SIZE, (len(lengths), words), generator=generator)
    token_mask = torch.arange(words) < torch.tensor(lengths)[:, None]
    pixels = torch.randint(0, 256, (images, 3, *size), generator=generator, dtype=torch.uint8)
    return Batch(
        images=pixels,
        tokens=tokens * token_mask,
        token_mask=token_mask,
        image_index=torch.tensor(image_index),
        masks=torch.zeros(len(lengths), *size, dtype=torch.bool),
        expressions=tuple("a" for _ in lengths),
        expression_ids=tuple(range(len(lengths))),
        truths=tuple(RunLengths(*size, b"") for _ in lengths),
        geometries=tuple(Geometry.letterbox(*size, max(size)) for _ in range(images)),
        image_paths=tuple(f"{image}.jpg" for image in range(images)),
    )


def make_text(
    lengths: Sequence[int],
    word_dim: int = WORD_DIM,
    sentence_dim: int = SENTENCE_DIM,
    seed: int = 0,
) -> TextFeatures:
    """Random text features of expressions of the given lengths."""
    generator = torch.Generator().manual_seed(seed)
    words = max(lengths)
    return TextFeatures(
        words=torch.randn(len(lengths), words, word_dim, generator=generator),
        sentence=torch.randn(len(lengths), sentence_dim, generator=generator),
        token_mask=torch.arange(words) < torch.tensor(lengths)[:, None],
    )


def make_maps(images: int) -> Maps:
    """A fine map, which fusions of one map let pass by, and a coarse one."""
    generator = torch.Generator().manual_seed(2)
    fine, coarse = DIMS
    return (
        torch.randn(images, fine, 6, 8, generator=generator),
        torch.randn(images, coarse, 3, 4, generator=generator),
    )


def with_padding(batch: Batch, columns: int) -> Batch:
    """The same batch, changed: with more padding, under which stand arbitrary words."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, VOCAB_SIZE, batch.tokens.shape, generator=generator)
    tokens = torch.where(batch.token_mask, batch.tokens, tokens)
    more = torch.randint(0, VOCAB_SIZE, (len(tokens), columns), generator=generator)
    batch.tokens = torch.cat([tokens, more], dim=1)
    batch.token_mask = functional.pad(batch.token_mask, (0, columns))
    return batch

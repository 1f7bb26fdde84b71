"""Reading photographs, masks and sentences, beside the usual way and beside decoding alone."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from refseg.benchmarks.turns import (
    Spread,
    clock_of,
    computing_threads,
    ratios,
    seconds_in_turns,
)
from refseg.data import References, ReferringDataset, Transform, collate
from refseg.data.images import read_encoded
from refseg.data.tokenizers import Tokenizer

BATCH = 8
"""Images of a batch; the usual way makes batches of as many sentences."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


class Sentence(NamedTuple):
    """What the usual data set class gives for a sentence.

    Args:
        image: of shape (3, size, size), normalised.
        mask: of shape (size, size).
        tokens: of shape (words).
        token_mask: of shape (words).
    """

    image: Tensor
    mask: Tensor
    tokens: Tensor
    token_mask: Tensor


class UsualDataset(Dataset[Sentence]):
    """A sentence per item, for which its photograph is decoded, and its mask expanded, anew.

    As the data set classes do that are built on REFER's `getMask`, but for the drawing of polygons,
    which is spared here: the mask is given as run lengths.

    Args:
        references: the rows.
        tokenizer: with its vocabulary.
        image_size: side of the square, pixels.
    """

    def __init__(self, references: References, tokenizer: Tokenizer, image_size: int) -> None:
        self.references, self.size = references, image_size
        self.paths = references.table["image_path"].to_pylist()
        self.sentences = references.expressions.to_pylist()
        self.tokens, self.token_mask = tokenizer.encode(self.sentences)

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self.sentences)

    def __getitem__(self, index: int) -> Sentence:
        """Decode, scale into the square, normalise."""
        image = _opened(self.paths[index]).convert("RGB")
        mask = Image.fromarray(self.get_mask(index))
        scale = self.size / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        corner = (self.size - width) // 2, (self.size - height) // 2
        square = Image.new("RGB", (self.size, self.size))
        square.paste(image.resize((width, height), Image.Resampling.BILINEAR), corner)
        mask_square = Image.new("L", (self.size, self.size))
        mask_square.paste(mask.resize((width, height), Image.Resampling.NEAREST), corner)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous().float() / 255
        mean, std = (torch.tensor(values)[:, None, None] for values in (_MEAN, _STD))
        return Sentence(
            (pixels - mean) / std,
            torch.from_numpy(np.array(mask_square)).long(),
            torch.from_numpy(self.tokens[index]),
            torch.from_numpy(self.token_mask[index]),
        )

    def get_mask(self, index: int) -> np.ndarray:
        """REFER's, from run lengths: 0 and 1, in the photograph's own size."""
        height, width, counts = self.references.truth(index)
        parts = coco.decode([{"size": [height, width], "counts": counts}])
        return np.sum(parts, axis=2).astype(np.uint8)


@dataclass(frozen=True)
class LoadingFigures:
    """What reading takes.

    Args:
        images: that were read in a round.
        expressions: of them.
        ours: seconds of computing, for all.
        usual: seconds of the usual way.
        decoding: seconds that the photographs alone take, each decoded once.
        speedup: times that the usual way takes longer than ours.
        to_limit: times that ours takes longer than decoding.
    """

    images: int
    expressions: int
    ours: Spread
    usual: Spread
    decoding: Spread
    speedup: Spread
    to_limit: Spread


def measure_loading(
    references: References,
    tokenizer: Tokenizer,
    transform: Transform,
    images: int,
    rounds: int = 3,
    say: Callable[[str], None] = lambda text: None,
) -> LoadingFigures:
    """Let one process read images with all of their expressions, in three ways that take turns.

    Ours reads an image once for all of its expressions. What is measured is computing: waiting for
    a disk is left out, and the first round of all, which warms up, fills the file cache.

    Args:
        references: whose first images are read.
        tokenizer: with its vocabulary.
        transform: without augmentation.
        images: that are read, at most.
        rounds: of measuring.
        say: called with what is done next.
    """
    rows, offsets = references.images()
    images = min(images, len(offsets) - 1)
    chosen = references.select(np.sort(rows[: offsets[images]]))
    dataset = ReferringDataset(chosen, transform, max_expressions=len(chosen))
    usual = UsualDataset(chosen, tokenizer, transform.image_size)
    paths = dataset.image_paths()

    def read() -> None:
        for batch in _batches(len(dataset)):
            collate([dataset[item] for item in batch], tokenizer)

    def read_as_usual() -> None:
        for batch in _batches(len(usual)):
            default_collate([usual[item] for item in batch])

    def decode() -> None:
        for path in paths:
            with _opened(path) as image:
                image.load()

    place = torch.device("cpu")
    with _as_in_a_worker():
        times = seconds_in_turns(
            [read, read_as_usual, decode], rounds, place, clock_of(1, place), say
        )
    ours, slow, limit = times
    return LoadingFigures(
        images=images,
        expressions=len(chosen),
        ours=Spread.of(ours),
        usual=Spread.of(slow),
        decoding=Spread.of(limit),
        speedup=ratios(slow, ours),
        to_limit=ratios(ours, limit),
    )


def _opened(path: str) -> Image.Image:
    return Image.open(BytesIO(read_encoded(path)))


def _batches(items: int) -> Iterator[Sequence[int]]:
    for first in range(0, items, BATCH):
        yield range(first, min(first + BATCH, items))


@contextmanager
def _as_in_a_worker() -> Iterator[None]:
    """One thread; and without pycocotools' warning of what numpy will not do for it some day."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        with computing_threads(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        cv2.setNumThreads(threads)

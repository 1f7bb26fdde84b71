"""Images with their expressions, for a data loader."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch.utils.data import Dataset

from refseg.data.features import FeatureStore, mirrored
from refseg.data.images import read_image
from refseg.data.orientation import Size
from refseg.data.references import References
from refseg.errors import ConfigError, DataError
from refseg.masks import masks_of
from refseg.types import RunLengths, Sample

PerImage = int | Literal["all", "one_per_reference"]
"""How many of an image's expressions are drawn at each visit, or which make an item."""

_TRUTH = ["height", "width", "rle"]
_COLUMNS = ["image_path", "expression", "expression_id", *_TRUTH]  # of a sample, read at once


class ReferringDataset(Dataset[Sample]):
    """One image with some or all of its expressions per item.

    With a number of expressions per image, an item is an image, and each visit draws that many of
    its expressions at random, without repetition (all, where it has fewer): an epoch sees each
    image once. With all of them, each expression is seen once per epoch, and an image
    with more than `max_expressions` is split over several items, so that memory stays bounded.
    With `one_per_reference`, an item is a reference, and each visit draws one of its expressions:
    an epoch sees each object once, as in the code of LAVT and CRIS.

    An image is turned upright as its EXIF orientation says, unless its masks have the size as
    stored (`Orientation`).

    Args:
        references: the rows of the chosen splits.
        transform: what becomes of each sample (`Transform`).
        expressions_per_image: how many are drawn per visit, `all`, or `one_per_reference`.
        max_expressions: at most so many per item when `expressions_per_image` is `all`.
        features: read in place of the images, which are opened only to tell them by their content.
    """

    def __init__(
        self,
        references: References,
        transform: Callable[[Sample], Sample],
        expressions_per_image: PerImage = "all",
        max_expressions: int = 16,
        features: FeatureStore | None = None,
    ) -> None:
        if isinstance(expressions_per_image, int) and expressions_per_image < 1:
            raise ConfigError(
                "Expected expressions_per_image to be 'all', 'one_per_reference' or a number of at "
                f"least 1, got {expressions_per_image}."
            )
        if max_expressions < 1:
            raise ConfigError(f"Expected max_expressions of at least 1, got {max_expressions}.")
        self.references = references
        self.transform = transform
        self.expressions_per_image = expressions_per_image
        is_by_reference = expressions_per_image == "one_per_reference"
        self._rows, offsets = (references.by_reference if is_by_reference else references.images)()
        if expressions_per_image == "all":
            offsets = _chunked(offsets, max_expressions)
        self._offsets = offsets
        self.features = features
        self._digests = None if features is None else features.locate(*self._images())

    def __len__(self) -> int:
        """Number of images, more where they are split over several items; or of references."""
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> Sample:
        """Read the image or its features, choose its expressions, decode their masks, transform.

        Raises:
            DataError: the image is missing, broken, or not of the size that its record says; or it
                has no features.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        rows = self._rows[self._offsets[index] : self._offsets[index + 1]]
        if self.expressions_per_image != "all":
            count = 1 if isinstance(self.expressions_per_image, str) else self.expressions_per_image
            drawn = torch.randperm(len(rows))[:count].numpy()
            rows = rows[np.sort(drawn)]
        if self.features is None or self._digests is None:
            return self.transform(self.read(rows))
        sample = self.transform(self._described(rows))
        digest = self._digests[index].tobytes()
        digest = mirrored(digest) if sample.is_mirrored else digest
        return replace(sample, features=self.features.read(digest, sample.image_path))

    def image_paths(self) -> list[str]:
        """The path of each item's image."""
        return self._images()[0]

    def _images(self) -> tuple[list[str], list[Size]]:
        return _paths_and_sizes(self.references, self._rows[self._offsets[:-1]])

    def read(self, rows: Int64[np.ndarray, " expressions"]) -> Sample:
        """The sample of some rows of one image, before the transform.

        Args:
            rows: at least one; all of the same image.

        Raises:
            DataError: the image is missing, broken, or not of the size that its record says.
        """
        sample = self._described(rows)
        image = _read_checked(self.references, int(rows[0]), sample.image_path, sample.truths[0])
        return replace(sample, image=image)

    def _described(self, rows: Int64[np.ndarray, " expressions"]) -> Sample:
        """The sample without its image."""
        chosen = self.references.take(rows, _COLUMNS)
        truths = tuple(map(RunLengths, *(chosen[name].to_pylist() for name in _TRUTH)))
        return Sample(
            image=None,
            masks=masks_of(truths),
            expressions=tuple(chosen["expression"].to_pylist()),
            expression_ids=tuple(chosen["expression_id"].to_pylist()),
            truths=truths,
            image_path=chosen["image_path"][0].as_py(),
        )


def annotated_images(references: References) -> tuple[list[str], list[Size]]:
    """The path of each image and the size that its annotations say, in order of appearance."""
    rows, offsets = references.images()
    return _paths_and_sizes(references, rows[offsets[:-1]])


def _paths_and_sizes(
    references: References, rows: Int64[np.ndarray, " images"]
) -> tuple[list[str], list[Size]]:
    table = references.take(rows, ["image_path", "height", "width"])
    paths, heights, widths = (table[name].to_pylist() for name in table.column_names)
    return paths, list(zip(heights, widths, strict=True))


def read_annotated_image(references: References, row: int) -> UInt8[np.ndarray, " height width 3"]:
    """Read the image that a row is about.

    Args:
        references: the rows.
        row: 0 is the first one.

    Raises:
        DataError: the image is missing, broken, or not of the size that its record says.
    """
    path = references.take(np.array([row]), ["image_path"])["image_path"][0].as_py()
    return _read_checked(references, row, path, references.truth(row))


def _read_checked(
    references: References, row: int, path: str, truth: RunLengths
) -> UInt8[np.ndarray, " height width 3"]:
    """The image of a row, which has to have the size of the row's mask."""
    try:
        image = read_image(path, (truth.height, truth.width))
    except DataError as error:
        raise DataError(f"{references.record(row)}: {error}") from None
    height, width = image.shape[:2]
    if (height, width) != (truth.height, truth.width):
        raise DataError(
            f"{references.record(row)}: the image {path} has {width} × {height} pixels, but its "
            f"record says {truth.width} × {truth.height}; it is not the image that was annotated: "
            "replace it by the original."
        )
    return image


def _chunked(
    offsets: Int64[np.ndarray, " images_and_one"], size: int
) -> Int64[np.ndarray, " items_and_one"]:
    """Offsets of groups, with large groups split so that none has more than `size` rows."""
    starts = [np.arange(start, stop, size, dtype=np.int64) for start, stop in pairwise(offsets)]
    return np.concatenate([*starts, offsets[-1:]])

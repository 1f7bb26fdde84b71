"""Each image of a data set once, and mirrored where that is wanted, as a network gets it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset

from refseg.data.collation import stack_images
from refseg.data.dataset import annotated_images, read_annotated_image
from refseg.data.features.digests import ImageDigest, digest_of, mirrored
from refseg.data.images import read_encoded
from refseg.data.orientation import Size
from refseg.data.references import References
from refseg.data.transforms import Transform


class FittedImage(NamedTuple):
    """An image in the network's square.

    Args:
        path: of its file.
        digest: of its file.
        key: digest of the picture as it is read, and mirrored if it is.
        pixels: RGB, 0–255; a batch of one.
    """

    path: str
    digest: ImageDigest
    key: bytes
    pixels: UInt8[Tensor, " 1 3 size size"]


class FittedImages(Dataset[FittedImage]):
    """Images without their expressions.

    Args:
        tables: rows about the images, which may be about the same ones.
        transform: without augmentation.
        flipped: rows about images that come a second time, mirrored.
    """

    def __init__(
        self,
        tables: Sequence[References],
        transform: Transform,
        flipped: Sequence[References] = (),
    ) -> None:
        self.tables, self.transform = [*tables, *flipped], transform
        places: dict[tuple[str, Size, bool], tuple[int, int]] = {}
        for number, table in enumerate(self.tables):
            rows, offsets = table.images()
            images = zip(*annotated_images(table), strict=True)
            for image, row in zip(images, rows[offsets[:-1]].tolist(), strict=True):
                places.setdefault((*image, number >= len(tables)), (number, row))
        self.paths = [path for path, _, _ in places]
        self.sizes = [size for _, size, _ in places]
        self.are_mirrored = [is_mirrored for _, _, is_mirrored in places]
        self._places = [*places.values()]

    def leave_out(self, images: set[int]) -> None:
        """Leave out some images.

        Args:
            images: their numbers, from 0.
        """
        kept = [i for i in range(len(self)) if i not in images]
        self.paths = [self.paths[i] for i in kept]
        self.sizes = [self.sizes[i] for i in kept]
        self.are_mirrored = [self.are_mirrored[i] for i in kept]
        self._places = [self._places[i] for i in kept]

    def __len__(self) -> int:
        """Number of different images, where a mirror image is one of its own."""
        return len(self.paths)

    def __getitem__(self, index: int) -> FittedImage:
        """Read an image and fit it into the square.

        Raises:
            DataError: it is missing, broken, or not of the size that its record says.
        """
        number, row = self._places[index]
        path = self.paths[index]
        digest = digest_of(read_encoded(path))
        image = read_annotated_image(self.tables[number], row)
        key = digest.as_read(self.sizes[index])
        if self.are_mirrored[index]:
            image, key = np.ascontiguousarray(image[:, ::-1]), mirrored(key)
        geometry = self.transform.geometry_of(*image.shape[:2])
        fitted = geometry.apply_image(image, self.transform.fill)
        return FittedImage(path, digest, key, stack_images([fitted]))

"""The images of a data set, each once, as a network is to see them."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset

from refseg.data.collation import stack_images
from refseg.data.dataset import image_paths, read_annotated_image
from refseg.data.images import read_encoded
from refseg.data.references import References
from refseg.data.transforms import Transform
from refseg.geometry import Geometry


class FittedImage(NamedTuple):
    """An image in the network's square.

    Args:
        path: of its file.
        digest: SHA-256 of its file's bytes.
        pixels: RGB, 0–255; a batch of one.
    """

    path: str
    digest: bytes
    pixels: UInt8[Tensor, " 1 3 size size"]


class FittedImages(Dataset[FittedImage]):
    """Images without their expressions.

    Args:
        tables: rows about the images, which may be about the same ones.
        transform: without augmentation.
    """

    def __init__(self, tables: Sequence[References], transform: Transform) -> None:
        self.tables, self.transform = tables, transform
        places: dict[str, tuple[int, int]] = {}
        for number, table in enumerate(tables):
            rows, offsets = table.images()
            for path, row in zip(image_paths(table), rows[offsets[:-1]].tolist(), strict=True):
                places.setdefault(path, (number, row))
        self.paths, self._places = [*places], [*places.values()]

    def leave_out(self, paths: set[str]) -> None:
        """Forget some images.

        Args:
            paths: of their files.
        """
        kept = [i for i, path in enumerate(self.paths) if path not in paths]
        self.paths = [self.paths[i] for i in kept]
        self._places = [self._places[i] for i in kept]

    def __len__(self) -> int:
        """Number of different images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> FittedImage:
        """Read an image and fit it into the square.

        Raises:
            DataError: it is missing, broken, or not of the size that its record says.
        """
        number, row = self._places[index]
        path = self.paths[index]
        digest = sha256(read_encoded(path)).digest()
        image = read_annotated_image(self.tables[number], row)
        options = self.transform
        height, width = image.shape[:2]
        geometry = Geometry.letterbox(height, width, options.image_size, options.resampling)
        fitted = geometry.apply_image(image, options.fill)
        return FittedImage(path, digest, stack_images([fitted]))

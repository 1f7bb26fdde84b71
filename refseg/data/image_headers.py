"""Sizes of images from their headers."""

from pathlib import Path

from PIL import Image

from refseg.errors import DataError


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image as stored, pixels, from its header alone.

    Raises:
        DataError: the file is missing, or is no image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        raise DataError(f"The image {path} is absent; put it there, or correct the path.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"Cannot read the image {path} ({error}).") from None

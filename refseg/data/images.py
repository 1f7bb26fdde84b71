"""Image files, read as RGB."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from refseg.errors import DataError


def read_image(path: Path, *, upright: bool = False) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image file as RGB, 0–255, whatever it is stored as (grey, palette, CMYK, alpha, …).

    Args:
        path: any format that Pillow reads.
        upright: turn a photograph as its EXIF orientation says. A user's own photograph should be
            turned; an image of a data set should not, as its masks lie on the stored pixels.

    Raises:
        DataError: the file is missing, or is no image, or is cut short.
    """
    try:
        with Image.open(path) as image:
            turned = ImageOps.exif_transpose(image) if upright else image
            if turned.mode.startswith("I"):  # 16 bits per pixel, which convert() would clip
                grey = np.asarray(turned, np.float32) / 257
                turned = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
            return np.array(turned.convert("RGB"))
    except FileNotFoundError:
        raise DataError(f"The image {path} is absent; put it there, or correct the path.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"Cannot read the image {path} ({error}); it may have been cut short: download or copy "
            "it again."
        ) from None

"""Masks as image files: what is not black is the object."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image

from refseg.data.image_formats import open_image
from refseg.data.images import in_memory
from refseg.data.orientation import orientation_of, oriented
from refseg.errors import DataError

_LOSSLESS = ("PNG", "BMP", "TIFF", "GIF", "PPM")


def read_mask_file(
    path: Path, height: int, width: int, record: str
) -> Bool[np.ndarray, "{height} {width}"]:
    """Read a mask from an image file, in which the object is whatever is not 0.

    In a file with a palette it is whatever is not the palette's entry 0, as in Pascal VOC; in one
    with colours whatever is not black; and what is wholly transparent is background. It is turned
    by an EXIF orientation of its own, as its image is.

    Args:
        path: of a PNG or another lossless format; in a JPEG, black is not quite black.
        height: of the image, pixels.
        width: of the image, pixels.
        record: file and record that name the mask, for messages.

    Raises:
        DataError: the file is missing, broken, lossy, or of another size.
    """
    try:
        with open_image(in_memory(path)) as image:
            if image.format not in _LOSSLESS:
                raise DataError(
                    f"{record}: the mask {path} is a {image.format}, which changes its values; "
                    "save it as PNG."
                )
            own = orientation_of(image)
            if not own.fits((height, width)):
                raise DataError(
                    f"{record}: the mask {path} has {own.width} × {own.height} pixels, but its "
                    f"image has {width} × {height}; they must be the same."
                )
            values = np.asarray(oriented(image, (height, width)))
            bands = image.getbands()
    except FileNotFoundError:
        raise DataError(
            f"{record}: the mask {path} is absent; put it there, or correct the path."
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{record}: cannot read the mask {path} ({error}); it may have been cut short: save it "
            "again."
        ) from None
    if values.ndim == 2:
        return values != 0
    if bands[-1] in ("A", "a"):
        return (values[..., :-1] != 0).any(-1) & (values[..., -1] != 0)
    return (values != 0).any(-1)

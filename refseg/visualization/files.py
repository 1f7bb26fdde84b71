"""PNG files of pictures and masks."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from refseg.files import replacing


def write_png(
    path: Path, picture: UInt8[np.ndarray, " height width 3"] | UInt8[np.ndarray, " height width"]
) -> None:
    """Write a picture as a PNG file, which appears whole or not at all.

    Args:
        path: of the file; folders above it are made. It is a PNG file whatever its ending.
        picture: RGB or grey, 0–255.
    """
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def write_mask(path: Path, mask: Bool[np.ndarray, " height width"]) -> None:
    """Write a mask as a PNG file of one channel: 255 inside, 0 outside.

    Args:
        path: as in `write_png`.
        mask: in the size it shall have on disk.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "mask.png")
        >>> write_mask(path, np.array([[True, False]]))
        >>> np.asarray(Image.open(path)).tolist()
        [[255, 0]]
    """
    write_png(path, mask.astype(np.uint8) * np.uint8(255))

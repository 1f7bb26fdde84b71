"""Converts pixels of every mode to 8-bit RGB."""

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from refseg.errors import DataError

_WIDE_MODES = ("I", "F")  # and I;16, I;16B, …: more than 8 bits, which Pillow would clip


def rgb_of(image: Image.Image, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """The pixels of a PIL image as RGB, 0–255; transparency is dropped.

    Args:
        image: of any mode.
        name: how messages call it.

    Raises:
        DataError: its values have no known white.
        OSError, SyntaxError, ValueError: it is damaged.
    """
    if image.mode in _WIDE_MODES or image.mode.startswith("I;16"):
        return rgb_from_array(np.asarray(image), name)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow warns
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def rgb_from_array(
    values: Shaped[np.ndarray, "..."], name: str
) -> UInt8[np.ndarray, "height width 3"]:
    """Pixels as RGB, 0–255, from an array of whole numbers, fractions or booleans.

    White is 255 for 8 bits and 65535 for 16. Wider whole numbers do not say what white is: values
    up to 255 are taken for those of 8 bits, others up to 65535 for those of 16. Fractions are 0–1,
    or 0–255 where any is above 1. False is black.

    Args:
        values: of shape (height, width), or (height, width, channels) with 1 (grey), 3 (RGB) or 4
            (RGB and a transparency, which is dropped) channels.
        name: how messages call them.

    Raises:
        DataError: the shape or the values are others.

    Example:
        >>> rgb_from_array(np.array([[0.0, 0.2, 1.0]]), "it")[0].tolist()
        [[0, 0, 0], [51, 51, 51], [255, 255, 255]]
    """
    channels = values.shape[2] if values.ndim == 3 else 1
    if values.ndim not in (2, 3) or channels not in (1, 3, 4) or not values.size:
        raise DataError(
            f"{name} has pixels of shape {values.shape}; expected (height, width), or (height, "
            "width, channels) with 1, 3 or 4 channels."
        )
    colours = values.reshape(*values.shape[:2], channels)[..., : 3 if channels > 1 else 1]
    pixels = _eight_bits(colours, name)
    return pixels if channels > 1 else np.repeat(pixels, 3, axis=2)


def _eight_bits(
    values: Shaped[np.ndarray, "height width channels"], name: str
) -> UInt8[np.ndarray, "height width channels"]:
    kind, bits = values.dtype.kind, 8 * values.dtype.itemsize
    if kind == "b":
        return values.astype(np.uint8) * 255
    if kind == "u" and bits == 8:
        return values
    if kind in "iuf":
        lowest, highest = values.min(), values.max()  # not a number where any value is none
        if lowest >= 0:
            if kind in "iu" and (highest > 255 or (kind, bits) == ("u", 16)) and highest <= 65535:
                return (values.astype(np.float32) / 257).astype(np.uint8)
            if highest <= 255:
                scale = 255 if kind == "f" and highest <= 1 else 1
                return (values.astype(np.float64) * scale).round().astype(np.uint8)
        got = f"values from {lowest:g} to {highest:g}"
    else:
        got = "values that are no numbers"
    raise DataError(
        f"{name} has pixels of the kind {values.dtype.name} with {got}; expected whole numbers "
        "from 0 to 255 or 65535, or fractions from 0 to 1 or 255: scale them, or save the image "
        "with 8 bits."
    )

"""Sizes of images that can be, so that an absurd one never asks for memory."""

from refseg.errors import DataError

LONGEST_SIDE = 65_535
"""Pixels; no JPEG is larger."""

MOST_PIXELS = 178_956_970
"""Pillow refuses to open what is larger."""


def check_size(height: int, width: int, record: str) -> None:
    """Refuse an image size that no image has.

    Args:
        height: pixels.
        width: pixels.
        record: file and record that say so, for messages.

    Raises:
        DataError: a side is not positive, or the image is too large to exist.
    """
    if not (0 < height <= LONGEST_SIDE and 0 < width <= LONGEST_SIDE) or (
        height * width > MOST_PIXELS
    ):
        raise DataError(
            f"{record}: expected an image size of at most {MOST_PIXELS:,} pixels, got "
            f"{width} × {height}; correct it."
        )

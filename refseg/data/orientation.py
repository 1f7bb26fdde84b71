"""The orientation of an image: as its pixels are stored, or as its EXIF tag says to show it."""

import warnings
from typing import NamedTuple

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, TiffImageFile

Size = tuple[int, int]
"""Height and width, pixels."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings the stored pixels upright, by EXIF's number."""

_TURNS_BACK = _TURNS | {6: _TURNS[8], 8: _TURNS[6]}


class Orientation(NamedTuple):
    """How an image is stored and how it is meant to be seen.

    Viewers, browsers (since 2020) and annotation tools show a photograph as its EXIF orientation
    says, so that masks are drawn on the upright picture. Other programs ignore it: older browsers,
    in which most published sets were annotated, and scripts. The size of the annotations tells
    which of the two it was wherever a side turns with the picture. Where it does not (a square
    image, or one that is mirrored or stands on its head), the upright picture is the rule, whatever
    the data set; `refseg data verify` lists these images.

    Args:
        number: of EXIF, 1 to 8; 1 is stored as it is seen.
        height: of the upright picture, pixels.
        width: of the upright picture, pixels.

    Example:
        >>> held_sideways = Orientation(6, height=4000, width=3000)
        >>> held_sideways.is_upright((4000, 3000)), held_sideways.is_upright((3000, 4000))
        (True, False)
    """

    number: int
    height: int
    width: int

    @property
    def upright(self) -> Size:
        """The size of the picture as it is seen."""
        return self.height, self.width

    @property
    def stored(self) -> Size:
        """The size of the pixels as they are stored."""
        return (self.width, self.height) if self.number >= 5 else self.upright

    @property
    def is_ambiguous(self) -> bool:
        """Whether both orientations have the same size, so that a size cannot tell them apart."""
        return self.number != 1 and self.upright == self.stored

    def fits(self, size: Size) -> bool:
        """Whether the picture has this size in either orientation."""
        return size in (self.upright, self.stored)

    def is_upright(self, size: Size | None) -> bool:
        """Whether annotations of this size were made on the upright picture; so is None."""
        return size is None or size == self.upright or size != self.stored


def orientation_of(image: Image.Image) -> Orientation:
    """The orientation of an opened image, from its header alone.

    Like browsers, it does not look for what a PNG says after its pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF, which is no reason to see no picture
            number = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # whatever damaged EXIF makes Pillow stumble over
        number = 1
    if number not in _TURNS:
        return Orientation(1, image.height, image.width)
    width, height = image.size
    if isinstance(image, TiffImageFile):  # some versions of Pillow have turned the size already
        width, height = image.tag_v2[IMAGEWIDTH], image.tag_v2[IMAGELENGTH]
    return Orientation(number, width, height) if number >= 5 else Orientation(number, height, width)


def oriented(image: Image.Image, size: Size | None = None) -> Image.Image:
    """The picture upright, or as stored if annotations of this size were made on the stored pixels.

    Args:
        image: opened; its pixels are decoded.
        size: of the annotations; None: they are none, or were made on the upright picture.

    Raises:
        OSError, SyntaxError, ValueError: the image is damaged.
    """
    orientation = orientation_of(image)
    image.load()
    if orientation.number == 1:
        return image
    is_turned = isinstance(image, TiffImageFile)  # Pillow does it for TIFF, and for no other format
    wants = orientation.is_upright(size)
    if wants == is_turned:
        return image
    return image.transpose((_TURNS if wants else _TURNS_BACK)[orientation.number])

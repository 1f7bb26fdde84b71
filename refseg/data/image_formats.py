"""Opens image files, and says of those it cannot open what they are and what to do."""

import warnings
from importlib import import_module
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import IO, cast

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_CONVERT = "convert it to JPEG or PNG"
_BEGINNINGS = {
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"%PDF": "a PDF",
    b"<svg": "an SVG drawing",
    b"<!DOCTYPE": "a web page",
    b"<!doctype": "a web page",
    b"<html": "a web page",
}
_SAMPLE_FORMATS = {1: "bit whole numbers", 2: "bit signed numbers", 3: "bit fractions"}


class UnknownFormatError(UnidentifiedImageError):
    """A file seems complete, but is of a format that is not read; the message says what to do."""


def open_image(source: Path | BytesIO) -> Image.Image:
    """`PIL.Image.open` without the warning for large photographs, and for HEIC if possible.

    Pillow warns from 89 million pixels on and refuses from 179 million on. The refusal stays; the
    warning of an attack, at a photograph that is merely large, helps nobody.

    Args:
        source: a file, or its bytes in memory.

    Raises:
        UnknownFormatError: it is HEIC without pillow-heif, or another kind that Pillow cannot read.
        OSError, SyntaxError, ValueError: it is no image, or a damaged one.
    """
    try:
        return _open(source)
    except UnidentifiedImageError:
        with _bytes(source) as file:
            head = file.read(32)
            if head[4:8] == b"ftyp" and head[8:12] in _HEIC and _register_heic():
                return _open(source)
            described = _described(head, file)
    if described is None:  # Pillow's own words name an object in memory
        raise UnidentifiedImageError("it begins like no image that Pillow knows")
    raise UnknownFormatError(described)


def _open(source: Path | BytesIO) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # of damaged EXIF: the picture may be whole
        return Image.open(source)


def _bytes(source: Path | BytesIO) -> BufferedIOBase:
    return source.open("rb") if isinstance(source, Path) else BytesIO(source.getvalue())


def _register_heic() -> bool:
    """Let Pillow read HEIC, where pillow-heif is installed."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except (ImportError, AttributeError):
        return False
    return True


def _described(head: bytes, file: BufferedIOBase) -> str | None:
    """The kind of a file by its first bytes, and what to do; None if unknown."""
    if head[4:8] == b"ftyp":  # ISO's container of media
        brand = head[8:12]
        if brand in _HEIC:
            return (
                f"it is HEIC, as phones write it; {_CONVERT}, or install what reads it: pip "
                "install pillow-heif"
            )
        if brand in {b"avif", b"avis"}:
            return f"it is AVIF, which Pillow reads from version 11.3 on; {_CONVERT}"
        if brand == b"crx ":
            return f"it is the raw file of a camera (CR3); {_CONVERT}"
        return "it is a video; take a picture out of it"
    if head[:4] in {b"II*\0", b"MM\0*"}:
        kind = _tiff_kind(file)
        return f"it is TIFF or the raw file of a camera, with {kind}; {_CONVERT} with 8 bits"
    kinds = (kind for beginning, kind in _BEGINNINGS.items() if head.startswith(beginning))
    found = next(kinds, None)
    return None if found is None else f"it is {found}; {_CONVERT}"


def _tiff_kind(file: BufferedIOBase) -> str:
    """Channels and bits that a TIFF says it has."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            file.seek(0)
            tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(tags.next)
            tags.load(cast("IO[bytes]", file))
        bits = tags[TiffImagePlugin.BITSPERSAMPLE][0]
        form = tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0]
        channels = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    except Exception:  # whatever a damaged directory makes Pillow stumble over
        return "an unknown kind of pixels"
    return f"{channels} channels of {bits}-{_SAMPLE_FORMATS.get(form, 'bit values')}"

"""Encodes the segmentation of an object; one that covers no pixel is an error.

An expression names nothing only where its format says so (`[]` in one's own table, `[-1]` in
gRefCOCO). A segmentation that covers nothing is a slip: taken for "nothing", it would teach a
network to predict empty masks, and count as IoU 1 wherever it does.
"""

from collections.abc import Iterable
from itertools import chain
from typing import TypeGuard

from pycocotools import mask as coco

from refseg.errors import DataError
from refseg.masks import encode_segmentation
from refseg.types import RunLengths

_AROUND_ONE = 0.1
"""Shares of the width may leave 0–1 by so much: labelling tools let points lie beside the image."""

_MOST_AROUND_ONE = 4
"""Pixels that polygons cover at most whose coordinates lie between 0 and 1, or slightly beyond."""


def encode_object(segmentation: object, height: int, width: int, record: str) -> RunLengths:
    """The mask of a segmentation that names an object.

    Unlike `encode_segmentation`, which gives an empty mask where the polygons have no area or lie
    outside of the image, and one of a single pixel where they are shares of width and height.

    Args:
        segmentation: polygons or run lengths, as `encode_segmentation` takes them.
        height: of the image, pixels.
        width: of the image, pixels.
        record: file and record where it stands, for messages.

    Raises:
        DataError: the segmentation is neither, has values that cannot be, covers no pixel, or is
            not in pixels; names `record`.

    Example:
        >>> square = [[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]]
        >>> mask = encode_object(square, height=30, width=40, record="line 2")
        >>> mask == encode_segmentation(square, height=30, width=40, record="line 2")
        True
    """
    mask = encode_segmentation(segmentation, height, width, record)
    rle = {"size": [height, width], "counts": mask.counts}
    pixels = int(coco.area(rle))  # `masks.area` takes ten times as long, as it believes nothing
    if pixels > _MOST_AROUND_ONE:
        return mask
    if _is_polygons(segmentation):
        xs = list(chain.from_iterable(polygon[::2] for polygon in segmentation))
        ys = list(chain.from_iterable(polygon[1::2] for polygon in segmentation))
        check_polygons(pixels, xs, ys, height, width, record)
    elif not pixels:
        raise DataError(
            f"{record}: its run lengths cover no pixel; expected those of an object. Correct them, "
            "or leave the record out."
        )
    return mask


def check_polygons(
    pixels: int,
    xs: Iterable[int | float],
    ys: Iterable[int | float],
    height: int,
    width: int,
    record: str,
) -> None:
    """Refuse polygons that cover nothing, or that are not in pixels.

    Args:
        pixels: how many they cover.
        xs: of all their points.
        ys: of all their points.
        height: of the image, pixels.
        width: of the image, pixels.
        record: file and record where they stand, for messages.

    Raises:
        DataError: names `record`.
    """
    if pixels > _MOST_AROUND_ONE:
        return
    xs, ys = list(xs), list(ys)
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    is_shares = min(left, top) >= -_AROUND_ONE and max(right, bottom) <= 1 + _AROUND_ONE
    if is_shares and max(height, width) > 1:
        raise DataError(
            f"{record}: its polygons are in shares of width and height (coordinates between 0 and "
            f"1); expected pixels: multiply each x by the image's width of {width} and each y by "
            f"its height of {height}."
        )
    if pixels:
        return
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise DataError(
            f"{record}: its polygons lie outside of the image of {width} × {height} pixels (x from "
            f"{left:g} to {right:g}, y from {top:g} to {bottom:g}); expected pixels of this very "
            "image."
        )
    raise DataError(
        f"{record}: its polygons enclose no pixel (x from {left:g} to {right:g}, y from {top:g} to "
        f"{bottom:g}); expected the outline of an object. Correct them, or leave the record out."
    )


def _is_polygons(segmentation: object) -> TypeGuard[list[list[int | float]]]:
    return isinstance(segmentation, list) and all(isinstance(part, list) for part in segmentation)

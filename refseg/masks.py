"""Segmentations as data sets write them (polygons, run lengths), and masks as arrays."""

import reprlib
from collections.abc import Sequence
from itertools import pairwise
from math import isnan
from typing import cast

import cv2
import numpy as np
from jaxtyping import Bool, Int64
from pycocotools import mask as coco

from refseg.errors import DataError
from refseg.types import RunLengths

_BEGINNING = reprlib.Repr()  # which stops early, however large or deep a value
_BEGINNING.maxlevel = 2

MAX_PIXELS = 178_956_970
"""Pillow refuses to open larger images; a mask takes as many bytes when it is decoded."""

FAR_OUTSIDE = 10
"""Coordinates further from the origin than this many image sides are taken for an error."""

MAX_OUTLINE = 4_000_000
"""Pixels along all polygons of an object; pycocotools takes 80 bytes for each of them at a time."""


def encode_segmentation(segmentation: object, height: int, width: int, record: str) -> RunLengths:
    """Turn a segmentation of `instances.json` into the run lengths of one mask.

    An object in several parts is the **union** of its polygons or run lengths. Unlike REFER's
    `getMask`, which adds them up, so that pixels inside two of them become 2 and drop out wherever
    the mask is compared with 1.

    Args:
        segmentation: polygons `[[x, y, x, y, …], …]` in pixels, one run-length dictionary
            `{"size": [height, width], "counts": …}`, or a list of those; counts may be a list
            of numbers, or compressed as text or bytes.
        height: of the image, pixels.
        width: of the image, pixels.
        record: file and record where it stands, for messages.

    Raises:
        DataError: the segmentation is neither, or has values that cannot be; names `record`.

    Example:
        >>> square = [[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]]
        >>> decode(encode_segmentation(square, height=2, width=4, record="a square")).astype(int)
        array([[1, 1, 0, 0],
               [1, 1, 0, 0]])
    """
    check_size(height, width, record)
    parts = [segmentation] if isinstance(segmentation, dict) else segmentation
    if not isinstance(parts, list) or not parts:
        raise DataError(
            f"{record}: expected a segmentation of polygons or run lengths, got "
            f"{_shown(segmentation)}."
        )
    if all(isinstance(part, dict) for part in parts):
        rles = [_from_run_lengths(part, height, width, record) for part in parts]
    else:
        polygons = [_checked_polygon(part, height, width, record) for part in parts]
        # Two points enclose nothing; COCO has a few such polygons beside proper ones.
        areas = [polygon for polygon in polygons if len(polygon) >= 6]
        if not areas:
            raise DataError(f"{record}: no polygon has three points or more, so it has no mask.")
        at_most = sum(map(len, areas)) * FAR_OUTSIDE * max(height, width)
        if at_most > MAX_OUTLINE and sum(map(_outline, areas)) > MAX_OUTLINE:
            raise DataError(
                f"{record}: its polygons are longer than {MAX_OUTLINE:,} pixels, which no object's "
                "outline is."
            )
        rles = coco.frPyObjects(areas, height, width)
    merged = rles[0] if len(rles) == 1 else coco.merge(rles, intersect=False)
    return RunLengths(height, width, cast("bytes", merged["counts"]))


def check_size(height: int, width: int, record: str) -> None:
    """Refuse an image without any pixel, or with more than can be read.

    Raises:
        DataError: names `record`.
    """
    if not (height > 0 and width > 0 and height * width <= MAX_PIXELS):
        raise DataError(f"{record}: an image of {width} × {height} pixels cannot have a mask.")


def union(masks: Sequence[RunLengths]) -> RunLengths:
    """The mask of several objects together.

    Args:
        masks: at least one; all of the same size.

    Example:
        >>> left, right = np.array([[True, False, False]]), np.array([[False, False, True]])
        >>> decode(union([encode(left), encode(right)])).astype(int)
        array([[1, 0, 1]])
    """
    if len(masks) == 1:
        return masks[0]
    height, width, _ = masks[0]
    rles = [{"size": [height, width], "counts": mask.counts} for mask in masks]
    return RunLengths(height, width, coco.merge(rles, intersect=False)["counts"])


def empty(height: int, width: int) -> RunLengths:
    """The mask of an expression that names nothing in the image.

    Example:
        >>> decode(empty(height=1, width=3)).astype(int)
        array([[0, 0, 0]])
    """
    rle = coco.frPyObjects({"size": [height, width], "counts": [height * width]}, height, width)
    return RunLengths(height, width, rle["counts"])


def encode(mask: Bool[np.ndarray, "height width"]) -> RunLengths:
    """Compress a mask into run lengths."""
    height, width = mask.shape
    rle = coco.encode(_turned(mask).view(np.uint8).T)
    return RunLengths(height, width, rle["counts"])


def encode_box(left: int, top: int, right: int, bottom: int, height: int, width: int) -> RunLengths:
    """The run lengths of a filled box.

    Args:
        left: first column, from 0.
        top: first row.
        right: last column (inclusive).
        bottom: last row (inclusive).
        height: of the image, pixels; the box lies within.
        width: of the image, pixels.

    Example:
        >>> decode(encode_box(1, 0, 2, 0, height=2, width=4)).astype(int)
        array([[0, 1, 1, 0],
               [0, 0, 0, 0]])
    """
    rows, columns = bottom - top + 1, right - left + 1
    if rows == height:  # its columns touch each other, and are one run
        rows, columns = height * columns, 1
    after = height * width - (left * height + top) - height * (columns - 1) - rows
    runs = [left * height + top, *([rows, height - rows] * (columns - 1)), rows]
    counts = [*runs, after] if after else runs
    rle = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return RunLengths(height, width, cast("bytes", rle["counts"]))


def decode(run_lengths: RunLengths) -> Bool[np.ndarray, "height width"]:
    """Expand run lengths into a mask.

    Raises:
        DataError: they are damaged.

    Example:
        >>> mask = np.array([[True, False], [False, True]])
        >>> bool((decode(encode(mask)) == mask).all())
        True
    """
    # In numpy, as pycocotools 2.0.11 decodes with a deprecation warning of numpy's.
    lengths = _checked_lengths(run_lengths)
    runs = np.arange(len(lengths)) % 2 == 1
    return _turned(np.repeat(runs, lengths).reshape(run_lengths.width, run_lengths.height))


def masks_of(truths: Sequence[RunLengths]) -> Bool[np.ndarray, "masks height width"]:
    """The masks of several expressions of one image, each decoded once however often it occurs.

    Args:
        truths: at least one; all of the same size.
    """
    decoded = {truth: decode(truth) for truth in dict.fromkeys(truths)}
    return np.stack([decoded[truth] for truth in truths])


def area(run_lengths: RunLengths) -> int:
    """Number of pixels inside of a mask, without expanding it.

    Raises:
        DataError: the run lengths are damaged.

    Example:
        >>> area(encode(np.array([[True, False], [True, True]])))
        3
    """
    return int(_checked_lengths(run_lengths)[1::2].sum())


def _turned(mask: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "columns rows"]:
    """Rows as columns, in memory too: OpenCV takes a fifth of numpy's time for it."""
    rows, columns = mask.shape
    turned = cv2.transpose(np.ascontiguousarray(mask).view(np.uint8))
    return turned.reshape(columns, rows).view(np.bool_)


def _checked_polygon(part: object, height: int, width: int, record: str) -> list[int | float]:
    if not isinstance(part, list) or len(part) % 2 or not set(map(type, part)) <= {int, float}:
        raise DataError(
            f"{record}: expected a polygon as a list of numbers x, y, x, y, …, got {_shown(part)}."
        )
    polygon = cast("list[int | float]", part)
    limit = FAR_OUTSIDE * max(height, width)
    is_near = not polygon or (-limit <= min(polygon) and max(polygon) <= limit)
    if not is_near or isnan(sum(polygon)):  # extremes overlook a NaN that is not the first
        raise DataError(
            f"{record}: a polygon leaves the image of {width} × {height} pixels by far, or has a "
            "coordinate that is not a number."
        )
    return polygon


def _outline(polygon: list[int | float]) -> float:
    """Its length in pixels, as a line is drawn: by its longer side."""
    points = list(zip(polygon[::2], polygon[1::2], strict=True))
    edges = pairwise([*points, points[0]])
    return float(sum(max(abs(a - c), abs(b - d)) for (a, b), (c, d) in edges))


def _from_run_lengths(
    part: dict[str, object], height: int, width: int, record: str
) -> dict[str, object]:
    size, counts = part.get("size"), part.get("counts")
    if size != [height, width]:
        raise DataError(
            f"{record}: expected run lengths of size [{height}, {width}], the image's height and "
            f"width, got {_shown(size)}."
        )
    lengths: Int64[np.ndarray, " runs"] | None = None
    if isinstance(counts, str | bytes):
        text = counts.encode("latin1", "replace") if isinstance(counts, str) else counts
        lengths = _decompress(text)
    elif isinstance(counts, list) and all(_is_length(count) for count in counts):
        lengths = np.array(counts, np.int64)
    if lengths is None or lengths.sum() != height * width:
        raise DataError(
            f"{record}: the run lengths are damaged; expected counts that add up to the "
            f"{height * width} pixels of the image."
        )
    rle = {"size": [height, width], "counts": lengths.tolist()}
    return cast("dict[str, object]", coco.frPyObjects(rle, height, width))


def _checked_lengths(run_lengths: RunLengths) -> Int64[np.ndarray, " runs"]:
    lengths = _decompress(run_lengths.counts)
    if lengths is None or lengths.sum() != run_lengths.height * run_lengths.width:
        raise DataError(
            f"The run lengths of a mask of {run_lengths.width} × {run_lengths.height} pixels are "
            "damaged; read its annotations again."
        )
    return lengths


def _is_length(count: object) -> bool:
    return type(count) is int and 0 <= count <= MAX_PIXELS


def _decompress(counts: bytes) -> Int64[np.ndarray, " runs"] | None:
    """The run lengths in COCO's compressed text, or None where it is damaged.

    pycocotools reads beyond the end of a damaged text, so that it is checked here first. Each
    number is written in groups of five bits, lowest first, bit 5 set on all but its last group and
    bit 4 of the last one being the sign; from the fourth on, it is the difference to the run of
    the same value before.
    """
    groups = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    last = groups & 0x20 == 0
    if not len(groups) or groups.min() < 0 or groups.max() > 63 or not last[-1]:
        return None
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    widths = ends - starts + 1
    if widths.max() > 7:  # more than 35 bits: no image is so large
        return None
    shifts = 5 * (np.arange(len(groups)) - np.repeat(starts, widths))
    numbers = np.add.reduceat((groups & 0x1F) << shifts, starts)
    numbers -= np.where(groups[ends] & 0x10 != 0, 1 << (5 * widths), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return None if numbers.min() < 0 or numbers.max() > MAX_PIXELS else numbers


def _shown(value: object) -> str:
    text = _BEGINNING.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"

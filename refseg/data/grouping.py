"""Which rows of a table of references belong together."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int64


class ImageGroups(NamedTuple):
    """Which rows belong to which image.

    Args:
        rows: row numbers, those of one image side by side, images in order of appearance.
        offsets: the rows of image `i` are `rows[offsets[i]:offsets[i + 1]]`.
    """

    rows: Int64[np.ndarray, " rows"]
    offsets: Int64[np.ndarray, " images_and_one"]


def group_by_image(codes: Int64[np.ndarray, " rows"]) -> ImageGroups:
    """The rows by image.

    Args:
        codes: a number for each row, the same for rows of the same image.

    Example:
        >>> rows, offsets = group_by_image(np.array([7, 3, 7]))
        >>> rows.tolist(), offsets.tolist()
        ([0, 2, 1], [0, 2, 3])
    """
    _, first, image = np.unique(codes, return_index=True, return_inverse=True)
    order_of_appearance = np.empty(len(first), np.int64)
    order_of_appearance[np.argsort(first)] = np.arange(len(first))
    image = order_of_appearance[image]
    offsets = np.zeros(len(first) + 1, np.int64)
    np.cumsum(np.bincount(image, minlength=len(first)), out=offsets[1:])
    return ImageGroups(np.argsort(image, kind="stable").astype(np.int64), offsets)


def first_expression_ids(table: pa.Table) -> Int64[np.ndarray, " objects"]:
    """The id of one expression of each object: the first one of the last reference to it.

    Expressions that name several objects, or none, count as an object for each set of objects in
    an image, or for each reference.

    Args:
        table: with the columns of `SCHEMA`.
    """
    columns = ["image_id", "reference_id", "annotation_ids", "expression_id"]
    firsts: dict[tuple[object, ...], tuple[int, int]] = {}
    for image, reference, objects, expression in zip(
        *(table[name].to_pylist() for name in columns), strict=True
    ):
        key = (image, *objects) if objects else (image, "none", reference)
        if key not in firsts or firsts[key][0] != reference:
            firsts[key] = (reference, expression)
    return np.array([expression for _, expression in firsts.values()], np.int64)

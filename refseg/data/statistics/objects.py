"""Sizes, classes and distractors of the objects that expressions name, row by row."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int64

from refseg.data.objects import Objects
from refseg.data.references import References
from refseg.masks import area
from refseg.types import RunLengths

UNKNOWN = -1
"""In place of a number of distractors that cannot be known."""


def first_rows(references: References) -> Int64[np.ndarray, " references"]:
    """The first row of each reference: an object counts once, however many expressions it has.

    References are told apart by source and id, as ids of two data sets may coincide.
    """
    sources = references.table["source"].cast(pa.string()).combine_chunks().dictionary_encode()
    keys = np.stack(
        [
            sources.indices.to_numpy(zero_copy_only=False).astype(np.int64),
            references.table["reference_id"].to_numpy(),
        ]
    )
    _, first = np.unique(keys, axis=1, return_index=True)
    return np.sort(first).astype(np.int64)


def areas(references: References) -> Int64[np.ndarray, " rows"]:
    """Pixels of the mask of each row, from the run lengths: no mask is decoded.

    Raises:
        DataError: run lengths are damaged.
    """
    if not len(references):
        return np.zeros(0, np.int64)
    (masks,) = references.table["rle"].chunks
    height, width = (references.table[name].to_numpy() for name in ("height", "width"))
    codes = masks.indices.to_numpy(zero_copy_only=False)
    used, first, code = np.unique(codes, return_index=True, return_inverse=True)
    counted = [
        area(RunLengths(int(height[row]), int(width[row]), masks.dictionary[number].as_py()))
        for number, row in zip(used.tolist(), first.tolist(), strict=True)
    ]
    return np.array(counted, np.int64)[code]


def image_shares(references: References) -> Float[np.ndarray, " rows"]:
    """Area of the mask of each row as a share of its image's, [0, 1]."""
    height, width = (
        references.table[name].to_numpy().astype(np.float64) for name in ("height", "width")
    )
    return areas(references) / (height * width)


def names_something(references: References) -> Bool[np.ndarray, " rows"]:
    """Which rows name at least one object (gRefCOCO has expressions that name none)."""
    lengths = pc.list_value_length(references.table["annotation_ids"]).to_numpy()
    return np.asarray(lengths > 0)


def distractors(references: References, objects: Objects | None) -> Int64[np.ndarray, " rows"]:
    """How many other objects of the same class the image of each row has.

    Where an expression names several objects, none of them is a distractor to the others.

    Args:
        references: the whole data set rather than one split, where `objects` is None: it is then
            their objects that are counted.
        objects: all annotated objects, or None where the data set does not publish them.

    Returns:
        The number, or `UNKNOWN` where a row has no class or names nothing.
    """
    row, category = flat(references, "category_ids")
    named_row, named = flat(references, "annotation_ids")
    image = references.table["image_id"].to_numpy()
    if objects is None:
        if len(row) != len(named_row) or (row != named_row).any():  # whose class is which?
            return np.full(len(references), UNKNOWN, np.int64)
        ids, first = np.unique(named, return_index=True)
        images, categories = image[row[first]], category[first]
    else:
        order = np.argsort(objects.annotation_ids)
        ids = objects.annotation_ids[order]
        images, categories = objects.image_ids[order], objects.category_ids[order]
    pairs = _pair_codes(np.append(images, image[row]), np.append(categories, category))
    of_object, asked = pairs[: len(ids)], pairs[len(ids) :]
    number_of_pairs = int(pairs.max(initial=-1)) + 1
    # A class may stand in a row's list twice, once for each object: it is counted once.
    asked_keys = np.unique(row * number_of_pairs + asked)
    asked_row, asked_pair = np.divmod(asked_keys, max(1, number_of_pairs))
    of_class = np.bincount(of_object, minlength=number_of_pairs)
    total = np.bincount(asked_row, of_class[asked_pair], len(references)).astype(np.int64)
    # The objects that are named themselves are no distractors.
    place = np.searchsorted(ids, named).clip(max=max(0, len(ids) - 1))
    found = ids[place] == named if len(ids) else np.zeros(len(named), bool)
    own = named_row[found] * number_of_pairs + of_object[place[found]]
    own = own[np.isin(own, asked_keys)]
    total -= np.bincount(own // max(1, number_of_pairs), minlength=len(references))
    known = np.bincount(row, minlength=len(references)) > 0
    return np.where(known & names_something(references), total, UNKNOWN)


def flat(
    references: References, column: str
) -> tuple[Int64[np.ndarray, " values"], Int64[np.ndarray, " values"]]:
    """The values of a column of lists, each with the number of its row."""
    lists = references.table[column]
    lengths = pc.list_value_length(lists).to_numpy()
    values = pc.list_flatten(lists).to_numpy()
    return np.repeat(np.arange(len(references)), lengths), values.astype(np.int64)


def _pair_codes(
    first: Int64[np.ndarray, " pairs"], second: Int64[np.ndarray, " pairs"]
) -> Int64[np.ndarray, " pairs"]:
    """A small number for each pair of values, the same for equal pairs."""
    _, first = np.unique(first, return_inverse=True)
    _, second = np.unique(second, return_inverse=True)
    combined = first * (int(second.max(initial=-1)) + 1) + second
    return np.unique(combined, return_inverse=True)[1].astype(np.int64)

"""Finds images that training and evaluation share, and leaves them out of training."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from refseg.data.catalog import CATALOG
from refseg.data.references import References
from refseg.data.streaming.members import without_shard

COCO = "train2014"
"""What the catalogue calls the photographs of COCO."""

# COCO_train2014_000000000009.jpg (2014) and val2017/000000000009.jpg (2017) have the same numbers;
# file names of references carry the annotation's number as a suffix.
_COCO_FILE = re.compile(r"(?:^|[/_])(?:train|val)20\d\d[/_](?:.*/)?(\d{12})(?:_\d+)?\.\w+$")


class SharedImages(NamedTuple):
    """The training rows of one data set whose images are in evaluation splits.

    Args:
        images: of the training rows that are evaluation images too.
        all_images: of the training rows.
        expressions: on the shared images.
        all_expressions: of the training rows.
        owners: whose evaluation splits the shared images are of.
    """

    images: int
    all_images: int
    expressions: int
    all_expressions: int
    owners: tuple[str, ...]

    def __str__(self) -> str:
        """The counts, as a part of a sentence."""
        return (
            f"{self.images:,} of {self.all_images:,} training images ({self.expressions:,} of "
            f"{self.all_expressions:,} expressions)"
        )


def is_training_split(name: str) -> bool:
    """Whether a split is for training by its name: `train`, `trainval`.

    Example:
        >>> [is_training_split(name) for name in ("train", "trainval", "val", "testA")]
        [True, True, False, False]
    """
    return name.startswith("train")


def image_collection(dataset: str) -> str | None:
    """The collection of photographs (such as COCO) that a data set's image ids number.

    Args:
        dataset: its name; nothing is known of a set that is not in the catalogue.

    Example:
        >>> image_collection("refcoco+"), image_collection("referit")
        ('train2014', 'saiapr_tc-12')
    """
    return CATALOG[dataset].image_set if dataset in CATALOG else None


def image_keys(references: References, dataset: str) -> pa.DictionaryArray:
    """A key per row, equal for the same photograph in every data set.

    Photographs of COCO are known by COCO's number, in the file's name or, for data sets that are
    known to use it, in the image id; so folders and names of files may differ. Those of ReferIt and
    RefCLEF are known by theirs. All others are known by the path of the file.

    Args:
        references: of one data set.
        dataset: its name.
    """
    paths = references.table["image_path"].cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(paths, pa.ChunkedArray):  # a table without rows has no chunks
        paths = pa.array([], pa.dictionary(pa.int32(), pa.string()))
    codes = paths.indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    image_ids = references.table["image_id"].take(first).to_pylist()
    collection = image_collection(dataset)
    folders: dict[str, str] = {}
    keys = []
    for path, image_id in zip(paths.dictionary.to_pylist(), image_ids, strict=True):
        number = _COCO_FILE.search(path)
        if number:
            keys.append(f"{COCO}:{int(number[1])}")
        elif collection is not None:
            keys.append(f"{collection}:{image_id}")
        else:
            folder, name = os.path.split(without_shard(path))
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            keys.append(f"{folders[folder]}/{name}")
    indices, values = paths.indices, pa.array(keys, pa.string())
    return pa.DictionaryArray.from_arrays(indices, values)


def evaluation_images(
    references: References, dataset: str, splits: Iterable[str]
) -> dict[str, set[str]]:
    """The keys of the images of each of some splits.

    Args:
        references: all rows of one data set.
        dataset: its name.
        splits: those that are evaluated.
    """
    keys = image_keys(references, dataset).cast(pa.string())
    column = references.table["split"].cast(pa.string())
    return {
        split: set(pc.unique(keys.filter(pc.equal(column, split))).to_pylist()) for split in splits
    }


def find_shared(
    training: References, dataset: str, evaluated: Mapping[str, set[str]]
) -> tuple[SharedImages, Bool[np.ndarray, " rows"]]:
    """Which training rows lie on evaluation images.

    Args:
        training: rows of one data set.
        dataset: its name.
        evaluated: the image keys of each data set that is evaluated.

    Returns:
        the counts, and which rows they count.
    """
    keys = image_keys(training, dataset)
    present = keys.dictionary.to_pylist()
    owners = [name for name, images in evaluated.items() if not images.isdisjoint(present)]
    every = set().union(*evaluated.values())
    is_shared_image = np.array([key in every for key in present], bool)
    is_shared = is_shared_image[keys.indices.to_numpy()]
    shared = every.intersection(present)
    counts = SharedImages(
        images=len(shared),
        all_images=len(set(present)),
        expressions=int(is_shared.sum()),
        all_expressions=len(training),
        owners=tuple(owners),
    )
    return counts, is_shared


def without(references: References, rows: Bool[np.ndarray, " rows"]) -> References:
    """The references without some rows."""
    return references.select(np.flatnonzero(~rows))


def describe(title: str, shared: SharedImages, are_kept: bool) -> str:
    """A line that says how many shared images there are, and whether they are left out.

    Args:
        title: of the data set that is trained on.
        shared: its images that are evaluation images.
        are_kept: they are trained on nevertheless.
    """
    if not shared.images:
        return f"{title}: none of {shared.all_images:,} training images is an evaluation image."
    others = [owner for owner in shared.owners if owner != title]
    owners = [f"{title} itself, whose splits share images", *others]
    listed = ", ".join(owners if title in shared.owners else others)
    if are_kept:
        return (
            f"{title}: trained on {shared}, although they are evaluation images (of {listed}), as "
            "data.train_on_evaluation_images asks. Figures on these sets are no fair comparison."
        )
    return (
        f"{title}: {shared} are left out of training, as they are evaluation images (of {listed}). "
        "data.train_on_evaluation_images would keep them."
    )

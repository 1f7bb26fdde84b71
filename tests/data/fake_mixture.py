"""Several small data sets on the same photographs, each with its own splits."""

from collections.abc import Mapping
from pathlib import Path

from .fake_refer import annotations, write_annotations, write_images

# Which split each of the seven images is in; a set may leave images out.
MIXTURE: Mapping[tuple[str, str], Mapping[int, str]] = {
    ("refcoco", "unc"): {1: "train", 2: "train", 3: "train", 4: "val", 5: "testA", 6: "testB"},
    ("refcoco+", "unc"): {1: "train", 2: "val", 3: "train", 4: "train", 5: "testA", 6: "testB"},
    ("refcocog", "umd"): {1: "train", 3: "test", 4: "val", 6: "train", 7: "train"},
}


def write_set(
    root: Path, dataset: str, split_by: str, splits: Mapping[int, str], word: str = ""
) -> None:
    """The annotations of one data set, over the photographs of the fake one.

    Args:
        root: of all sets.
        dataset: its name.
        split_by: its partition.
        splits: of each image that it has.
        word: put after each sentence.
    """
    refs, instances = annotations()
    chosen = [ref for ref in refs if ref["image_id"] in splits]
    for ref in chosen:
        ref["split"] = splits[ref["image_id"]]
        for sentence in ref["sentences"]:
            sentence["sent"] += word
    write_annotations(root, chosen, instances, dataset, split_by)


def write_fake_mixture(root: Path) -> Path:
    """Three data sets that share images, and whose expressions have the same ids."""
    write_images(root / "images" / "train2014")
    for (dataset, split_by), splits in MIXTURE.items():
        write_set(root, dataset, split_by, splits, word=f" of {dataset.replace('+', 'plus')}")
    return root

"""A small data set in gRefCOCO's format, with what is peculiar to it."""

import json
from pathlib import Path
from typing import Any

from .fake_refer import annotations, write_images

CROWD = [0, 600, 1800]  # run lengths in the 40 × 60 pixels of image 1: its first 15 columns


def grefs() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What stands in `grefs(*).json` and in `instances.json`.

    Of each image's three references, the second names all three objects and the third names none.
    Image 1 has a crowd as well; reference 6 has no sentence.
    """
    refs, instances = annotations()
    for ref in refs:
        number = ref["ann_id"] % 10
        objects = [[ref["ann_id"]], [10 * ref["image_id"] + other for other in range(3)], [-1]]
        ref["ann_id"] = objects[number]
        ref["category_id"] = [[1], [1, 2, 3], [-1]][number]
        ref["no_target"] = number == 2
    refs[6]["sentences"], refs[6]["sent_ids"] = [], []
    instances["annotations"].append(
        {
            "id": 900100000001,
            "image_id": 1,
            "iscrowd": 1,
            "segmentation": {"size": [40, 60], "counts": CROWD},
        }
    )
    refs[0]["ann_id"] = [10, 900100000001]
    refs[0]["category_id"] = [1, 1]
    return refs, instances


def write_grefs(
    root: Path, refs: object, instances: object, dataset: str = "grefcoco", split_by: str = "unc"
) -> None:
    """Write the two files of annotations."""
    folder = root / dataset
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"grefs({split_by}).json").write_text(json.dumps(refs))
    (folder / "instances.json").write_text(json.dumps(instances))


def write_fake_grefcoco(root: Path) -> Path:
    """The whole data set `grefcoco` (unc) in a new folder."""
    write_grefs(root, *grefs())
    write_images(root / "images" / "train2014")
    return root

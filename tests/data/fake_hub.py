"""The data set of `fake_refer` in parquet, in the schema of the Hugging Face hub's copies."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .fake_refer import annotations, write_images

SCHEMA = pa.schema(
    [
        ("sent_ids", pa.list_(pa.int64())),
        ("file_name", pa.string()),
        ("ann_id", pa.int64()),
        ("ref_id", pa.int64()),
        ("image_id", pa.int64()),
        ("split", pa.string()),
        (
            "sentences",
            pa.list_(
                pa.struct(
                    [
                        ("raw", pa.string()),
                        ("sent", pa.string()),
                        ("sent_id", pa.int64()),
                        ("tokens", pa.list_(pa.string())),
                    ]
                )
            ),
        ),
        ("category_id", pa.int64()),
        ("raw_anns", pa.string()),
        ("raw_image_info", pa.string()),
        ("raw_sentences", pa.string()),
        ("image_path", pa.string()),
        ("bbox", pa.list_(pa.float64())),
        ("captions", pa.list_(pa.string())),
        ("global_image_id", pa.string()),
        ("anns_id", pa.string()),
    ]
)
FILES = {
    "train": "train-00000-of-00001-94431d5f4bd5b93f.parquet",
    "val": "validation-00000-of-00001-db1f654bae6b38ca.parquet",
    "testA": "test-00000-of-00001-82af0c1b600890ac.parquet",
    "testB": "testB-00000-of-00001-60990e4598892dc1.parquet",
}


def rows(refs: Iterable[Mapping[str, Any]], instances: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of references as the hub has them."""
    images = {image["id"]: image for image in instances["images"]}
    objects = {one["id"]: one for one in instances["annotations"]}
    return [
        {
            **{name: ref[name] for name in ("sent_ids", "file_name", "ann_id", "ref_id")},
            **{name: ref[name] for name in ("image_id", "split", "sentences", "category_id")},
            "raw_anns": json.dumps(objects[ref["ann_id"]]),
            "raw_image_info": json.dumps(images[ref["image_id"]]),
            "raw_sentences": json.dumps(ref["sentences"]),
            "image_path": f"coco/train2014/{images[ref['image_id']]['file_name']}",
            "bbox": [0.0, 0.0, 1.0, 1.0],
            "captions": [sentence["sent"] for sentence in ref["sentences"]],
            "global_image_id": f"coco.{ref['image_id']}",
            "anns_id": f"refcoco.{ref['ann_id']}",
        }
        for ref in refs
    ]


def write_parquet(folder: Path, content: Iterable[Mapping[str, Any]]) -> None:
    """One file for each split, with the hub's names."""
    folder.mkdir(parents=True, exist_ok=True)
    content = list(content)
    for split, name in FILES.items():
        part = [row for row in content if row["split"] == split]
        pq.write_table(pa.Table.from_pylist(part, SCHEMA), folder / name, row_group_size=4)


def write_fake_hub(root: Path, dataset: str = "refcoco") -> Path:
    """The whole data set, with the images where its records say that they are."""
    write_parquet(root / dataset / "data", rows(*annotations()))
    write_images(root / "coco" / "train2014")
    return root

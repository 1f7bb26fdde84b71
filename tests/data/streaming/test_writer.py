"""Packing: what lies in the folder, for us and for other programs, and what never does."""

import json
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco
from webdataset.autodecode import Decoder, imagehandler
from webdataset.tariterators import group_by_keys, tar_file_expander

from refseg.data.readers import read_references
from refseg.data.references import References
from refseg.data.streaming import writer
from refseg.data.streaming.shards import open_shards
from refseg.data.streaming.writer import write_shards
from refseg.errors import ConfigError, DataError

from ..fake_refer import SIZES, annotations


def with_paths(references: References, paths: dict[str, Path]) -> References:
    """The same rows with images of other paths, by their present names."""
    table = references.table.to_pylist()
    for row in table:
        row["image_path"] = str(paths.get(Path(row["image_path"]).name, row["image_path"]))
    names = references.table.column_names
    return References.from_columns({name: [row[name] for row in table] for name in names})


def items_of(shards: Path) -> Iterator[dict[str, Any]]:
    """What webdataset's own reader and decoders make of the shards."""
    decode = Decoder([imagehandler("pil")])
    for path in shards.glob("*.tar"):
        with path.open("rb") as stream:
            for item in group_by_keys(tar_file_expander([{"url": path.name, "stream": stream}])):
                yield decode(item)


def test_counts_of_the_index(shards: Path) -> None:
    index = json.loads((shards / "index.json").read_text())
    assert index["splits"] == {
        "train": {"expressions": 24, "references": 12, "images": 4},
        "val": {"expressions": 6, "references": 3, "images": 1},
        "testA": {"expressions": 6, "references": 3, "images": 1},
        "testB": {"expressions": 6, "references": 3, "images": 1},
    }
    assert [shard["name"] for shard in index["shards"]] == [
        *(f"train-00000{number}.tar" for number in range(4)),
        *(f"{split}-000000.tar" for split in ("val", "testA", "testB")),
    ]
    assert {shard["images"] for shard in index["shards"]} == {1}
    files = {shard["name"] for shard in index["shards"]} | {"index.json", "references.arrow"}
    assert {path.name for path in shards.iterdir()} == files
    assert set(index["versions"]) == {"refseg", "webdataset", "pyarrow"}


def test_images_are_packed_byte_for_byte(shards: Path, fake_root: Path) -> None:
    found = {}
    for shard in shards.glob("*.tar"):
        with tarfile.open(shard) as archive:
            for member in archive.getmembers():
                content = archive.extractfile(member)
                assert content is not None
                found[Path(member.name).name] = content.read()
    images = list((fake_root / "images" / "train2014").iterdir())
    assert len(images) == len(SIZES)
    for image in images:
        assert found[image.name] == image.read_bytes()


def test_webdataset_reads_images_expressions_and_masks(shards: Path) -> None:
    """By its own reader, as another program would; the truth is what was published."""
    refs, instances = annotations()
    seen = set()
    for item in items_of(shards):
        record = item["json"]
        image = item.get("jpg") or item["png"]
        assert image.size == (record["width"], record["height"])
        assert (record["height"], record["width"]) == SIZES[record["image_id"]]
        for said in record["expressions"]:
            (ref,) = [ref for ref in refs if ref["ref_id"] == said["reference_id"]]
            (sentence,) = [s for s in ref["sentences"] if s["sent_id"] == said["expression_id"]]
            assert (said["expression"], said["raw"]) == (sentence["sent"], sentence["raw"])
            assert said["annotation_ids"] == [ref["ann_id"]]
            assert said["category_ids"] == [ref["category_id"]]
            assert record["split"] == ref["split"]
            (truth,) = [a for a in instances["annotations"] if a["id"] == ref["ann_id"]]
            polygons = truth["segmentation"]
            if isinstance(polygons[0], list):
                rle = coco.merge(coco.frPyObjects(polygons, record["height"], record["width"]))
            else:
                rle = {**polygons[0], "counts": polygons[0]["counts"].encode()}
            assert coco.area(said["mask"]) == coco.area(rle)
            assert coco.iou([said["mask"]], [rle], [0])[0, 0] == 1
            seen.add(said["expression_id"])
    assert seen == set(range(100, 142))


def test_shards_are_closed_when_they_have_their_size(fake_root: Path, tmp_path: Path) -> None:
    references = read_references(fake_root, "fake")
    index = write_shards(references, tmp_path / "one", "fake", shard_size=64.0)
    assert [shard.images for shard in index.shards] == [4, 1, 1, 1]
    index = write_shards(references, tmp_path / "two", "fake", ["train"], shard_size=0.01)
    sizes = [shard.size for shard in index.shards]
    assert len(sizes) > 1
    assert min(sizes[:-1]) >= 10_000
    assert max(sizes) < 40_000
    assert open_shards(str(tmp_path / "two")).splits == ("train",)


def test_equal_data_gives_equal_bytes(shards: Path, fake_root: Path, tmp_path: Path) -> None:
    write_shards(read_references(fake_root, "fake"), tmp_path / "b", "fake", shard_size=1e-6)
    for path in shards.iterdir():
        assert (tmp_path / "b" / path.name).read_bytes() == path.read_bytes()


def test_names_that_occur_twice_or_are_strange(fake_root: Path, tmp_path: Path) -> None:
    references = read_references(fake_root, "fake").split(["train"])
    pixels = {}
    paths = {}
    for number, name in enumerate(["a/x.jpg", "b/x.jpg", "v1._final.tar.png", "no ending é"]):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image_id = [1, 2, 3, 7][number]
        pixels[str(path)] = np.full((*SIZES[image_id], 3), 50 * number, np.uint8)
        encoded = BytesIO()
        Image.fromarray(pixels[str(path)]).save(encoded, "png")
        path.write_bytes(encoded.getvalue())
        paths[f"COCO_train2014_{image_id:012d}.jpg"] = path
    write_shards(with_paths(references, paths), tmp_path / "out", "fake")
    from refseg.data.images import read_image

    opened = open_shards(str(tmp_path / "out"))
    ours = opened.table["image_path"].to_pylist()
    theirs = with_paths(references, paths).table["image_path"].to_pylist()
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(read_image(one), pixels[other])


def test_a_broken_off_run_leaves_nothing_and_can_be_started_again(
    fake_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = read_references(fake_root, "fake")
    out = tmp_path / "out"
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "train-000000.tar").write_text("of a run that was killed")
    packed = []

    def interrupted(path: Path) -> bytes:
        packed.append(path)
        if len(packed) == 5:
            raise KeyboardInterrupt
        return Path(path).read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr(writer, "read_encoded", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_shards(references, out, "fake", shard_size=1e-6)
    assert {path.name for path in tmp_path.iterdir()} <= {".out.lock"}
    write_shards(references, out, "fake")
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert open_shards(str(out)).fingerprint() == references.fingerprint()


def test_messages(own_root: Path, tmp_path: Path) -> None:
    references = read_references(own_root, "fake")
    images = own_root / "images" / "train2014"
    with pytest.raises(ConfigError, match=r"root exists and is not empty; name another folder"):
        write_shards(references, own_root, "fake")
    with pytest.raises(ConfigError, match="shard_size above 0 MB, got 0"):
        write_shards(references, tmp_path / "out", "fake", shard_size=0.0)
    with pytest.raises(DataError, match="Unknown split 'testC'"):
        write_shards(references, tmp_path / "out", "fake", splits=["testC"])
    Image.new("RGB", (9, 8)).save(images / "COCO_train2014_000000000003.jpg")
    with pytest.raises(DataError, match=r"fake \(unc\), ref_id 6.*has 9 × 8 .* says 50 × 50"):
        write_shards(references, tmp_path / "out", "fake")
    (images / "COCO_train2014_000000000002.jpg").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"ref_id 3, .*cannot read the image .*0002\.jpg"):
        write_shards(references, tmp_path / "out", "fake")
    (images / "COCO_train2014_000000000001.jpg").unlink()
    with pytest.raises(DataError, match=r"ref_id 0, .*0001\.jpg is absent"):
        write_shards(references, tmp_path / "out", "fake")
    assert not (tmp_path / "out").exists()

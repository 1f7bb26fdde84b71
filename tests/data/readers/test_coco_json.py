"""The quick way to read `instances.json` gives what the careful one gives."""

import json
from pathlib import Path

import msgspec
import pytest

from refseg.data.readers import coco_json
from refseg.data.readers.coco_json import CocoAnnotation, read_coco, written
from refseg.data.readers.instances import Instances, read_instances
from refseg.data.readers.records import BadRecords
from refseg.errors import DataError

from ..fake_refer import annotations

IMAGE = {"id": 1, "file_name": "a.jpg", "height": 4, "width": 6, "coco_url": "http://x/é"}
OBJECT = {"id": 5, "image_id": 1, "segmentation": [[0, 0, 2.5, 0, 2.5, 3, 0, 3]], "area": 6}


def read(path: Path, content: object, is_quick: bool = True) -> Instances:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        if not is_quick:

            def refuse(*_: object, **__: object) -> None:
                raise msgspec.DecodeError

            patch.setattr(coco_json.msgspec.json, "decode", refuse)
        return read_instances(path, BadRecords("error"))


def test_both_ways_are_one(tmp_path: Path) -> None:
    _, content = annotations()
    quick, careful = (read(tmp_path / "instances.json", content, way) for way in (True, False))
    assert quick.images == careful.images
    assert list(quick.annotations) == list(careful.annotations)
    for number, instance in careful.annotations.items():
        ours = quick.annotations[number]
        assert isinstance(ours.segmentation, msgspec.Raw), "nobody has asked for it yet"
        assert written(ours.segmentation, "here") == instance.segmentation
        assert quick.mask(number, instance.image_id, "here") == careful.mask(
            number, instance.image_id, "here"
        )


@pytest.mark.parametrize(
    "text",
    [
        "[[1e999, 0, 1, 1, 2, 0]]",
        f"[[{'9' * 400}, 0, 1, 1, 2, 0]]",
        f"{'[' * 500}{']' * 500}",
        "{}",
    ],
)
def test_what_cannot_be_a_segmentation_is_said_in_both_ways(tmp_path: Path, text: str) -> None:
    content = json.dumps({"images": [IMAGE], "annotations": [{**OBJECT, "segmentation": 0}]})
    content = content.replace('"segmentation": 0', f'"segmentation": {text}')
    messages = []
    for is_quick in (True, False):
        instances = read(tmp_path / "instances.json", content, is_quick)
        with pytest.raises(DataError, match="here: annotation 5") as caught:
            instances.mask(5, 1, "here")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("images", "objects", "message"),
    [
        (
            [IMAGE, {**IMAGE, "id": 2.0}],
            [OBJECT],
            "image number 1: expected 'id' to be of type int",
        ),
        ([IMAGE], [OBJECT, {"id": 6}], "annotation number 1: the key 'image_id' is missing"),
        ([IMAGE], [{**OBJECT, "id": True}], "annotation number 0: expected 'id' to be of type int"),
        (
            [IMAGE],
            [{**OBJECT, "id": 2**63}],
            "annotation number 0: expected 'id' to be of type int",
        ),
        ([IMAGE, 7], [OBJECT], "image number 1: expected a record with the key 'id'"),
        ([{**IMAGE, "file_name": "../a"}], [OBJECT], "image number 0: its file_name '../a' leads"),
        ([IMAGE, {**IMAGE, "width": 7}], [OBJECT], "an earlier image has the same id and differs"),
    ],
)
def test_a_bad_record_is_named(
    tmp_path: Path, images: list[object], objects: list[object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path / "instances.json", {"images": images, "annotations": objects})


def test_one_bad_record_does_not_cost_the_others(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"images": [IMAGE, {}], "annotations": [OBJECT, {"id": "6"}]}))
    bad = BadRecords("skip")
    instances = read_instances(path, bad)
    assert list(instances.images) == [1]
    assert list(instances.annotations) == [5]
    assert len(bad.messages) == 2
    assert not any(isinstance(each, CocoAnnotation) for each in read_coco(path).annotations)

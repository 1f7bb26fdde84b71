"""Only the mark of a format names nothing: a segmentation that covers nothing is a bad record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from refseg.__main__ import main
from refseg.data.datamodule import ReferringDataModule
from refseg.data.readers import read_references
from refseg.data.readers.segmentations import encode_object
from refseg.errors import DataError
from refseg.masks import area, encode_segmentation

from .. import fake_folder, fake_grefcoco, fake_hub, fake_phrasecut, fake_refer, fake_referit

ZEROS = "its run lengths cover no pixel; expected those of an object"
OUTSIDE = r"its polygons lie outside of the image of \d+ × \d+ pixels .* of this very image"
FLAT = r"its polygons enclose no pixel \(x from .* expected the outline of an object"
SHARES = (
    r"shares of width and height \(coordinates between 0 and 1\); expected pixels: multiply each x "
    "by the image's width of {width} and each y by its height of {height}"
)
NOTHING: dict[str, tuple[Callable[[int, int], Any], str]] = {
    "a line": (lambda height, width: [[5, 5, 9, 9, 20, 20, 9, 9]], FLAT),
    "a point": (lambda height, width: [[5, 5, 5, 5, 5, 5]], FLAT),
    "thinner than a pixel": (lambda height, width: [[5.1, 5, 5.2, 5, 5.2, 9, 5.1, 9]], FLAT),
    "right": (lambda height, width: [fake_refer.rectangle(width, 2, width + 9, 8)], OUTSIDE),
    "left": (lambda height, width: [fake_refer.rectangle(-9, 2, -1, 8)], OUTSIDE),
    "below": (lambda height, width: [fake_refer.rectangle(2, height + 1, 9, height + 8)], OUTSIDE),
    "above": (lambda height, width: [fake_refer.rectangle(2, -8, 9, 0)], OUTSIDE),
    "shares": (lambda height, width: [[0.2, 0.3, 0.7, 0.3, 0.7, 0.9]], SHARES),
    "shares of all": (lambda height, width: [[0, 0, 1, 0, 1, 1, 0, 1]], SHARES),
    "shares in parts": (
        lambda height, width: [fake_refer.rectangle(0.5, -0.01, 1.02, 1), [0.1, 0, 0.2, 0, 0.2, 1]],
        SHARES,
    ),
    "zeros": (lambda height, width: {"size": [height, width], "counts": [height * width]}, ZEROS),
    "zeros twice": (
        lambda height, width: [{"size": [height, width], "counts": [height * width]}] * 2,
        ZEROS,
    ),
}


def write_folder(root: Path, segmentation: Callable[[int, int], Any]) -> tuple[str, str, int, int]:
    """The data set with one such record, its name, that of the record, and the image's size."""
    lines = fake_folder.records()
    lines[1]["mask"] = segmentation(30, 40)
    fake_folder.write_files(root / "mine")
    fake_folder.write_csv(root / "mine" / "annotations.csv", lines)
    return "mine", "annotations.csv, line 3", 30, 40


def write_refer(root: Path, segmentation: Callable[[int, int], Any]) -> tuple[str, str, int, int]:
    refs, instances = fake_refer.annotations()
    instances["annotations"][0]["segmentation"] = segmentation(40, 60)
    fake_refer.write_annotations(root, refs, instances)
    fake_refer.write_images(root / "images" / "train2014")
    return "fake", "ref_id 0: annotation 10", 40, 60


def write_grefcoco(
    root: Path, segmentation: Callable[[int, int], Any]
) -> tuple[str, str, int, int]:
    refs, instances = fake_grefcoco.grefs()
    instances["annotations"][3]["segmentation"] = segmentation(60, 40)
    refs[4]["ann_id"], refs[4]["category_id"] = [20, 21], [1, 2]
    refs[3]["ann_id"], refs[3]["category_id"] = [21], [2]  # so that one reference names it
    fake_grefcoco.write_grefs(root, refs, instances)
    fake_refer.write_images(root / "images" / "train2014")
    return "grefcoco", "ref_id 4: annotation 20", 60, 40


def write_hub(root: Path, segmentation: Callable[[int, int], Any]) -> tuple[str, str, int, int]:
    refs, instances = fake_refer.annotations()
    instances["annotations"][0]["segmentation"] = segmentation(40, 60)
    fake_hub.write_parquet(root / "refcoco", fake_hub.rows(refs, instances))
    fake_refer.write_images(root / "coco" / "train2014")
    return "refcoco", "ref_id 0", 40, 60


WRITERS = {
    "folder": write_folder,
    "refer": write_refer,
    "grefcoco": write_grefcoco,
    "hub": write_hub,
}


@pytest.mark.parametrize("kind", NOTHING)
@pytest.mark.parametrize("form", WRITERS)
def test_no_reader_takes_it_for_nothing(tmp_path: Path, form: str, kind: str) -> None:
    segmentation, message = NOTHING[kind]
    dataset, record, height, width = WRITERS[form](tmp_path, segmentation)
    message = message.replace("{height}", str(height)).replace("{width}", str(width))
    with pytest.raises(DataError, match=f"{record}.*{message}"):
        read_references(tmp_path, dataset)
    references = read_references(tmp_path, dataset, on_bad_record="skip")
    assert len([text for text in references.skipped if record in text]) == 1
    named = [row for row in range(len(references)) if references.table["annotation_ids"][row]]
    assert all(area(references.truth(row)) for row in named)


def phrasecut(polygons: object) -> dict[str, Any]:
    files = fake_phrasecut.content()
    files["refer_val"][0]["Polygons"] = polygons
    return files


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        ([[fake_phrasecut.square(70, 5, 8)]], OUTSIDE),
        ([[fake_phrasecut.square(-30, 5, 8)], [fake_phrasecut.square(5, 80, 9)]], FLAT),
        ([[fake_phrasecut.square(0.1, 0.2, 0.6)]], SHARES),
        ([[fake_phrasecut.square(0, 0, 1)]], SHARES),
        ([[[[4, 5], [4, 5], [4, 5]]]], "no polygon of at least two points that differ"),
    ],
)
def test_phrasecut(tmp_path: Path, polygons: object, message: str) -> None:
    fake_phrasecut.write_json(tmp_path / "phrasecut", phrasecut(polygons))
    fake_phrasecut.write_images(tmp_path / "phrasecut" / "images")
    message = message.replace("{height}", "60").replace("{width}", "30")
    with pytest.raises(DataError, match=f"task_id '2400003__0': .*{message}"):
        read_references(tmp_path, "phrasecut")
    references = read_references(tmp_path, "phrasecut", on_bad_record="skip")
    assert (len(references), len(references.skipped)) == (4, 1)


def test_referit(tmp_path: Path) -> None:
    fake_referit.write_fake_referit(tmp_path)
    path = tmp_path / "referit" / "mask" / "38100_3.mat"
    fake_referit.write_mask(path, np.zeros_like(fake_referit.region_mask("38100_3")))
    with pytest.raises(DataError, match=r"region '38100_3': the mask .*38100_3\.mat covers no pix"):
        read_references(tmp_path, "referit")
    references = read_references(tmp_path, "referit", on_bad_record="skip")
    assert (len(references), len(references.skipped)) == (9, 1)


def test_fit_refuses_what_verify_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segmentation, message = NOTHING["shares"]
    message = message.format(height=30, width=40)
    dataset, record, _, _ = write_folder(tmp_path, segmentation)
    assert main(["data", "verify", dataset, "--root", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert record in shown
    assert "1 problem." in shown
    data = ReferringDataModule(tmp_path, dataset, image_size=48, batch_size=2, num_workers=0)
    with pytest.raises(DataError, match=message):
        data.setup("fit")
    data = ReferringDataModule(
        tmp_path, dataset, image_size=48, batch_size=2, num_workers=0, on_bad_record="skip"
    )
    data.setup("fit")
    assert "mine: 1 bad record is left out: " in capsys.readouterr().err


@pytest.mark.parametrize("number", [0, 1, 3])
def test_masks_that_are_black_are_counted_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    lines = [{**fake_folder.records()[0], "expression": f"dog {place}"} for place in range(5)]
    fake_folder.write_files(tmp_path / "mine")
    for place in range(5):
        path = Path("masks", f"{place}.png")
        mask = fake_folder.mask("dog.jpg") * 255
        mask[: place + 1] = 255
        Image.fromarray(mask * (place >= number)).save(tmp_path / "mine" / path)
        lines[place]["mask"] = str(path)
    fake_folder.write_csv(tmp_path / "mine" / "annotations.csv", lines)
    references = read_references(tmp_path, "mine")
    named = [len(ids) for ids in references.table["annotation_ids"].to_pylist()]
    assert named == [0] * number + [1] * (5 - number)
    black = {
        0: (),
        1: ("masks/0.png is black, so that its expression names nothing.",),
        3: ("masks/0.png is black, like 2 others: their expressions name nothing.",),
    }[number]
    assert tuple(note.partition(": the mask ")[2] for note in references.notes) == black
    assert all("annotations.csv, line 2: the mask " in note for note in references.notes)
    assert len(ReferringDataModule(tmp_path, "mine").mixture.parts) == 1
    assert capsys.readouterr().err.count("is black") == bool(number)
    assert main(["data", "verify", "mine", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("is black") == bool(number)


@given(
    st.lists(
        st.lists(st.floats(-20, 60).map(lambda value: round(value, 1)), min_size=6, max_size=12),
        min_size=1,
        max_size=3,
    )
)
def test_what_covers_a_pixel_is_as_it_was(polygons: list[list[float]]) -> None:
    """Polygons that cover something, and are no shares, give the same mask as before."""
    polygons = [polygon[: len(polygon) // 2 * 2] for polygon in polygons]
    mask = encode_segmentation(polygons, 30, 40, "here")
    numbers = [value for polygon in polygons for value in polygon]
    if area(mask) and not -0.1 <= min(numbers) <= max(numbers) <= 1.1:
        assert encode_object(polygons, 30, 40, "here") == mask
    else:
        with pytest.raises(DataError, match=r"here: its polygons"):
            encode_object(polygons, 30, 40, "here")


def test_one_pixel_is_an_object() -> None:
    assert area(encode_object([fake_refer.rectangle(3, 5, 4, 6)], 30, 40, "here")) == 1
    assert area(encode_object([fake_refer.rectangle(0, 0, 1, 1)], 1, 1, "here")) == 1
    assert area(encode_object({"size": [2, 2], "counts": [3, 1]}, 2, 2, "here")) == 1

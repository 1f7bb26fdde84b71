"""`refseg segment` with several photographs, folders and tables."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco

import refseg
from refseg.__main__ import main
from refseg.cli.segment_many import mask_file
from refseg.errors import ConfigError
from refseg.masks import decode, encode_segmentation
from refseg.models.segmenter import Segmenter

SENTENCES = ["star", "the red circle"]


@pytest.fixture
def photos(photo: Path, tmp_path: Path) -> Path:
    """A folder with three images, one of them below it, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    others = sorted(photo.parent.iterdir())[1:4]
    for name, path in zip(("a.png", "b.PNG", "more/a.png"), others, strict=True):
        shutil.copy(path, folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many expressions the network was given each time."""
    counts: list[int] = []
    forward = Segmenter.forward

    def count(self: Segmenter, batch: Any) -> Any:  # noqa: ANN401 - as it is
        counts.append(len(batch.expressions))
        return forward(self, batch)

    monkeypatch.setattr(Segmenter, "forward", count)
    return counts


def expected(checkpoint: Path, folder: Path) -> dict[tuple[str, str], np.ndarray]:
    """The masks by the name of the image and sentence, one by one."""
    model = refseg.load(checkpoint)
    return {
        (name, sentence): model.segment(folder / name, sentence).mask
        for name in ("a.png", "b.PNG", "more/a.png")
        for sentence in SENTENCES
    }


def predictions(output: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in (output / "predictions.jsonl").read_text().splitlines()]


def words(*, expressions: list[str] = SENTENCES) -> list[str]:
    return [word for text in expressions for word in ("--expression", text)]


def test_a_folder(
    eager: Path, photos: Path, tmp_path: Path, seen: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    call = ["segment", str(photos), *words(), "--checkpoint", str(eager), "--output", str(output)]
    assert main(call) == 0
    assert seen == [2, 2, 2], "each image once, with both sentences"
    shown = capsys.readouterr().out
    assert f"6 masks of 3 images: {output}/predictions.jsonl" in shown
    assert "images per second (3 images" in shown
    masks = expected(eager, photos)
    records = predictions(output)
    assert {(record["image"], record["expression"]) for record in records} == set(masks)
    for record in records:
        with Image.open(output / record["mask"]) as image:
            mask = np.asarray(image)
        assert set(np.unique(mask)) <= {0, 255}
        assert ((mask > 0) == masks[record["image"], record["expression"]]).all()
        assert 0 <= record["score"] <= 1
    assert len(list((output / "masks").iterdir())) == 6, "no two have one name"


def test_it_goes_on_where_it_was_stopped(
    eager: Path, photos: Path, tmp_path: Path, seen: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    call = ["segment", str(photos), "--checkpoint", str(eager), "--output", str(output)]
    assert main([*call, *words()]) == 0
    first = {path.name: path.read_bytes() for path in (output / "masks").iterdir()}
    journal = output / "segmented.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1]) + lines[-1][:40])  # the last image was being written
    (output / "masks" / min(first)).unlink()
    seen.clear()
    capsys.readouterr()
    assert main([*call, *words()]) == 0
    assert seen == [2]
    assert "6 masks of 3 images, 2 of them there before" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (output / "masks").iterdir()} == first
    seen.clear()
    assert main([*call, *words(expressions=[*SENTENCES, "blue square"])]) == 0
    assert seen == [1, 1, 1], "one sentence is new"
    seen.clear()
    shutil.copy(photos / "b.PNG", photos / "a.png")
    os.utime(photos / "a.png", (1, 1))
    assert main([*call, *words()]) == 0
    assert seen == [2], "that image is another one"
    assert len(predictions(output)) == 6, "what is asked for now"


def test_masks_of_two_checkpoints_are_not_mixed(
    eager: Path, photos: Path, tmp_path: Path, seen: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    call = ["segment", str(photos / "a.png"), str(photos / "b.PNG"), "--expression", "star"]
    call += ["--output", str(output)]
    assert main([*call, "--checkpoint", str(eager)]) == 0
    copied = shutil.copy(eager, tmp_path / "copied.ckpt")
    content = torch.load(eager, weights_only=True)
    content["state_dict"]["segmenter.decoder.classifier.bias"] -= 0.5
    torch.save(content, tmp_path / "other.ckpt")
    seen.clear()
    assert main([*call, "--checkpoint", str(copied)]) == 0
    assert seen == [], "it is the same one"
    before = predictions(output)
    assert main([*call, "--checkpoint", str(tmp_path / "other.ckpt")]) == 2
    assert "has masks of another checkpoint" in capsys.readouterr().err
    assert predictions(output) == before
    assert main([*call, "--checkpoint", str(tmp_path / "other.ckpt"), "--overwrite"]) == 0
    assert seen == [1, 1]
    assert [record["image"] for record in predictions(output)] == call[1:3]


def test_bad_images_are_told_and_left_out(
    eager: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").write_bytes((photos / "a.png").read_bytes()[:100])
    output = tmp_path / "out"
    call = ["segment", str(photos), str(photos / "none.png"), "--expression", "star"]
    assert main([*call, "--checkpoint", str(eager), "--output", str(output)]) == 1
    told = capsys.readouterr()
    assert "broken.jpg" in told.err
    assert "none.png is absent" in told.err
    assert "2 records left out" in told.out
    assert len(predictions(output)) == 3


def test_a_table(
    eager: Path, photos: Path, tmp_path: Path, seen: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "image,expression\nmore/a.png,star\nb.PNG,the red circle\nmore/a.png,the red circle\n"
        "b.PNG,qwertz\n,star\nb.PNG,the red circle\ngone.png,star\n"
    )
    output = tmp_path / "out"
    call = ["segment", str(photos), "--expressions", str(table), "--checkpoint", str(eager)]
    assert main([*call, "--output", str(output)]) == 1
    assert seen == [2, 1]
    told = capsys.readouterr()
    assert "table.csv, line 5: No word of 'qwertz'" in told.err
    assert "table.csv, line 6: its image is missing" in told.err
    assert "gone.png is absent" in told.err
    assert "3 records left out" in told.out
    masks = expected(eager, photos)
    found = {(record["image"], record["expression"]): record for record in predictions(output)}
    assert [*found] == [
        ("more/a.png", "star"),
        ("more/a.png", "the red circle"),
        ("b.PNG", "the red circle"),
    ]
    for key, record in found.items():
        with Image.open(output / record["mask"]) as image:
            assert ((np.asarray(image) > 0) == masks[key]).all()


@pytest.mark.parametrize("form", ["coco", "polygons"])
def test_coco(form: str, eager: Path, photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    call = ["segment", str(photos), *words(), "--checkpoint", str(eager), "--format", form]
    assert main([*call, "--output", str(output)]) == 0
    assert {path.name for path in output.iterdir()} >= {"instances.json", "segmented.jsonl"}
    assert not (output / "masks").exists()
    content = json.loads((output / "instances.json").read_text())
    images = {image["id"]: image for image in content["images"]}
    masks = expected(eager, photos)
    assert len(content["annotations"]) == 6
    for annotation in content["annotations"]:
        image = images[annotation["image_id"]]
        mask = masks[image["file_name"], annotation["expression"]]
        assert (image["height"], image["width"]) == mask.shape
        assert annotation["area"] == mask.sum()
        segmentation = annotation["segmentation"]
        assert isinstance(segmentation, list if form == "polygons" else dict)
        if segmentation:
            assert (decode(encode_segmentation(segmentation, *mask.shape, "here")) == mask).all()
        rows, columns = np.nonzero(mask)
        if len(rows):
            left, top, width, height = annotation["bbox"]
            assert (left, top) == (columns.min(), rows.min())
            assert (left + width - 1, top + height - 1) == (columns.max(), rows.max())
    if form == "coco":
        rle = content["annotations"][0]["segmentation"]
        assert coco.area(rle) == content["annotations"][0]["area"]


def test_words_may_stand_on_both_sides_of_options(
    eager: Path, photos: Path, tmp_path: Path
) -> None:
    call = ["segment", str(photos / "a.png"), "--checkpoint", str(eager), "star"]
    assert main([*call, "--output", str(tmp_path / "one")]) == 0
    assert {path.name for path in (tmp_path / "one").iterdir()} == {
        "a-star-mask.png",
        "a-star-overlay.png",
    }
    call = ["segment", str(photos / "a.png"), "--expression", "star", str(photos / "b.PNG")]
    assert main([*call, "--checkpoint", str(eager), "--output", str(tmp_path / "two")]) == 0
    assert len(predictions(tmp_path / "two")) == 2


def test_one_photograph_with_expression_is_as_with_a_sentence(
    eager: Path, photos: Path, tmp_path: Path
) -> None:
    call = ["segment", str(photos / "a.png"), "--expression", "star", "--checkpoint", str(eager)]
    assert main([*call, "--output", str(tmp_path / "one")]) == 0
    assert (tmp_path / "one" / "a-star-overlay.png").is_file()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["a.png"], "Expected what to segment in a.png, got nothing"),
        (["."], "--expressions FILE.csv"),
        ([".", "star"], "Expected what to segment in ., got nothing"),
        (
            ["a.png", "b.PNG"],
            "Expected sentences behind a.png, got the file b.PNG; `refseg segment",
        ),
        (["a.png", "--expressions", "x.csv"], "Expected one folder of images with --expressions"),
        ([".", "star", "--expressions", "x.csv"], "Expected one folder of images"),
        ([".", "--expressions", "x.csv"], "Cannot read x.csv"),
        ([".", "--expressions", "x.csv", "--expression", "star"], "got both"),
        ([".", "--expression", "star", "--words"], "draw one photograph"),
        ([".", "--expression", "qwertz"], "No word of 'qwertz'"),
        (["more/empty", "--expression", "star"], "Expected images to segment, found none"),
    ],
)
def test_what_is_refused(
    call: list[str],
    message: str,
    eager: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photos)
    (photos / "more" / "empty").mkdir()
    assert main(["segment", *call, "--checkpoint", str(eager)]) == 2
    assert message in capsys.readouterr().err
    assert not list(photos.rglob("*mask*"))


@pytest.mark.parametrize("place", [".", "out"])
def test_results_in_the_folder_of_images_are_no_images(
    place: str, eager: Path, photos: Path
) -> None:
    call = ["segment", str(photos), "--expression", "star", "--checkpoint", str(eager)]
    for _ in range(2):
        assert main([*call, "--output", str(photos / place)]) == 0
        assert len(predictions(photos / place)) == 3


def test_two_at_once_are_refused(eager: Path, photos: Path, tmp_path: Path) -> None:
    from refseg.cli.segment_many import _alone_in

    with (
        _alone_in(tmp_path / "out"),
        pytest.raises(ConfigError, match="Another `refseg segment` writes in"),
        _alone_in(tmp_path / "out"),
    ):
        pass


def test_names_of_files() -> None:
    long = "the left one of the two very large dogs, " * 30
    names = {
        mask_file(Path(image), sentence)
        for image in ("/a/dog.jpg", "/b/dog.jpg", "/a/dog.png", "/a/.../…", f"/a/{'x' * 240}.png")
        for sentence in ("dog", "Dog!", "../../dog", "", "/", "🐶", "a\nb\0c", long, f"{long}?")
    }
    assert len({name.lower() for name in names}) == 5 * 9
    for name in names:
        assert len(name.encode()) < 160
        assert not set(name) & set('/\\:*?"<>|\0\n')
        assert name[0] != "."

"""`refseg data preview`: a picture of what was asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refseg.__main__ import main

from ...data.fake_refer import write_fake_refer


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_refer(tmp_path_factory.mktemp("preview") / "root")


def preview(root: Path, path: Path, *words: str) -> np.ndarray:
    assert (
        main(["data", "preview", "fake", "--root", str(root), "--output", str(path), *words]) == 0
    )
    return np.asarray(Image.open(path))


def test_sheet(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep" / "sheet.png"
    sheet = preview(root, path, "--count", "5", "--columns", "2")
    assert sheet.shape[1] == 20 + 400 + 24 + 400 + 20
    output = capsys.readouterr().out
    assert "fake (unc), train, val, testA, testB  ·  5 of 7 images  ·  seed 0" in output
    assert output.endswith(f"{path}\n")


def test_the_seed_decides(root: Path, tmp_path: Path) -> None:
    sheets = [
        preview(root, tmp_path / f"{number}.png", "--count", "2", "--seed", seed)
        for number, seed in enumerate("001")
    ]
    assert np.array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[0], sheets[2])


def test_grep(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = preview(root, tmp_path / "1.png", "--splits", "val", "--grep", "left")
    assert "1 of 1 images with “left”" in capsys.readouterr().out
    large = preview(root, tmp_path / "2.png", "--splits", "val")
    assert small.shape[0] < large.shape[0]  # one object of three
    words = ["data", "preview", "fake", "--root", str(root), "--grep", "giraffe"]
    assert main(words) == 2
    assert "No expression of fake (unc) here has 'giraffe'" in capsys.readouterr().err


def test_a_broken_image_does_not_spoil_the_others(tmp_path: Path) -> None:
    root = write_fake_refer(tmp_path / "root")
    whole = preview(root, tmp_path / "1.png")
    images = sorted((root / "images" / "train2014").iterdir())
    images[0].write_bytes(b"")
    images[1].unlink()
    damaged = preview(root, tmp_path / "2.png")
    assert damaged.shape == whole.shape
    assert not np.array_equal(damaged, whole)


def test_shapes_need_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes_root: Path
) -> None:
    monkeypatch.setattr("refseg.data.shapes.prepare_shapes", lambda options: shapes_root)
    path = tmp_path / "shapes.png"
    assert main(["data", "preview", "shapes", "--count", "2", "--output", str(path)]) == 0
    assert path.is_file()

"""Shared images as a table, as JSON and as an exit code."""

import json
from pathlib import Path

import pytest

from refseg.__main__ import main

from ...data.fake_mixture import MIXTURE, write_fake_mixture, write_set


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    return write_fake_mixture(tmp_path / "root")


def test_every_pair(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compared with sets, worked out from what the data sets were made of."""
    path = tmp_path / "new" / "overlap.json"
    assert main(["data", "overlap", "--root", str(root), "--json", str(path)]) == 0
    images: dict[str, set[int]] = {}
    for (name, split_by), splits in MIXTURE.items():
        for image, split in splits.items():
            images.setdefault(f"{name} ({split_by}) {split}", set()).add(image)
    expected = [
        {
            "training": training,
            "evaluation": evaluation,
            "images": len(images[training] & images[evaluation]),
            "training_images": len(images[training]),
            "evaluation_images": len(images[evaluation]),
            "expressions": 6 * len(images[training] & images[evaluation]),
            "training_expressions": 6 * len(images[training]),
        }
        for training in images if training.endswith("train")
        for evaluation in images if not evaluation.endswith("train")
    ]  # fmt: skip
    order = [(record["training"], record["evaluation"]) for record in expected]
    records = json.loads(path.read_text())
    assert sorted(records, key=lambda r: order.index((r["training"], r["evaluation"]))) == expected
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["refcoco", "(unc)", "train", "refcoco+", "(unc)", "val", "1", "33.3",
            "100.0", "6"] in rows  # fmt: skip
    assert ["refcoco", "(unc)", "train", "2", "66.7", "12", "66.7"] in rows
    assert "testC" not in out


def test_exit_codes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "overlap", "--root", str(root)]
    assert main([*words, "--fail"]) == 1
    assert main([*words, "refcoco:unc", "--fail"]) == 0
    assert (
        "No image of refcoco (unc) train is an image of refcoco (unc) val, refcoco (unc) testA"
        in (" ".join(capsys.readouterr().out.split()))
    )
    write_set(root, "refcocog", "google", {1: "val", 2: "val"})
    assert main([*words, "refcocog:google"]) == 0
    assert "No data set has both" in capsys.readouterr().out
    write_set(root, "refcocog", "google", {1: "val", 7: "train"})
    assert main([*words, "refcoco:unc", "refcocog:google", "--fail"]) == 1


def test_messages(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "overlap", "refcoco:google", "--root", str(root)]) == 2
    assert "has no refs(google).p" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["data", "overlap", "--root", str(tmp_path / "empty")]) == 2
    assert "has no folder with annotations" in capsys.readouterr().err

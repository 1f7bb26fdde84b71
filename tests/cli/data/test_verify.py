"""`refseg data verify`: the table, the file, and the exit code."""

import json
from pathlib import Path

import pytest

from refseg.__main__ import main

from ...data.fake_refer import annotations, write_annotations, write_fake_refer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_fake_refer(tmp_path / "root")


def verify(root: Path, *words: str) -> int:
    return main(["data", "verify", "fake", "--root", str(root), "--jobs", "1", *words])


def test_clean(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(root) == 0
    output = capsys.readouterr().out
    assert "fake (unc)" in output
    assert "Nothing is wrong." in output
    assert "7 images (decoded)" in output


def test_damage(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    refs, instances = annotations()
    for ref in refs[:4]:
        ref["ann_id"] = 999
    write_annotations(root, refs, instances)
    for path in (root / "images" / "train2014").glob("*[67].*"):
        path.unlink()
    report = tmp_path / "report" / "problems.json"
    assert verify(root, "--examples", "3", "--json", str(report)) == 1
    output = capsys.readouterr().out
    assert "6 problems." in output
    assert "ref_id 2" in output
    assert "ref_id 3" not in output
    assert "… and 1 more" in output
    assert "image absent" in output
    assert str(report) in output.replace("\n", "")
    content = json.loads(report.read_text())
    assert content["is_clean"] is False
    assert [finding["kind"] for finding in content["findings"]] == ["record"] * 4 + [
        "image absent"
    ] * 2
    assert content["findings"][3]["record"] == "fake/refs(unc).p, ref_id 3"
    assert content["counts"][0]["found"]["references"] == 8


def test_headers_only(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "images" / "train2014" / "COCO_train2014_000000000003.jpg"
    path.write_bytes(path.read_bytes()[:-100])
    assert verify(root, "--no_pixels") == 0
    assert "headers only" in capsys.readouterr().out
    assert verify(root) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing", "--root", "."], "Set --root and NAME."),
        (["fake", "--root", "/no/where"], "The folder /no/where is absent"),
        (["fake"], "give it with --root"),
    ],
)
def test_wrong_words(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "verify", *words]) == 2
    assert message in capsys.readouterr().err

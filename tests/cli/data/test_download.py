"""`refseg data download`."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from refseg.__main__ import main
from refseg.data.catalog import CATALOG, IMAGE_SETS
from refseg.data.downloads.delivery import LOCK

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mirror is a port of this machine where nobody listens."""
    for collection in (CATALOG, IMAGE_SETS):
        for name, item in list(collection.items()):
            files = tuple(replace(file, mirrors=("http://127.0.0.1:9/",)) for file in item.files)
            monkeypatch.setitem(collection, name, replace(item, files=files))


def make_zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"{}")
    return path


def test_what_the_user_has_is_taken(tmp_path: Path, capsys: Capture) -> None:
    names = [f"refcoco/{pattern}" for pattern in CATALOG["refcoco"].files[0].holds]
    annotations = make_zip(tmp_path / "refcoco.zip", *names)
    images = make_zip(tmp_path / "train2014.zip", "train2014/1.jpg", "train2014/2.jpg")
    root = tmp_path / "root"
    words = ["data", "download", "refcoco", "--root", str(root)]
    assert main([*words, "--with_images", "--from", str(annotations), str(images)]) == 0
    assert sorted(path.name for path in (root / "refcoco").iterdir()) == [
        "instances.json",
        "refs(google).p",
        "refs(unc).p",
    ]
    assert (root / "images" / "train2014.zip").resolve() == images
    output = capsys.readouterr().out
    assert f"unpacked {annotations}" in output
    assert "as published 53,993,993" in output  # the copy has another size, which is said
    assert main([*words, "--with_images", "--from", str(images)]) == 0
    output = capsys.readouterr().out
    assert "2 of 82,783 images" in output
    assert f"--from {images}: nothing was taken from it" in output


def test_absent_images_are_mentioned(tmp_path: Path, capsys: Capture) -> None:
    names = [f"refcoco/{pattern}" for pattern in CATALOG["refcoco"].files[0].holds]
    make_zip(tmp_path / "refcoco.zip", *names)
    assert main(["data", "download", "refcoco", "--root", str(tmp_path)]) == 0
    assert "--with_images" in capsys.readouterr().out


def test_when_nothing_helps_the_message_says_what_to_do(tmp_path: Path, capsys: Capture) -> None:
    assert main(["data", "download", "refcoco", "grefcoco", "--root", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out.count("skipped: the server refuses the connection") == 3
    assert f"get refcoco.zip and put it into {tmp_path}\n" in captured.err
    assert f"get instances.json and put it into {tmp_path / 'grefcoco'}\n" in captured.err
    assert "https://github.com/lichengunc/refer/issues/14" in captured.err
    assert "--from PATH" in captured.err
    assert "first" not in captured.err
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_what_came_of_a_file_is_mentioned(tmp_path: Path, capsys: Capture) -> None:
    partial = tmp_path / "downloads" / "refcoco" / "refcoco.zip.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"PK\x03\x04 and more")
    assert main(["data", "download", "refcoco", "--root", str(tmp_path)]) == 2
    assert f"{partial} has the first 13 bytes" in capsys.readouterr().err


def test_the_built_in_set_needs_nothing(tmp_path: Path, capsys: Capture) -> None:
    assert main(["data", "download", "shapes", "--root", str(tmp_path)]) == 0
    assert "drawn on first use" in capsys.readouterr().out


def test_wrong_words_are_errors(tmp_path: Path, capsys: Capture) -> None:
    root = ["--root", str(tmp_path / "root")]
    assert main(["data", "download", "refcoc", *root]) == 2
    assert "did you mean refcoco?" in capsys.readouterr().err
    assert main(["data", "download", "refcoco", *root, "--from", str(tmp_path / "absent")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()

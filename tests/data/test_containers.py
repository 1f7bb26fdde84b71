"""Members of zip files against zipfile's own reading; damage of every kind; worker processes."""

import multiprocessing
import shutil
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from refseg.data import containers as archives
from refseg.data.containers import Member, find_member, has_member, index_of, read_member
from refseg.data.images import image_exists, image_size, read_image
from refseg.errors import DataError

NAMES = ("train2014/cat.png", "train2014/a dog.png", "top.png", "train2014/Zürich.png")


def picture(seed: int) -> bytes:
    buffer = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "train2014.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.mkdir("train2014")
        for number, name in enumerate(NAMES):
            method = zipfile.ZIP_STORED if number % 2 else zipfile.ZIP_DEFLATED
            opened.writestr(name, picture(number), method)
    return path


def test_reads_what_zipfile_reads(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for name in NAMES:
            assert read_member(Member(archive, name)) == opened.read(name)
    assert index_of(archive).folders == ("train2014", ".")


def test_reads_zip64_archives_with_something_before_them(archive: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(b"#!/bin/sh\n" + content)
    assert read_member(Member(archive, NAMES[0])) == picture(0)
    with (
        zipfile.ZipFile(archive, "w") as opened,
        opened.open("large.png", "w", force_zip64=True) as file,
    ):
        file.write(picture(7))
    assert read_member(Member(archive, "large.png")) == picture(7)


def test_images_out_of_an_archive(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(picture(0))
    path = archive / NAMES[0]
    np.testing.assert_array_equal(read_image(path), read_image(tmp_path / "cat.png"))
    assert image_size(path) == image_size(tmp_path / "cat.png") == (20, 30)
    assert image_exists(path)
    assert image_exists(tmp_path / "cat.png")
    assert not image_exists(archive / "train2014" / "mouse.png")
    assert not image_exists(archive / "train2014")
    assert not image_exists(tmp_path / "mouse.png")
    with pytest.raises(DataError, match=r"The image .*train2014\.zip/mouse\.png is absent"):
        read_image(archive / "mouse.png")
    with pytest.raises(DataError, match="is absent"):
        image_size(tmp_path / "mouse.png")
    assert {entry.name for entry in tmp_path.iterdir()} == {"cat.png", "train2014.zip"}


def test_a_folder_may_be_called_like_an_archive(tmp_path: Path) -> None:
    folder = tmp_path / "photos.zip" / "train"
    folder.mkdir(parents=True)
    (folder / "cat.png").write_bytes(picture(0))
    assert find_member(folder / "cat.png") is None
    assert image_size(folder / "cat.png") == (20, 30)


def test_a_changed_archive_is_read_anew(archive: Path) -> None:
    assert has_member(Member(archive, NAMES[0]))
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("new.png", picture(5))
    assert not has_member(Member(archive, NAMES[0]))
    assert read_member(Member(archive, "new.png")) == picture(5)


def _change(archive: Path, name: str, field: int, value: bytes) -> None:
    """Overwrite a field of a member's entry in the central directory."""
    content = bytearray(archive.read_bytes())
    place = content.rindex(name.encode()) - 46 + field
    content[place : place + len(value)] = value
    archive.write_bytes(content)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (8, b"\x01\x00", r"cat\.png in .*train2014\.zip is encrypted; unpack the archive"),
        (10, b"\x0c\x00", r"cat\.png in .* is damaged \(compression method 12"),
        (16, b"\x00\x01\x02\x03", r"is damaged \(wrong checksum\)"),
        (20, struct.pack("<I", 100), "is damaged"),
        (24, struct.pack("<I", 10), "is damaged"),
        (24, struct.pack("<I", 2**31), r"has 2,147,483,648 bytes, which no image has"),
        (42, struct.pack("<I", 3), r"is damaged \(its header is not where"),
    ],
)
def test_what_is_wrong_with_a_member(archive: Path, field: int, value: bytes, message: str) -> None:
    _change(archive, NAMES[0], field, value)
    with pytest.raises(DataError, match=message):
        read_image(archive / NAMES[0])
    assert read_image(archive / NAMES[1]).shape == (20, 30, 3)


def test_an_archive_that_unpacks_to_more_than_it_says(tmp_path: Path) -> None:
    """A zip bomb: 50 MB of zeros that claim to be 1,000 bytes are not unpacked."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("x.png", bytes(50_000_000))
    _change(path, "x.png", 24, struct.pack("<I", 1000))
    with pytest.raises(DataError, match="is damaged"):
        read_member(Member(path, "x.png"))


@pytest.mark.parametrize("kept", [0, 10, 500, 2000])
def test_truncated(archive: Path, kept: int) -> None:
    archive.write_bytes(archive.read_bytes()[:kept])
    for read in (read_image, image_size, image_exists):
        with pytest.raises(DataError, match=r"train2014\.zip is not a complete zip file"):
            read(archive / NAMES[0])


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1))
def test_mutated(tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("train2014/cat.png", picture(0))
        opened.writestr("dog.png", bytes(120), zipfile.ZIP_DEFLATED)
    content = bytearray(buffer.getvalue())
    for place, value in changes:
        content[-1 - place % min(len(content), 400)] = value  # the directory is at the end
    path = tmp_path_factory.mktemp("mutated") / "m.zip"
    path.write_bytes(content)
    for name in ("train2014/cat.png", "dog.png"):
        try:
            content = read_member(Member(path, name))
        except DataError as error:
            message = str(error)
        except FileNotFoundError:
            continue
        else:
            message = f"m.zip {content in (picture(0), bytes(120))}"
        assert "m.zip" in message
        assert "False" not in message


def _sums(paths: list[Path]) -> list[int]:
    return [int(read_image(path).sum()) for path in paths]


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_several_processes_at_once(archive: Path, method: str) -> None:
    """The parent has the index, and reads while its children do."""
    paths = [archive / name for name in NAMES] * 20
    expected = _sums(paths)
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = [pool.apply_async(_sums, (paths,)) for _ in range(4)]
        assert _sums(paths) == expected
        assert [result.get(timeout=60) for result in results] == [expected] * 4


def test_no_archive_stays_open(archive: Path) -> None:
    read_image(archive / NAMES[0])
    archives._read_index.cache_clear()
    open_files = [link.resolve() for link in Path("/proc/self/fd").glob("*")]
    assert archive.resolve() not in open_files


def test_real_photographs_in_an_archive(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "pocket" / "images"
    archive = shutil.make_archive(str(tmp_path / "train2014"), "zip", folder, "train2014")
    for path in sorted((folder / "train2014").glob("*.jpg"))[:3]:
        inside = Path(archive, "train2014", path.name)
        np.testing.assert_array_equal(read_image(inside), read_image(path))

"""Images are told by their bytes; what was read once is not read again."""

import hashlib
import os
import time
import zipfile
from pathlib import Path

import pytest

from refseg.data.features import ImageDigests
from refseg.data.features import digests as module_under_test
from refseg.data.features.digests import digest_of
from refseg.errors import DataError


def put(path: Path, content: bytes, age: float = 60) -> str:
    path.write_bytes(content)
    then = time.time() - age
    os.utime(path, (then, then))
    return str(path)


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    original = module_under_test.read_encoded

    def read(path: str) -> bytes:
        seen.append(str(path))
        return original(path)

    monkeypatch.setattr(module_under_test, "read_encoded", read)
    return seen


def test_digests_are_remembered_as_long_as_the_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = put(tmp_path / "a.jpg", b"one")
    seen = reads(monkeypatch)
    digests = ImageDigests(tmp_path / "memory.parquet")
    assert [row.tobytes() for row in digests.of_all([image, image], [(1, 1)] * 2)] == [
        sha(b"one")
    ] * 2
    digests.save()
    again = ImageDigests(tmp_path / "memory.parquet")
    assert again.of(image).sha256 == sha(b"one")
    assert seen == [image]
    put(tmp_path / "a.jpg", b"two", age=50)  # of the same size
    assert again.known(image) is None
    assert again.of(image).sha256 == sha(b"two")


def test_a_file_that_was_just_written_is_not_trusted(tmp_path: Path) -> None:
    image = put(tmp_path / "a.jpg", b"one", age=0)
    digests = ImageDigests(tmp_path / "memory.parquet")
    assert digests.of(image).sha256 == sha(b"one")
    assert digests.known(image) is None


def test_images_in_a_zip_file(tmp_path: Path) -> None:
    archive = tmp_path / "images.zip"
    for content in (b"one", b"two"):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("folder/a.jpg", content)
        then = time.time() - 60 + len(content) + content[0]
        os.utime(archive, (then - 200, then - 200))
        digests = ImageDigests(tmp_path / "memory.parquet")
        image = f"{archive}/folder/a.jpg"
        assert digests.of(image) == digests.known(image) == digest_of(content)
        digests.save()


@pytest.mark.parametrize("content", [b"", b"PAR1 and so on", b"\0" * 50])
def test_a_damaged_memory_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "memory.parquet").write_bytes(content)
    image = put(tmp_path / "a.jpg", b"one")
    assert ImageDigests(tmp_path / "memory.parquet").of(image).sha256 == sha(b"one")


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.jpg is absent"):
        ImageDigests(tmp_path / "memory.parquet").of_all([str(tmp_path / "no.jpg")], [(1, 1)])

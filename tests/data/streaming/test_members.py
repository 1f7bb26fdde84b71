"""Paths that run through a shard, read by one process or by many."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from refseg.data.images import image_exists, image_size, read_image
from refseg.data.readers import read_references
from refseg.data.streaming.members import read_member, runs_through_shard
from refseg.data.streaming.shards import open_shards
from refseg.data.streaming.storage import CACHE_SIZE_VARIABLE
from refseg.errors import DataError

from .server import Server


def pairs(stream: str, fake_root: Path) -> dict[str, str]:
    """The paths of the images in the shards and in the folder."""
    opened, folder = open_shards(stream), read_references(fake_root, "fake")
    return dict(
        zip(
            opened.table["image_path"].to_pylist(),
            folder.table["image_path"].to_pylist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("remote", [False, True])
def test_the_bytes_of_the_file(shards: Path, server: Server, fake_root: Path, remote: bool) -> None:
    found = pairs(server.address if remote else f"file://{shards}", fake_root)
    assert len(found) == 7
    for ours, theirs in found.items():
        assert read_member(ours) == Path(theirs).read_bytes()
        np.testing.assert_array_equal(read_image(ours), read_image(Path(theirs)))
        assert image_size(ours) == image_size(theirs)
        assert image_exists(ours)
        if not remote:  # a URL is none of a Path's business
            np.testing.assert_array_equal(read_image(Path(ours)), read_image(theirs))


def test_a_cache_smaller_than_a_shard_still_serves(
    server: Server, fake_root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_SIZE_VARIABLE, "1e-9")
    for _ in range(2):
        for ours, theirs in pairs(server.address, fake_root).items():
            assert read_member(ours) == Path(theirs).read_bytes()
            assert len(list(cache.glob("*.tar"))) == 1
    assert server.requests["val-000000.tar"] == 2


def test_a_folder_may_be_called_like_a_shard(tmp_path: Path, fake_root: Path) -> None:
    source = fake_root / "images" / "train2014" / "COCO_train2014_000000000001.jpg"
    (tmp_path / "my.tar").mkdir()
    path = Path(shutil.copy(source, tmp_path / "my.tar" / "cat.jpg"))
    assert not runs_through_shard(str(path))
    np.testing.assert_array_equal(read_image(path), read_image(source))


def test_messages(shards: Path, tmp_path: Path, server: Server) -> None:
    with pytest.raises(DataError, match=r"The image .*val-000000\.tar/cat\.jpg is absent"):
        read_image(f"{shards}/val-000000.tar/cat.jpg")
    assert not image_exists(f"{shards}/val-000000.tar/cat.jpg")
    with pytest.raises(DataError, match=r"The index of fake \(unc\) names no shard 'x\.tar'"):
        read_member(f"{server.address}/x.tar/cat.jpg")
    (tmp_path / "text.tar").write_text("hello" * 500)
    with pytest.raises(DataError, match=r"Cannot read the shard .*text\.tar .*copy it again"):
        read_member(f"{tmp_path}/text.tar/cat.jpg")
    with pytest.raises(DataError, match=r"cat\.jpg is absent"):
        read_image(tmp_path / "none.tar" / "cat.jpg")

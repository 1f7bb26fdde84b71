"""Fixtures: the data set `fake` in shards, in a folder and behind a web server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from refseg.data.readers import read_references
from refseg.data.streaming import storage
from refseg.data.streaming.writer import write_shards

from .server import Server, serve


@pytest.fixture(scope="session")
def shards(fake_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the shards of `fake`, one image each, which no test may change."""
    folder = tmp_path_factory.mktemp("shards") / "fake"
    write_shards(read_references(fake_root, "fake"), folder, "fake", shard_size=1e-6)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own, and no pause between attempts."""
    monkeypatch.setenv("REFSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "FIRST_PAUSE", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "streams"


@pytest.fixture
def server(shards: Path, cache: Path) -> Iterator[Server]:
    """The shards behind a web server."""
    with serve(shards) as served:
        yield served

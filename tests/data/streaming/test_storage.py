"""Fetching: from a server that misbehaves, into a cache that does not outgrow its limit."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from refseg.data.streaming import storage
from refseg.data.streaming.storage import ATTEMPTS, CACHE_SIZE_VARIABLE, read_bytes, stored
from refseg.errors import ConfigError, DataError

from .server import Handler, Server, busy, hang_up, serve, something_else

NAME = "val-000000.tar"


def fetch(server: Server, shards: Path, name: str = NAME) -> Path:
    content = (shards / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return stored(f"{server.address}/{name}", len(content), digest)


def test_fetched_once(server: Server, shards: Path, cache: Path) -> None:
    paths = {fetch(server, shards) for _ in range(3)}
    assert server.requests[NAME] == 1
    (path,) = paths
    assert path.parent == cache
    assert path.read_bytes() == (shards / NAME).read_bytes()


@pytest.mark.parametrize("trouble", [busy, hang_up, something_else])
def test_a_trouble_that_passes(
    server: Server, shards: Path, trouble: Callable[[Handler], None]
) -> None:
    server.troubles[NAME] = [trouble]
    assert fetch(server, shards).read_bytes() == (shards / NAME).read_bytes()
    assert server.requests[NAME] == 2


def test_troubles_that_last(server: Server, shards: Path, cache: Path) -> None:
    server.troubles[NAME] = [busy] * ATTEMPTS
    with pytest.raises(DataError, match=rf"Cannot fetch http.*{NAME} \(.*503.*tried {ATTEMPTS} t"):
        fetch(server, shards)
    server.troubles[NAME] = [something_else] * 2
    with pytest.raises(DataError, match=r"not the file that the index .* describes .*got 5 with"):
        fetch(server, shards)
    server.troubles.clear()
    with pytest.raises(DataError, match=r"There is no http.*/none\.tar"):
        stored(f"{server.address}/none.tar", 5, "0" * 64)
    assert server.requests["none.tar"] == 1, "what is absent is not asked for again"
    assert not list(cache.glob("*.tar"))


def test_no_server(cache: Path, shards: Path) -> None:
    with serve(shards) as server:
        address = server.address
    with pytest.raises(DataError, match=r"Cannot fetch http.*index\.json .*check the address and"):
        read_bytes(f"{address}/index.json")


def test_unknown_kinds_of_address(cache: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read from teleport://x .*file://, http://"):
        read_bytes("teleport://x")


def test_a_missing_package_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def url_to_fs(address: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    with pytest.raises(ConfigError, match=r"s3:// needs .*s3fs.*pip install 'refseg\[stream\]'"):
        read_bytes("s3://bucket/index.json")


def test_what_was_used_last_stays(
    server: Server, shards: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"train-00000{number}.tar" for number in range(4)]
    sizes = [(shards / name).stat().st_size for name in names]
    monkeypatch.setenv(CACHE_SIZE_VARIABLE, str((sum(sizes) - sizes[1] + 10) / 1e9))
    paths = []
    for moment, name in enumerate(names[:3]):
        paths.append(fetch(server, shards, name))
        os.utime(paths[-1], (moment, moment))
    fetch(server, shards, names[0])  # used again, so that the second is now the oldest
    paths.append(fetch(server, shards, names[3]))  # for which one has to go
    assert [path.exists() for path in paths] == [True, False, True, True]


def test_what_is_wanted_stays_in_a_cache_that_is_too_small(
    server: Server, shards: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(server, shards, "train-000000.tar")
    monkeypatch.setenv(CACHE_SIZE_VARIABLE, "1e-9")
    path = fetch(server, shards)
    assert list(cache.glob("*.tar")) == [path]


def test_the_limit_is_a_number(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("much", "0", "-1", "nan", "inf"):
        monkeypatch.setenv(CACHE_SIZE_VARIABLE, value)
        with pytest.raises(ConfigError, match=f"{CACHE_SIZE_VARIABLE} to be a number of GB"):
            storage.cache_limit()


def test_a_cache_that_cannot_be_written(
    server: Server, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("REFSEG_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set the environment variable REFSEG_CACHE"):
        fetch(server, shards)


def _stored_size(address: str, size: int, digest: str) -> int:
    return stored(address, size, digest).stat().st_size


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_processes_share_one_fetch(server: Server, shards: Path, cache: Path, method: str) -> None:
    read_bytes(f"{server.address}/index.json")  # this process's connection must not be the others'
    content = (shards / NAME).read_bytes()
    task = (f"{server.address}/{NAME}", len(content), hashlib.sha256(content).hexdigest())
    with ProcessPoolExecutor(3, mp_context=get_context(method)) as pool:
        sizes = [pool.submit(_stored_size, *task) for _ in range(6)]
        assert {size.result() for size in sizes} == {len(content)}
    assert server.requests[NAME] == 1

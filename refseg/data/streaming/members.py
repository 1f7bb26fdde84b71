"""Reads images inside of shards, by a path that runs through the shard."""

import re
import tarfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from refseg.data.streaming.shards import index_of
from refseg.data.streaming.storage import CACHE_SIZE_VARIABLE, is_remote, stored
from refseg.errors import DataError

_THROUGH_SHARD = re.compile(r"(?P<folder>.*)/(?P<shard>[^/]+\.tar)/(?P<member>.+)")
_ATTEMPTS = 10
_T = TypeVar("_T")


def runs_through_shard(path: str) -> bool:
    """Whether a path or address leads into a tar file.

    Example:
        >>> runs_through_shard("https://host/refcoco/train-000000.tar/000001/cat.jpg")
        True
        >>> runs_through_shard("/data/refcoco/cat.jpg")
        False
    """
    found = _THROUGH_SHARD.fullmatch(path)
    return found is not None and (
        is_remote(path) or Path(found["folder"], found["shard"]).is_file()
    )


def without_shard(path: str) -> str:
    """The path without the shard, the same for an image that lies in the shards of two splits.

    Example:
        >>> without_shard("https://host/refcoco/val-000000.tar/000001/cat.jpg")
        'https://host/refcoco/000001/cat.jpg'
        >>> without_shard("/data/refcoco/cat.jpg")
        '/data/refcoco/cat.jpg'
    """
    found = _THROUGH_SHARD.fullmatch(path)
    return path if found is None else f"{found['folder']}/{found['member']}"


def has_member(path: str) -> bool:
    """Whether a shard has the member that a path leads to.

    Raises:
        DataError: as `read_member`.
    """
    return _read(path, lambda shard, place: place is not None)


def read_member(path: str) -> bytes:
    """The bytes of one file in a shard, for a path of which `runs_through_shard` is true.

    Nothing stays open between calls, so that worker processes may be started at any time.

    Raises:
        DataError: the shard is absent, broken or cannot be fetched.
        FileNotFoundError: it has no such member.
    """
    content = _read(path, _content)
    if content is None:
        raise FileNotFoundError(path)
    return content


def _content(shard: Path, place: tuple[int, int] | None) -> bytes | None:
    if place is None:
        return None
    with shard.open("rb") as file:
        file.seek(place[0])
        return file.read(place[1])


def _read(path: str, action: Callable[[Path, tuple[int, int] | None], _T]) -> _T:
    """The result of an action on the local file of a shard and the position of a member in it."""
    found = _THROUGH_SHARD.fullmatch(path)
    assert found is not None
    folder, name = found["folder"], found["shard"]
    for _ in range(_ATTEMPTS):
        shard = _local_shard(folder, name)
        try:
            status = shard.stat()
            members = _members(shard, status.st_size, status.st_mtime_ns)
            return action(shard, members.get(found["member"]))
        except FileNotFoundError:  # another process has just made room in the cache
            continue
        except (OSError, tarfile.TarError) as error:
            raise DataError(
                f"Cannot read the shard {folder}/{name} ({error}); copy it again, or pack it again "
                "with `refseg data shards`."
            ) from None
    raise DataError(
        f"The shard {folder}/{name} is removed from the cache faster than it is read: the cache is "
        f"too small for so many processes; raise {CACHE_SIZE_VARIABLE}."
    )


def _local_shard(folder: str, name: str) -> Path:
    if not is_remote(folder):
        return Path(folder, name)
    shard = index_of(folder).shard(name)
    return stored(f"{folder}/{name}", shard.size, shard.sha256)


@lru_cache(maxsize=32)
def _members(path: Path, size: int, modified: int) -> dict[str, tuple[int, int]]:
    """Where each member begins, and how long it is; size and time tell a new file from an old."""
    with tarfile.open(path, "r:") as archive:
        return {
            member.name: (member.offset_data, member.size) for member in archive if member.isreg()
        }

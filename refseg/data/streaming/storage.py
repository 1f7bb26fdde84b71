"""Reads files behind an address through a cache on disk of bounded size."""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec
from filelock import FileLock

from refseg.errors import ConfigError, DataError
from refseg.files import as_path, cache_folder, replacing

CACHE_SIZE_VARIABLE = "REFSEG_STREAM_CACHE_GB"
"""Environment variable with the size of the cache of shards, in GB (10⁹ bytes)."""

DEFAULT_CACHE_GB = 20.0
ATTEMPTS = 4
FIRST_PAUSE = 0.5  # seconds, doubled with each further attempt
_ABANDONED = 24 * 3600  # seconds after which nobody is still writing to a temporary file


def address_of(stream: str) -> str:
    """The address in one form: an absolute path for a folder, else a URL without a slash behind.

    Example:
        >>> address_of("file:///data/refcoco%20shards/"), address_of("https://host/refcoco/")
        ('/data/refcoco shards', 'https://host/refcoco')
    """
    if stream.startswith("file:"):
        stream = unquote(urlsplit(stream).path)
    return stream.rstrip("/") if is_remote(stream) else str(as_path(stream).absolute())


def is_remote(address: str) -> bool:
    """Whether it is a URL rather than a path."""
    return "://" in address


def cache_limit() -> int:
    """The size that the cached shards may have together, bytes.

    Raises:
        ConfigError: the environment variable is no positive number.
    """
    text = os.environ.get(CACHE_SIZE_VARIABLE, str(DEFAULT_CACHE_GB))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = float("nan")
    if not 0 < gigabytes < float("inf"):
        raise ConfigError(
            f"Expected the environment variable {CACHE_SIZE_VARIABLE} to be a number of GB above "
            f"0, got {text!r}."
        )
    return int(gigabytes * 1e9)


def read_bytes(address: str) -> bytes:
    """The content of a small file, always fetched anew.

    Raises:
        DataError: it is absent or cannot be reached.
        ConfigError: the kind of address is unknown, or a package is missing for it.
    """
    if is_remote(address):
        return bytes(_attempt(address, lambda files, path: files.cat_file(path)))
    try:
        return Path(address).read_bytes()
    except FileNotFoundError:
        raise _absent(address) from None
    except OSError as error:
        raise DataError(f"Cannot read {address} ({error.strerror or error}).") from None


def stored(address: str, size: int, sha256: str) -> Path:
    """A path on this disk with the content of a file: itself, or a copy in the cache.

    Many processes may ask at once: one fetches, the others wait. Copies are named by their content,
    so that one of an older data set is never taken for one of a newer, and checked when they
    arrive. Those that were not used for longest make room for new ones. A copy may be removed as
    soon as it is returned: open it at once, and ask again if it is gone.

    Args:
        address: path or URL of the file.
        size: in bytes, as the index says.
        sha256: of the content, as the index says; looked at for what is fetched.

    Raises:
        DataError: it is absent, cannot be reached, or has another content.
        ConfigError: the kind of address is unknown, or a package is missing for it.
    """
    if not is_remote(address):
        return _local(Path(address), size)
    path = cache_folder() / "streams" / f"{sha256[:16]}-{address.rpartition('/')[2]}"
    try:
        if not _has_size(path, size):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.parent / f".{path.name}.lock"):
                if not _has_size(path, size):
                    limit = cache_limit()
                    _make_room(path, limit - size)
                    _fetch(address, path, size, sha256)
                    _make_room(path, limit)  # others have fetched at the same time
        with suppress(FileNotFoundError):
            os.utime(path)  # used now
    except OSError as error:
        raise DataError(
            f"Cannot keep {address} in {path.parent} ({error.strerror or error}); make room there, "
            "or set the environment variable REFSEG_CACHE to a folder that can be written to."
        ) from None
    return path


def _local(path: Path, size: int) -> Path:
    if not path.is_file():
        raise _absent(str(path))
    if not _has_size(path, size):
        raise DataError(
            f"{path} has {path.stat().st_size} bytes, but the index beside it says {size}; it was "
            "cut short or replaced: copy the folder again, or pack it again with "
            "`refseg data shards`."
        )
    return path


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _fetch(address: str, path: Path, size: int, sha256: str) -> None:
    with replacing(path) as temporary:
        for attempt in (1, 2):
            _attempt(address, lambda files, name: files.get_file(name, str(temporary)))
            with temporary.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found == sha256:
                return
            if attempt == 2:
                raise DataError(
                    f"{address} is not the file that the index beside it describes (expected "
                    f"{size} bytes with sha256 {sha256[:12]}…, got {temporary.stat().st_size} with "
                    f"{found[:12]}…); upload the whole folder again."
                )


def _make_room(wanted: Path, limit: int) -> None:
    """Remove copies that were not used for longest, until the others are within the limit."""
    copies: list[tuple[float, int, Path]] = []
    for path in wanted.parent.glob("*.tar"):
        with suppress(FileNotFoundError):  # removed by another process
            status = path.stat()
            if not path.name.startswith("."):
                copies.append((status.st_mtime, status.st_size, path))
            elif time.time() - status.st_mtime > _ABANDONED:
                path.unlink()
    total = sum(size for _, size, _ in copies)
    for _, size, path in sorted(copies):
        if total <= limit:
            break
        if path != wanted:
            path.unlink(missing_ok=True)
            total -= size


def _attempt(address: str, action: Any) -> Any:  # noqa: ANN401 - fsspec has no types
    """The result of an action on the file system of an address; failures are retried.

    The file system is asked for where it is used, and not kept: fsspec gives each process its own.
    """
    for attempt in range(ATTEMPTS):
        try:
            return action(*_file_system(address))
        except ConfigError:
            raise
        except FileNotFoundError:
            raise _absent(address) from None
        except Exception as error:  # each protocol has errors of its own
            if attempt + 1 == ATTEMPTS:
                reason = " ".join(str(error).split()) or type(error).__name__
                raise DataError(
                    f"Cannot fetch {address} ({reason}), tried {ATTEMPTS} times; check the address "
                    "and the network, then run again: what was fetched is kept."
                ) from None
            time.sleep(FIRST_PAUSE * 2**attempt)
    raise AssertionError("unreachable")


def _file_system(address: str) -> tuple[Any, str]:
    scheme = address.partition("://")[0]
    try:
        return fsspec.core.url_to_fs(address, **_options(scheme))
    except ImportError as error:
        raise ConfigError(
            f"Reading {scheme}:// needs a further package ({error}); for s3 it comes with "
            "`pip install 'refseg[stream]'`."
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"Cannot read from {address} ({error}); give a folder or an address that begins with "
            "file://, http://, https:// or s3://."
        ) from None


def _options(scheme: str) -> dict[str, Any]:
    if scheme not in {"http", "https"}:
        return {}
    from aiohttp import ClientTimeout  # comes with Lightning

    # aiohttp gives up after 5 minutes, even while a large file arrives; and knows no proxies.
    timeout = ClientTimeout(total=None, sock_connect=30, sock_read=60)
    return {"client_kwargs": {"timeout": timeout, "trust_env": True}}


def _absent(address: str) -> DataError:
    return DataError(
        f"There is no {address}; give --data.stream the folder or address that "
        "`refseg data shards` wrote or that its files were uploaded to."
    )

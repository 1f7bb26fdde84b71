"""One attempt to download a file over HTTP, resuming where the attempt before it stopped."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from refseg.data.catalog import KnownFile
from refseg.data.downloads.contents import check_start
from refseg.data.downloads.progress import Listener
from refseg.data.downloads.unpacking import need_space
from refseg.errors import DataError
from refseg.files import write_text

_BLOCK = 2**16
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_MEANINGS = {
    r"NameResolutionError|Name or service not known|getaddrinfo": "there is no such server",
    r"Connection refused|WinError 10061": "the server refuses the connection",
    r"ConnectTimeout|connect timeout|unreachable": "the server does not answer",
    r"Read timed out|ReadTimeout": "the server fell silent",
    r"Exceeded \d+ redirects": "it sends on in circles",
    r"IncompleteRead|Connection broken|Remote end closed|reset|aborted": "the connection broke off",
}


class MirrorFailure(Exception):  # noqa: N818 - never reaches a user, who reads its words only
    """This mirror does not have the file; try another one."""


class Interruption(Exception):  # noqa: N818 - as above
    """The transfer was interrupted, or failed temporarily: try again."""


class Unreachable(Interruption):
    """The server did not answer."""


@dataclass(frozen=True)
class _Origin:
    """What is needed to go on with a partial file."""

    url: str
    validator: str | None = None
    total: int | None = None


@dataclass(frozen=True)
class Partial:
    """The bytes of an unfinished download, and a note of where they came from.

    Args:
        path: the bytes so far.
        note: a JSON file beside it.
    """

    path: Path
    note: Path

    @classmethod
    def of(cls, target: Path) -> "Partial":
        """The partial file of a target, beside it and under a name of its own."""
        path = target.with_name(target.name + ".partial")
        return cls(path, path.with_name(path.name + ".json"))

    @property
    def size(self) -> int:
        """Number of bytes so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def origin(self) -> _Origin | None:
        """Where the bytes came from; None where the note is absent or no note."""
        try:
            return _Origin(**json.loads(self.note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def resumable(self, url: str, file: KnownFile) -> int:
        """From which byte to go on; 0 where nothing would tell that the pieces belong together."""
        origin = self.origin
        if origin is None or (file.size is not None and self.size > file.size):
            return 0
        same = origin.url == url and origin.validator is not None
        return self.size if same or file.sha256 is not None else 0

    def forget(self) -> None:
        """Delete the partial file."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def transfer(
    url: str,
    file: KnownFile,
    partial: Partial,
    session: requests.Session,
    listener: Listener,
    timeout: tuple[float, float],
) -> None:
    """Download the missing part of a partial file.

    Args:
        url: the mirror.
        file: what is known of the file.
        partial: where the bytes go.
        session: sends the request.
        listener: is told how far it is.
        timeout: seconds for the connection to stand, and between two pieces of the answer.

    Raises:
        Interruption: not all came, but another attempt may bring more.
        MirrorFailure: this mirror does not have the file.
        DataError: the disk is full.
    """
    start = partial.resumable(url, file)
    if file.size is not None and start == file.size:
        return
    headers = {"Range": f"bytes={start}-"} if start else {}
    origin = partial.origin
    if start and origin and origin.url == url and origin.validator:
        headers["If-Range"] = origin.validator  # the rest only if it is still the same file
    try:
        with session.get(url, headers=headers, stream=True, timeout=timeout) as response:
            _receive(response, url, file, partial, start, listener)
    except (requests.exceptions.SSLError, requests.TooManyRedirects) as error:
        raise MirrorFailure(_meaning(error)) from None
    except requests.ConnectTimeout as error:
        raise Unreachable(_meaning(error)) from None
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        meaning = _meaning(error)
        gone = "no such" in meaning or "refuses" in meaning or "not answer" in meaning
        raise (Unreachable if gone else Interruption)(meaning) from None
    except (requests.RequestException, ValueError) as error:  # an address that leads nowhere
        raise MirrorFailure(_meaning(error)) from None


def _receive(
    response: requests.Response,
    url: str,
    file: KnownFile,
    partial: Partial,
    start: int,
    listener: Listener,
) -> None:
    status = response.status_code
    if status in _PASSING:
        raise Interruption(f"it answers {status} {response.reason}")
    if status == 416 and start:
        partial.forget()
        raise Interruption("it has fewer bytes than came before")
    if status not in (200, 206):
        raise MirrorFailure(f"it answers {status} {response.reason}")
    if status == 206:
        total = _rest(response, file, partial, start)
    else:
        start, total = 0, _length(response)
    blocks = response.iter_content(_BLOCK)
    first = next(blocks, b"")
    if start == 0 and (problem := check_start(file, response.headers, first)):
        raise MirrorFailure(problem)
    if file.size is not None and total is not None and total != file.size:
        raise MirrorFailure(f"it offers {total:,} bytes, but {file.name} has {file.size:,}")
    expected = file.size if total is None else total
    need_space(partial.path.parent, (expected or 0) - start, f"fetching {file.name}")
    write_text(partial.note, json.dumps(asdict(_Origin(url, _validator(response), total))))
    _write(first, blocks, file, partial, start, expected, listener)
    if expected is not None and partial.size < expected:
        raise Interruption(f"the connection broke off at {partial.size:,} of {expected:,} bytes")


def _write(
    first: bytes,
    blocks: Iterator[bytes],
    file: KnownFile,
    partial: Partial,
    start: int,
    expected: int | None,
    listener: Listener,
) -> None:
    done = start
    with (
        partial.path.open("r+b" if start else "wb") as sink,
        listener.bar(file.name, expected, start) as advance,
    ):
        sink.seek(start)
        block: bytes | None = first
        while block:
            done += len(block)
            if expected is not None and done > expected:
                raise MirrorFailure(f"it sends more than {expected:,} bytes")
            try:
                sink.write(block)
            except OSError as error:
                raise DataError(
                    f"Cannot write {partial.path} ({error.strerror}); make room, then run the "
                    "command again: it goes on from here."
                ) from None
            advance(done)
            block = next(blocks, None)


def _rest(response: requests.Response, file: KnownFile, partial: Partial, start: int) -> int | None:
    """The total size; checks that the server sends the requested part."""
    header = response.headers.get("Content-Range", "").strip()
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", header)
    total = int(found[3]) if found and found[3] != "*" else None
    origin = partial.origin
    known = file.size if file.size is not None or origin is None else origin.total
    if not found or int(found[1]) != start or (None not in (total, known) and total != known):
        partial.forget()
        raise Interruption("it answers with another part than was asked for")
    return total


def _validator(response: requests.Response) -> str | None:
    """The ETag or date by which a changed file is recognised (RFC 9110, section 13.1.5)."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _length(response: requests.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    return int(text) if text.isdigit() and not encoded else None


def _meaning(error: Exception) -> str:
    """A short description of an error of `requests`."""
    text = " ".join(str(error).split())
    return next(
        (meaning for pattern, meaning in _MEANINGS.items() if re.search(pattern, text)), text[:200]
    )

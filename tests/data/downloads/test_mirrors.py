"""Downloads from servers that drop, lie, redirect, apologise and stall."""

import hashlib
import io
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from refseg.data.catalog import KnownFile
from refseg.data.downloads import Listener, Patience, fetch
from refseg.errors import DataError

from .server import Answer, Handler, Server, content, page, redirect, serve, status

QUICK = Patience(connect=1.0, read=0.3, tries=3, most_tries=20, pause=0.0)


def make_zip(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("refcoco/instances.json", random.Random(seed).randbytes(300_000))
    return buffer.getvalue()


BLOCK = 2**16  # what is written at a time, and so what a break can cost
DATA = make_zip()
OTHER = make_zip(seed=1)  # as long, with other bytes
SHA256 = hashlib.sha256(DATA).hexdigest()
assert len(DATA) == len(OTHER)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


class Fetch:
    """Fetches `refcoco.zip` and keeps what was said."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "downloads" / "refcoco.zip"
        self.partial = self.target.with_name("refcoco.zip.partial")
        self._output = io.StringIO()

    def __call__(self, *urls: str, size: int | None = None, sha256: str | None = None) -> bool:
        file = KnownFile(
            "refcoco.zip", "refcoco", ("instances.json",), urls, size=size, sha256=sha256
        )
        listener = Listener(Console(file=self._output, width=200))
        done = fetch(file, self.target, listener, QUICK) is not None
        assert done == self.target.exists()
        if done:
            assert not [path for path in self.target.parent.iterdir() if path != self.target]
        return done

    @property
    def said(self) -> str:
        return self._output.getvalue()

    @property
    def is_right(self) -> bool:
        return self.target.read_bytes() == DATA


@pytest.fixture
def get(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


def test_a_file_arrives(server: Server, get: Fetch) -> None:
    assert get(server.url("/a", content(DATA)), size=len(DATA), sha256=SHA256)
    assert get.is_right
    assert server.ranges() == [None]


def test_a_dropped_connection_goes_on_where_it_broke_off(server: Server, get: Fetch) -> None:
    url = server.url(
        "/a", content(DATA, stop_after=2 * BLOCK), content(DATA, stop_after=BLOCK), content(DATA)
    )
    assert get(url)
    assert get.is_right
    assert server.ranges() == [None, "bytes=131072-", "bytes=196608-"]
    assert [headers.get("If-Range") for _, headers in server.requests] == [None, '"1"', '"1"']


def test_the_next_call_goes_on_with_what_was_kept(server: Server, get: Fetch) -> None:
    url = server.url("/a", content(DATA, stop_after=2 * BLOCK), status(503))
    assert not get(url)
    assert get.partial.read_bytes() == DATA[: 2 * BLOCK]
    server.url("/a", content(DATA))
    server.requests.clear()
    assert get(url)
    assert get.is_right
    assert server.ranges() == ["bytes=131072-"]
    assert "going on from byte 131,072" in get.said


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Server, get: Fetch) -> None:
    url = server.url("/a", content(OTHER, stop_after=2 * BLOCK), content(DATA, etag='"2"'))
    assert get(url)
    assert get.is_right


def test_without_a_validator_nothing_is_pieced_together(server: Server, get: Fetch) -> None:
    url = server.url(
        "/a", content(OTHER, etag=None, stop_after=2 * BLOCK), content(DATA, etag=None)
    )
    assert get(url)
    assert get.is_right
    assert server.ranges() == [None, None]


def test_a_checksum_allows_to_go_on_with_another_mirror(server: Server, get: Fetch) -> None:
    first = server.url("/a", content(DATA, etag=None, stop_after=2 * BLOCK), status(404))
    second = server.url("/b", content(DATA, etag=None))
    assert get(first, second, size=len(DATA), sha256=SHA256)
    assert get.is_right
    assert server.ranges() == [None, "bytes=131072-", "bytes=131072-"]


def test_pieces_that_do_not_fit_are_thrown_away(server: Server, get: Fetch) -> None:
    first = server.url("/a", content(OTHER, stop_after=2 * BLOCK), status(404))
    second = server.url("/b", content(DATA))
    assert get(first, second, sha256=SHA256)
    assert get.is_right
    assert server.ranges()[-2:] == ["bytes=131072-", None]
    assert "does not fit" in get.said


def test_a_server_that_ignores_ranges_starts_anew(server: Server, get: Fetch) -> None:
    url = server.url(
        "/a", content(DATA, ranges=False, stop_after=2 * BLOCK), content(DATA, ranges=False)
    )
    assert get(url)
    assert get.is_right


def test_a_partial_file_that_is_all_there_is_not_asked_for(server: Server, get: Fetch) -> None:
    url = server.url("/a", content(DATA, stop_after=2 * BLOCK), status(503))
    assert not get(url, size=len(DATA), sha256=SHA256)
    get.partial.write_bytes(DATA)
    server.requests.clear()
    assert get(url, size=len(DATA), sha256=SHA256)
    assert not server.requests


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(404), "404"),
        (status(403), "403"),
        (status(500), "500"),
        (page(), "web page"),
        (content(b"no zip at all"), "does not begin"),
        (content(DATA[:200_000]), "broken archive|no complete zip"),
        (content(b"\n"), "does not begin"),
        (content(OTHER), "SHA-256"),
        (content(DATA + b"more"), "offers"),
        (content(DATA, length=len(DATA) + 1000), "offers"),
        (content(DATA, length=1000), "offers"),
        (content(DATA, stop_after=0), "broke off"),
        (content(DATA, length=None, stop_after=1000), "broke off"),
        (content(DATA, stop_after=0, stall=1), "silent"),
        (redirect("/loop"), "circles"),
        (redirect("file:///etc/passwd"), "file:"),
        (redirect("http://127.0.0.1:9/"), "refuses"),
    ],
)
def test_a_bad_mirror_is_skipped_with_one_line(
    server: Server, get: Fetch, answer: Answer, reason: str
) -> None:
    bad = server.url("/loop", answer)
    size = None if "broken" in reason or "begin" in reason else len(DATA)
    assert get(bad, server.url("/good", content(DATA)), size=size, sha256=SHA256 if size else None)
    assert get.is_right
    (line,) = [line for line in get.said.splitlines() if "skipped" in line]
    assert re.search(reason, line), line


@pytest.mark.parametrize(
    "answer",
    [
        content(DATA, length=len(DATA) + 1000),
        content(DATA, length=1000),
        content(DATA, length=None, stop_after=1000),
        content(DATA[:-30], length=None),
    ],
)
def test_lies_about_the_length_never_give_a_file(
    server: Server, get: Fetch, answer: Answer
) -> None:
    assert not get(server.url("/a", answer))
    assert len(server.requests) < 20


def test_a_redirect_is_followed(server: Server, get: Fetch) -> None:
    server.url("/b", content(DATA))
    assert get(server.url("/a", redirect("/b")))
    assert get.is_right


def test_a_passing_failure_is_tried_again(server: Server, get: Fetch) -> None:
    assert get(server.url("/a", status(503), status(429), content(DATA)))
    assert get.is_right


def test_dead_servers_are_not_waited_for(get: Fetch) -> None:
    assert not get("http://127.0.0.1:9/a", "http://nowhere.invalid/a", "nonsense")
    assert get.said.count("skipped") == 3
    assert "refuses" in get.said


def test_an_answer_of_another_part_is_not_appended(server: Server, get: Fetch) -> None:
    def wrong_part(handler: Handler) -> None:
        part = f"bytes 0-9/{len(DATA)}"
        handler.start(206, Content_Length=10, ETag='"1"', Content_Range=part)
        handler.wfile.write(DATA[:10])

    url = server.url("/a", content(DATA, stop_after=2 * BLOCK), wrong_part, content(DATA))
    assert get(url)
    assert get.is_right


def test_a_full_disk_is_said_before_anything_is_fetched(server: Server, get: Fetch) -> None:
    with pytest.raises(DataError, match=r"needs 1,000,000,000\.0 GB"):
        get(server.url("/a", content(DATA, length=10**18)))
    assert not get.partial.exists()

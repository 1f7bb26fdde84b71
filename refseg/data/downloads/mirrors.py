"""Downloads a file from the first mirror that has it, passing over those that fail.

Pooch, which many use for this, starts a broken download anew: hopeless for 13 GB from a server that
drops the connection each gigabyte. So requests moves the bytes, and what is missing is here and in
`transfers.py`.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import requests

from refseg import __version__
from refseg.data.catalog import KnownFile
from refseg.data.downloads.contents import check_content
from refseg.data.downloads.http import (
    Interruption,
    MirrorFailure,
    Partial,
    Unreachable,
    transfer,
)
from refseg.data.downloads.progress import Listener
from refseg.errors import DataError


@dataclass(frozen=True)
class Patience:
    """Timeouts and numbers of attempts per mirror.

    Args:
        connect: seconds until the connection stands.
        read: seconds between two pieces of an answer.
        tries: attempts in a row without a single new byte before the mirror is given up.
        most_tries: attempts altogether, however slowly it moves on.
        pause: seconds before the second attempt, doubled for each further one.
    """

    connect: float = 10.0
    read: float = 60.0
    tries: int = 3
    most_tries: int = 200
    pause: float = 2.0


PATIENCE = Patience()


def fetch(
    file: KnownFile, target: Path, listener: Listener, patience: Patience = PATIENCE
) -> str | None:
    """Download a file from the first mirror that gives it complete and with the right checksum.

    What arrives goes to `target` with `.partial` at the end; it is kept when the connection is
    lost, and the next call goes on from there. `target` appears when all is there and checked.

    Args:
        file: what to fetch; its size and checksum are checked where they are known.
        target: where it goes.
        listener: is told which mirror is taken, and in one line why another is not.
        patience: how long to put up with a mirror.

    Returns:
        The address that gave it, or None if no mirror did.

    Raises:
        DataError: the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Partial.of(target)
    with requests.Session() as session:
        session.headers["User-Agent"] = f"refseg/{__version__}"
        session.headers["Accept-Encoding"] = "identity"  # ranges count the bytes that are sent
        session.max_redirects = 10
        for url in file.mirrors:
            listener.line(f"fetching {file.name} from {url}")
            try:
                _fetch_from(url, file, partial, session, listener, patience)
            except MirrorFailure as failure:
                listener.line(f"  skipped: {failure}", important=True)
            else:
                partial.path.replace(target)
                partial.note.unlink(missing_ok=True)
                return url
    return None


def _fetch_from(
    url: str,
    file: KnownFile,
    partial: Partial,
    session: requests.Session,
    listener: Listener,
    patience: Patience,
) -> None:
    went_on = partial.resumable(url, file)
    if went_on:
        listener.line(f"  going on from byte {went_on:,}")
    while True:
        _complete(url, file, partial, session, listener, patience)
        try:
            check_content(partial.path, file, listener)
        except DataError as error:
            partial.forget()
            if not went_on:
                raise MirrorFailure(f"it sends something else: {error}") from None
            # Perhaps the piece that was there before is at fault, and not this mirror.
            listener.line("  what came does not fit what was there; starting anew", important=True)
            went_on = 0
        else:
            return


def _complete(
    url: str,
    file: KnownFile,
    partial: Partial,
    session: requests.Session,
    listener: Listener,
    patience: Patience,
) -> None:
    """Retry until the file is complete, as long as attempts make progress."""
    idle = 0
    first = furthest = partial.size
    timeout = (patience.connect, patience.read)
    for _ in range(patience.most_tries):
        try:
            transfer(url, file, partial, session, listener, timeout)
            return
        except Interruption as interruption:
            idle = 0 if partial.size > furthest else idle + 1
            furthest = max(furthest, partial.size)
            hopeless = isinstance(interruption, Unreachable) and furthest == first
            if idle >= patience.tries or hopeless:
                raise MirrorFailure(str(interruption)) from None
            if not idle:
                listener.line(f"  {interruption}; trying again")
            time.sleep(patience.pause * 2**idle)
    raise MirrorFailure(f"it broke off {patience.most_tries} times")

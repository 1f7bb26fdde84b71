"""Bars for terminals, lines for everything else, and not too many of them."""

import io
import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from rich.console import Console

from refseg.data.downloads.progress import Listener
from refseg.progress import has_bars, tracked

SECONDS_PER_STEP = 4.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time of the module, which the test lets pass."""
    now = SimpleNamespace(seconds=100.0)
    fake = SimpleNamespace(monotonic=lambda: now.seconds)
    for module in ("refseg.progress", "refseg.data.downloads.progress"):
        monkeypatch.setattr(f"{module}.time", fake)
    return now


def steps(clock: SimpleNamespace, count: int) -> Iterator[int]:
    for number in range(count):
        yield number
        clock.seconds += SECONDS_PER_STEP


def test_a_line_comes_soon_and_then_once_a_minute(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [*tracked(steps(clock, 40), "Drawing", total=40)] == [*range(40)]
    out, lines = capsys.readouterr()
    # 40 steps of 4 seconds each: after 10 seconds and a minute each after that, at whole steps.
    assert lines.splitlines() == [
        "Drawing: 3 of 40, 2 min 28 s left",
        "Drawing: 18 of 40, 1 min 28 s left",
        "Drawing: 33 of 40, 28 s left",
    ]
    assert not out


def test_what_is_quick_or_unasked_says_nothing(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sum(tracked(steps(clock, 3), "Drawing")) == 3
    assert sum(tracked(steps(clock, 40), "Drawing", shown=False)) == sum(range(40))
    assert capsys.readouterr() == ("", "")


def test_where_nobody_knows_the_number_it_is_not_invented(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len([*tracked(steps(clock, 4), "Reading")]) == 4
    assert capsys.readouterr().err == "Reading: 3\n"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")
def test_a_terminal_has_a_bar_and_no_lines(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    main, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        console = Console(file=stream, width=80)
        assert has_bars(console)
        assert len([*tracked(steps(clock, 5), "Drawing", total=5, console=console)]) == 5
        stream.flush()
        written = os.read(main, 100_000).decode()
        monkeypatch.setenv("TERM", "dumb")
        assert not has_bars(console)
    os.close(main)
    assert "━" in written
    assert "of 5" not in written


def test_a_download_into_a_log_has_lines_with_what_is_left(clock: SimpleNamespace) -> None:
    log = io.StringIO()
    listener = Listener(Console(file=log, width=30))
    with listener.bar("refcoco.zip", total=100_000_000, done=20_000_000) as advance:
        for megabytes in (20, 40, 60):
            advance(megabytes * 1_000_000)
            clock.seconds += 20
    # 40 MB in 40 s, 40 MB are left; what was there before tells nothing of the speed.
    assert log.getvalue() == "refcoco.zip: 40.0 MB of 100.0 MB, 1.0 MB/s, 1 min 0 s left\n"

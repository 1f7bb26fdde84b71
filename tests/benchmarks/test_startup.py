"""How long commands take."""

import pytest

from refseg.benchmarks.startup import Command, measure_startup
from refseg.errors import RefsegError

BUSY = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def test_commands_are_compared_with_those_that_they_name() -> None:
    chosen = [Command("short", ["-c", "0"]), Command("long", ["-c", BUSY], beside="short")]
    short, long = measure_startup(chosen, rounds=2)
    assert (short.beside, short.ratio, short.computing_ratio) == (None, None, None)
    assert long.computing.least > 0.3
    assert long.seconds.least > 0.3
    assert long.computing_ratio is not None
    least = long.computing.least / short.computing.most
    assert least <= long.computing_ratio.least <= long.computing_ratio.most
    assert short.computing.least > 0


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(RefsegError, match=r"`broken` to succeed, got the exit code 1.*\n.*no such"):
        measure_startup([Command("broken", ["-c", "raise SystemExit('no such thing')"])], rounds=1)

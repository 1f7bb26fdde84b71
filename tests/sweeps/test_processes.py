"""Processes of runs: their end, and what their logs say."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from refseg.sweeps import Run
from refseg.sweeps.interruption import Interruption
from refseg.sweeps.processes import PATIENCE, RunningRun, last_lines, stop

IGNORES_CTRL_C = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def start(folder: Path, program: str) -> RunningRun:
    """Start a run and wait until it says that it is ready."""
    running = RunningRun(Run(folder / "run", {}, (sys.executable, "-c", program)))
    deadline = time.monotonic() + 10
    while last_lines(running.run.log, 1) != ["ready"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return running


@pytest.mark.parametrize(
    ("stubborn", "end"), [(False, signal.SIGTERM), (True, signal.SIGKILL)], ids=["deaf", "stubborn"]
)
def test_insists_where_asking_does_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubborn: bool, end: signal.Signals
) -> None:
    for name in PATIENCE:
        monkeypatch.setitem(PATIENCE, name, 0.2)
    running = start(tmp_path, IGNORES_CTRL_C.format(stubborn=stubborn))
    stop([running], Interruption())
    assert running.process.returncode == -end


def test_another_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    running = start(tmp_path, IGNORES_CTRL_C.format(stubborn=True))

    class Impatient(Interruption):
        def sleep(self, seconds: float) -> None:
            self.count += 1

    began = time.monotonic()
    stop([running], Impatient())
    assert running.process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < min(PATIENCE.values())


def test_records_the_run_before_it_starts(tmp_path: Path) -> None:
    program = "import sys; sys.exit(0)"
    run = Run(tmp_path / "run", {"seed": 1}, ("python", "-c", program))
    RunningRun(run).process.wait()
    record = json.loads((run.folder / "run.json").read_text())
    assert record == {"command": ["python", "-c", program], "parameters": {"seed": 1}}


def test_signals_are_counted_and_given_back() -> None:
    former = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        began = time.monotonic()
        interruption.sleep(5.0)
        assert time.monotonic() - began < 1
        assert interruption.count == 2
    assert signal.getsignal(signal.SIGINT) is former


def test_last_lines_are_those_that_a_terminal_would_show(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"first\r\n\x1b[31mred\x1b[0m\n 10%\r 20%\r 30%\n\n \nlast \xff")
    assert last_lines(log, 9) == ["first", "red", " 30%", "last \ufffd"]
    assert last_lines(log, 1) == ["last \ufffd"]
    assert last_lines(tmp_path / "none.txt", 3) == []


def test_last_lines_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("\n".join(f"line {number}" for number in range(100_000)))
    assert last_lines(log, 2) == ["line 99998", "line 99999"]

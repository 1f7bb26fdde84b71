"""What a sweep says into a log while its runs are at work."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from refseg.sweeps import Run
from refseg.sweeps.execution import execute

PROGRAM = "import time; print('Epoch 3 of 9, step 20 of 60', flush=True); time.sleep(2)"


def test_a_log_tells_what_runs_are_doing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refseg.sweeps.execution.POLL_SECONDS", 0.5)
    due = iter([False, False, True])
    monkeypatch.setattr("refseg.progress.Pace.is_due", lambda self: next(due, False))
    log = io.StringIO()
    run = Run(tmp_path / "seed-0", {}, (sys.executable, "-c", PROGRAM))
    failures = execute([run], 1, 1, Console(file=log, width=40))
    lines = log.getvalue().splitlines()
    assert lines[0].startswith("[1/2] seed-0: at work for ")
    assert lines[0].endswith(" s; Epoch 3 of 9, step 20 of 60"), "whole, whatever the width"
    assert len(failures) == 1
    assert not any("at work" in line for line in lines[1:]), "one line a minute"

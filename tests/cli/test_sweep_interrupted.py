"""`refseg sweep` that is interrupted or killed, and the next one in its folder."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from filelock import FileLock

from .fake_sweep import ALL, Place, alive, wait_for


def test_the_record_of_a_sweep_is_there_while_it_runs(place: Place) -> None:
    (place.folder / "hangs").touch()
    place.save(run_cap=1)
    command = [sys.executable, "-m", "refseg", "sweep", *place.words()]
    sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: (place.folder / "pids").exists())
    record = json.loads((place.output / "sweep.json").read_text())
    assert [(run["model"], run["finished"]) for run in record["runs"]] == [("concat", False)]
    sweep.send_signal(signal.SIGINT)
    sweep.communicate(timeout=20)


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(place: Place) -> None:
    place.save(run_cap=2)
    (place.folder / "hangs").touch()
    command = [sys.executable, "-m", "refseg", "sweep", *place.words()]
    sweep = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    pids = place.folder / "pids"
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    children = [int(pid) for pid in pids.read_text().split()]
    sweep.send_signal(signal.SIGINT)
    shown, _ = sweep.communicate(timeout=20)
    assert sweep.returncode == 130
    assert "Traceback" not in shown
    assert "0 of 2 runs finished" in shown
    assert f"refseg sweep {place.file} --output {place.output}" in shown
    for child in children:  # the run and what it had started
        wait_for(lambda child=child: not alive(child))
    assert list(place.output.rglob("half.ckpt"))

    (place.folder / "hangs").unlink()
    place.calls()
    assert subprocess.run(command, stdout=subprocess.PIPE, check=False).returncode == 0
    assert place.calls() == ALL[:2]
    assert not list(place.output.rglob("half.ckpt"))


class Killed:
    """A sweep that was killed while its first run was at work, and the one that comes next."""

    def __init__(self, place: Place) -> None:
        self.place = place
        place.save(run_cap=2)
        (place.folder / "waits").touch()
        self.command = [sys.executable, "-u", "-m", "refseg", "sweep", *place.words()]
        with subprocess.Popen(self.command, stdout=subprocess.DEVNULL) as sweep:
            pid = place.folder / "pid"
            wait_for(lambda: pid.exists() and pid.read_text() != "")
            self.child = int(pid.read_text())
            sweep.kill()
        assert alive(self.child)

    def next_sweep(self) -> subprocess.Popen[str]:
        """Start it, and wait until it has found the run at work."""
        sweep = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        output = iter(sweep.stdout)  # type: ignore[arg-type]  # asked for
        assert any(f"at work already (process {self.child})" in line for line in output)
        return sweep


def test_a_run_whose_sweep_was_killed_is_waited_for(place: Place) -> None:
    killed = Killed(place)
    sweep = killed.next_sweep()
    (place.folder / "go").touch()
    shown, _ = sweep.communicate(timeout=30)
    assert sweep.returncode == 0
    assert "[1/2]" in shown
    assert place.calls() == ALL[:2], "each once"
    assert [row["runs"] for row in place.results()] == ["1", "1"]


def test_a_run_whose_sweep_was_killed_starts_anew_when_it_fails(place: Place) -> None:
    killed = Killed(place)
    sweep = killed.next_sweep()
    (place.folder / "waits").unlink()
    (place.folder / "go").write_text("and fail")
    shown, _ = sweep.communicate(timeout=30)
    assert sweep.returncode == 0
    assert "ended unfinished; it starts anew" in shown
    assert place.calls() == [ALL[0], *ALL[:2]]


def test_a_run_whose_sweep_was_killed_is_stopped_with_the_next_sweep(place: Place) -> None:
    killed = Killed(place)
    sweep = killed.next_sweep()
    sweep.send_signal(signal.SIGINT)
    shown, _ = sweep.communicate(timeout=30)
    assert sweep.returncode == 130
    assert "0 of 2 runs finished" in shown
    assert not alive(killed.child)


def test_a_run_that_died_with_its_sweep_starts_anew(place: Place) -> None:
    killed = Killed(place)
    os.kill(killed.child, signal.SIGKILL)
    (place.folder / "waits").unlink()
    wait_for(lambda: not alive(killed.child))
    assert place.sweep() == 0
    assert place.calls() == [ALL[0], *ALL[:2]]


def test_a_run_that_the_user_has_started_there_is_waited_for_too(place: Place) -> None:
    place.save(run_cap=1)
    (place.folder / "silent").touch()
    assert place.sweep() == 1
    (folder,) = (path for path in place.output.iterdir() if path.is_dir())
    (place.folder / "silent").unlink()
    lock = FileLock(folder / ".run.lock", thread_local=False)
    lock.acquire()
    threading.Timer(1.0, lock.release).start()
    began = time.monotonic()
    assert place.sweep() == 0
    assert time.monotonic() - began > 0.9

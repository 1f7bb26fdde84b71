"""The process that the runs of a campaign are forked from, and that ends them at a given point.

It reads a line of JSON for each job and answers with the process's number, then, asked by an empty
line, with its exit code (minus the signal that ended it). A job has:

* `commands`: of refseg, one after the other, as long as they succeed;
* `environment`, `log` (where the output goes), `run` (the folder of the run);
* `point`: `phase`, `after` (which point of that phase is the last, from 1), and perhaps `share`
  (of the bytes of the checkpoint) or `delay` (seconds after the point); may be empty;
* `record`: a file to note in how many points each phase has.
"""

import contextlib
import io
import json
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import albumentations  # noqa: F401 - so that each run has it already, and the next three
import torch
import torch.utils.tensorboard
from matplotlib import pyplot  # noqa: F401

from refseg.__main__ import main
from refseg.cli.trainer.run import run_trainer  # noqa: F401 - as above
from refseg.training import checkpoint_io, last_checkpoint
from refseg.training.module import ReferringSegmentation

_CHANGES = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "shutil.rmtree": 0}


class Watch:
    """Counts the points that a run passes, and kills it at one of them.

    Args:
        run: the folder of the run.
        point: to end at, as in the job.
    """

    def __init__(self, run: str, point: dict[str, Any]) -> None:
        self.run, self.point = run, point
        self.passed: Counter[str] = Counter()
        self.main_process = os.getpid()

    def at(self, phase: str) -> bool:
        """Note a point; returns whether it is the last one."""
        if os.getpid() != self.main_process:  # a worker
            return False
        self.passed[phase] += 1
        return phase == self.point.get("phase") and self.passed[phase] == self.point["after"]

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Each change of a file is a point, right before it happens."""
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif event in _CHANGES:
            path = arguments[_CHANGES[event]]
        else:
            return
        if isinstance(path, str | bytes | os.PathLike):
            phase = self.phase_of(os.fsdecode(path))
            if phase is not None and self.at(phase):
                die()

    def phase_of(self, path: str) -> str | None:
        """To which phase a change of a file belongs."""
        if "shapes" in path and "partial" in path:
            return "drawing"
        if ".refseg" in path:
            return "caching"
        if path.startswith(self.run):
            return "saving" if "checkpoints" in path else "results"
        return None

    def step(self, phase: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """A step of training or validation that is a point."""

        def step(*arguments: object) -> object:
            if self.at(phase):
                timer = threading.Timer(self.point["delay"], die)
                timer.daemon = True
                timer.start()
            return original(*arguments)

        return step

    def save(self, content: object, file: BinaryIO) -> None:
        """`torch.save`, which may end with a part of the bytes."""
        if not self.at("saving"):
            torch.save(content, file)
            return
        whole = io.BytesIO()
        torch.save(content, whole)
        file.write(whole.getvalue()[: int(self.point.get("share", 0.5) * whole.tell())])
        file.flush()
        die()


class _Torch:
    """The module, with another `save`."""

    def __init__(self, save: Callable[..., None]) -> None:
        self.save = save

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)


def die() -> None:
    """As the memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)


def run(job: dict[str, Any]) -> int:
    """Do a job in this process."""
    os.environ.update(job["environment"])
    tempfile.tempdir = None
    with Path(job["log"]).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    watch = Watch(job["run"], job["point"])
    if job["point"] or "record" in job:
        sys.addaudithook(watch.audit)
        for phase, name in (("training", "training_step"), ("validating", "validation_step")):
            original = getattr(ReferringSegmentation, name)
            setattr(ReferringSegmentation, name, watch.step(phase, original))
        # A state after each step: runs of seconds would have one or two.
        last_checkpoint._SHARE = last_checkpoint._FIRST_SECONDS = 0.0
        checkpoint_io.torch = _Torch(watch.save)  # type: ignore[assignment]  # acts like it
    for words in job["commands"]:
        code = main(words)
        if code:
            return code
    if "record" in job:
        Path(job["record"]).write_text(json.dumps(watch.passed))
    return 0


def serve() -> None:
    """Do jobs until nobody asks any more."""
    answers = os.dup(1)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(["fit", "--config", "rmi.yaml", "--print_config"])  # so that the parser is made
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = run(json.loads(line))
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        os.write(answers, f"{pid}\n".encode())
        sys.stdin.readline()  # not reaped before: the number could be another process's
        _, status = os.waitpid(pid, 0)
        os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    serve()

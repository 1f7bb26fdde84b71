"""One run of a sweep: its folder, whether it is finished, and its figures."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from refseg.errors import ConfigError
from refseg.files import write_text
from refseg.sweeps.command import expand
from refseg.sweeps.definition import Sweep
from refseg.sweeps.hyperband import Verdict

_CURVE = ("--trainer.callbacks+=refseg.training.callbacks.ValidationCurve",)
_FIT = ("refseg", "fit")
_STOPPED_FILE = "stopped.json"
_FAILED_FILE = "failed.json"
_RESUME_FILE = "RESUME.txt"  # of a training that is not finished; `refseg fit` writes it
LOCK_FILES = (".sweep.lock", ".run.lock")
"""In the folder of a run: the lock that a sweep's process inherits, and that of `refseg fit`."""


@dataclass(frozen=True)
class Result:
    """What a finished run left in its `metrics.json`.

    Args:
        metrics: by split and name, such as `val/overall_iou`.
        parameters: weights of the network; None where only W&B knows of the run.
        trainable_parameters: those that were trained; None as above.
        training_seconds: wall-clock time of the training alone; None as above.
        checkpoint: path of the best one; None where none was saved.
    """

    metrics: Mapping[str, float]
    parameters: int | None = None
    trainable_parameters: int | None = None
    training_seconds: float | None = None
    checkpoint: str | None = None


@runtime_checkable
class Outcome(Protocol):
    """What came of one combination of a sweep, wherever it was run."""

    @property
    def name(self) -> str:
        """Of the run."""

    @property
    def combination(self) -> Mapping[str, Any]:
        """The values of the sweep's parameters."""

    @property
    def command(self) -> tuple[str, ...]:
        """The words that were run; none where they are not known."""

    def result(self) -> Result | None:
        """What came out; None where it did not finish."""

    def stopped(self) -> Verdict | None:
        """Why it was stopped early; None where it was not."""


@dataclass(frozen=True)
class Run:
    """One combination of a sweep.

    Args:
        folder: of the run, with `run.json` (what it is), `log.txt` and what the command leaves.
        combination: the values of the sweep's parameters.
        command: as `wandb agent` would run it, and the overrides; without the folder and without
            this machine's paths, so that it tells whether a folder's run is this one.
        more: words that the process gets and that make it no other run.
        origin: what else decides how the command trains, such as the contents of config files; it
            must be the same for a run to go on where it was stopped. Empty: it is not known.
    """

    folder: Path
    combination: Mapping[str, Any]
    command: tuple[str, ...]
    more: tuple[str, ...] = ()
    origin: str = ""

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def log(self) -> Path:
        """What the command printed."""
        return self.folder / "log.txt"

    def result(self) -> Result | None:
        """What came out, or None unless this very command has run to its end here."""
        if _recorded_command(self.folder) != self.command:
            return None
        return read_result(self.folder)

    def stopped(self) -> Verdict | None:
        """Why this very command was stopped early here, or None where it was not."""
        if _recorded_command(self.folder) != self.command or self.result() is not None:
            return None
        try:
            content = json.loads((self.folder / _STOPPED_FILE).read_text(encoding="utf-8"))
            return Verdict(content["bracket"], content["value"], content["threshold"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note_stop(self, verdict: Verdict) -> None:
        """Write down that the run is stopped early: it is over, and has not failed."""
        write_text(self.folder / _STOPPED_FILE, json.dumps(verdict._asdict(), indent=2) + "\n")

    def note_failure(self, reason: str) -> None:
        """Write down that the run has failed by itself: the next time, it starts anew.

        Args:
            reason: in words.
        """
        write_text(self.folder / _FAILED_FILE, json.dumps({"reason": reason}) + "\n")

    def can_go_on(self) -> bool:
        """Whether the folder has the last state of this very run, which was stopped from outside.

        It was `refseg fit`, with the same command, configs and version, and did not fail by itself:
        that could happen again. `refseg fit` goes on from there as if nothing had been.
        """
        return (
            self.command[:2] == _FIT
            and self.origin != ""
            and _recorded_command(self.folder) == self.command
            and _record(self.folder).get("origin") == self.origin
            and (self.folder / _RESUME_FILE).is_file()
            and not (self.folder / _FAILED_FILE).is_file()
        )

    def prepare(self) -> tuple[str, ...]:
        """Make the folder ready: as it was, where the run can go on, else anew and empty.

        Returns:
            Words that the process gets to go on.

        Raises:
            ConfigError: the folder holds what no sweep has put there.
        """
        if self.can_go_on():
            # A training in stages has its checkpoints in the folders of the stages, and goes on
            # with the same command.
            has_state = (self.folder / "checkpoints").is_dir()
            return ("--ckpt_path", "last") if has_state else ()
        if self.folder.exists():
            if _recorded_command(self.folder) is None and any(self.folder.iterdir()):
                raise ConfigError(
                    f"{self.folder} is not a run of a sweep, and would be overwritten; move it "
                    "away or choose another folder with --output."
                )
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        record = {"command": list(self.command), "parameters": dict(self.combination)}
        if self.origin:
            record["origin"] = self.origin
        write_text(self.folder / "run.json", json.dumps(record, indent=2) + "\n")
        return ()


def read_result(folder: Path) -> Result | None:
    """What a training that has finished left in its folder; None where there is no such thing.

    Args:
        folder: of the run.
    """
    try:
        content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        return Result(
            metrics={
                f"{split}/{name}": float(value)
                for split, metrics in content["metrics"].items()
                for name, value in metrics.items()
                if value is not None  # a figure that is undefined, such as 0/0
            },
            parameters=int(content["parameters"]),
            trainable_parameters=int(content["trainable_parameters"]),
            training_seconds=float(content["training_seconds"]),
            checkpoint=content["checkpoint"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there, or not as `fit` writes it: the run is made again


def plan(
    sweep: Sweep,
    output: Path,
    overrides: Sequence[str] = (),
    origin: Callable[[Sequence[str]], str] = lambda command: "",
) -> list[Run]:
    """The runs of a sweep, in order; finished ones are found again by their command.

    The name of a run's folder ends with a digest of its command. So results of an earlier version
    of the sweep file stay where they are, and only what has changed is run again.

    Args:
        sweep: what to run.
        output: folder of the sweep.
        overrides: words that every command gets at its end.
        origin: tells of a command what else decides how it trains; see `Run`.
    """
    return [
        _locate(sweep, output, combination, (*expand(sweep, combination), *overrides), origin)
        for combination in sweep.combinations()
    ]


def _locate(
    sweep: Sweep,
    output: Path,
    combination: Mapping[str, Any],
    command: tuple[str, ...],
    origin: Callable[[Sequence[str]], str],
) -> Run:
    digest = hashlib.sha256(json.dumps(command).encode()).hexdigest()[:8]
    parts = [
        f"{sweep.title(name)}-{sweep.label(name, combination[name])}" for name in sweep.varied()
    ]
    readable = re.sub(r"[^\w.+-]+", "-", "_".join(parts) or sweep.name)[:80]
    folder = output / f"{readable}_{digest}"
    # A parameter that got its second value later has changed the readable part only.
    earlier = sorted(output.glob(f"*_{digest}"))
    found = (other for other in earlier if _recorded_command(other) == command)
    more = _CURVE if sweep.stopping is not None and command[:2] == _FIT else ()
    return Run(next(found, folder), combination, command, more, origin(command))


def _recorded_command(folder: Path) -> tuple[str, ...] | None:
    try:
        return tuple(_record(folder)["command"])
    except (KeyError, TypeError):
        return None


def _record(folder: Path) -> Mapping[str, Any]:
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}

"""Kills runs, goes on with them, and looks whether they end as if nothing had happened.

Each attempt has a folder and data of its own. A run draws its data, caches the table, trains with
accumulated gradients, validates, keeps its state after every step, evaluates, and is tested. It is
ended by `kill -9` at a point chosen at random among all that a whole run has passed: a change of a
file, the middle of a checkpoint's bytes, a step of training or validation, or any moment. Then the
commands that a user would give follow (that of `RESUME.txt`, where there is one). In the end, the
weights, the optimizer's state, the figures and the rows of results must be those of a run that
nobody disturbed, bit for bit; or one line must say what is missing. More runs meet a full disk.
"""

import json
import random
import shlex
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .outcome import difference, last_words, outcome
from .places import Layout, another_file_system, layout, small_disk
from .processes import Processes

PHASES = ("drawing", "caching", "training", "saving", "validating", "results", "any moment")

CONFIG = """\
base: rmi.yaml
trainer:
  max_epochs: 2
  accumulate_grad_batches: 2
  val_check_interval: 3
  check_val_every_n_epoch: 1
  log_every_n_steps: 1
  enable_progress_bar: false
  accelerator: cpu
  callbacks:
    - class_path: lightning.pytorch.callbacks.ModelCheckpoint
      init_args:
        {dirpath: checkpoints, filename: best, monitor: val/overall_iou, mode: max,
         enable_version_counter: false}
    - {class_path: refseg.training.LastCheckpoint, init_args: {minutes: 0.00001}}
    - {class_path: refseg.training.callbacks.ExamplePictures, init_args: {count: 1, strips: 0}}
data:
  shapes: {train_images: 14, evaluation_images: 3}
  image_size: 32
  batch_size: 2
model:
  backbone: {init_args: {width: 8, image_dim: 8, colour_dim: 4}}
  loss: {class_path: WeightedLogisticLoss, init_args: {positive_weight: 30.0}}
  optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.1}}
"""


@dataclass
class Attempt:
    """A run that was disturbed, and what became of it.

    Args:
        number: of the attempt.
        phase: in which it was killed.
        workers: that read images.
        point: as `process` has it; or what disk was full.
        was_hit: it was ended there, and had not ended before.
        difference: to the undisturbed run; empty: none.
        told: the line that says what is missing, where the run could not go on.
    """

    number: int
    phase: str
    workers: int
    point: Mapping[str, Any]
    was_hit: bool = False
    difference: str = ""
    told: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether it ended neither as it should nor with a word."""
        return bool(self.difference) and not self.told

    def __str__(self) -> str:
        """A line of the protocol."""
        point = " ".join(f"{name}={value}" for name, value in self.point.items() if name != "phase")
        missed = "" if self.was_hit else " (not reached)"
        end = self.told or self.difference or "as if nothing had happened"
        return f"{self.number:3} {self.phase:11} {self.workers} workers, {point}{missed}: {end}"


class Campaign:
    """Attempts, compared with a run that nobody disturbed.

    Args:
        processes: in which runs are started.
        folder: to work in.
        seed: from which every point follows.
    """

    def __init__(self, processes: Processes, folder: Path, seed: int) -> None:
        self.processes, self.folder, self.seed = processes, folder, seed
        self.config = folder / "campaign.yaml"
        self.config.write_text(CONFIG)

    def begin(self) -> None:
        """Make the undisturbed run, and note all points that it passes."""
        place, log = layout(0, self.folder / "undisturbed"), self.folder / "undisturbed.txt"
        points = self.folder / "points.json"
        began = time.monotonic()
        code = self.processes.run({**self._job(place, 0, log), "record": str(points)})
        self.seconds = time.monotonic() - began
        assert code == 0, log.read_text()
        self.expected = outcome(place.run)
        self.points: dict[str, int] = json.loads(points.read_text())
        self.sizes = {
            name: sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            for name, folder in {**place._asdict(), "test": place.run / "test"}.items()
        }

    def kill(self, number: int, memory: Path | None) -> Attempt:
        """Kill a run, go on with it, and compare.

        Args:
            number: of the attempt.
            memory: a folder on another file system.
        """
        chance = random.Random(f"{self.seed}/{number}")
        phase = PHASES[number % len(PHASES)]
        workers = chance.choice((0, 2))
        point: dict[str, Any] = {"phase": phase}
        kill_after = None
        if phase == "any moment":
            kill_after = chance.uniform(0, 0.7 * self.seconds)  # others may be faster
            point["seconds"] = round(kill_after, 3)
        else:
            point["after"] = chance.randint(1, self.points[phase])
        if phase == "saving":
            point["share"] = round(chance.random(), 3)  # of the checkpoint's bytes
        if phase in {"training", "validating"}:
            point["delay"] = round(chance.uniform(0, 0.03), 4)
        attempt = Attempt(number, phase, workers, point)
        place, log = layout(number, self.folder, memory), self.folder / f"{number} killed.txt"
        job = {**self._job(place, workers, log), "point": {} if kill_after else point}
        attempt.was_hit = self.processes.run(job, kill_after) == -signal.SIGKILL
        self._go_on(place, attempt)
        return attempt

    def fill(self, number: int) -> Attempt | None:
        """Let a run meet a full disk, make room and go on; None where no disk can be made.

        Args:
            number: of the attempt.
        """
        chance = random.Random(f"{self.seed}/full/{number}")
        workers = chance.choice((0, 2))
        name = ("run", "cache", "test")[number % 3]
        place = layout(0, self.folder / str(number))
        disk = place.run / "test" if name == "test" else self.folder / f"{number} disk"
        if name == "run":
            place = place._replace(run=disk / "run")
        if name == "cache":
            place = place._replace(cache=disk / "cache", temporary=disk / "tmp")
        size = int(chance.uniform(0.02, 1) * self.sizes[name])
        attempt = Attempt(number, "full disk", workers, {"of": name, "KiB": size >> 10})
        log = self.folder / f"{number} full.txt"
        with small_disk(disk, size) as grow:
            if grow is None:
                return None
            code = self.processes.run(self._job(place, workers, log))
            attempt.was_hit = code != 0
            if code and not last_words(log):
                attempt.difference = f"ended with {code} without a message, see {log}"
                return attempt
            grow()
            self._go_on(place, attempt)
        return attempt

    def _go_on(self, place: Layout, attempt: Attempt) -> None:
        """Enter the commands that a user would, and compare."""
        log = self.folder / f"{attempt.number} again.txt"
        code = self.processes.run(self._job(place, attempt.workers, log))
        if code:
            attempt.told = last_words(log)
            attempt.difference = f"ended with {code}, see {log}"
            return
        attempt.difference = difference(outcome(place.run), self.expected)
        # A lock that nobody holds is no half-written file: `fit` was killed when all was done.
        left = [path.name for path in place.run.rglob(".*") if not path.name.startswith(".run.")]
        if left and not attempt.difference:
            attempt.difference = f"left behind: {', '.join(left[:3])}"
        if not attempt.difference:
            for folder in place:
                shutil.rmtree(folder, ignore_errors=True)

    def _job(self, place: Layout, workers: int, log: Path) -> dict[str, Any]:
        for folder in place:
            folder.parent.mkdir(parents=True, exist_ok=True)
        place.temporary.mkdir(exist_ok=True)
        return {
            "commands": self._commands(place, workers),
            "environment": {"REFSEG_CACHE": str(place.cache), "TMPDIR": str(place.temporary)},
            "log": str(log),
            "run": str(place.run),
            "point": {},
        }

    def _commands(self, place: Layout, workers: int) -> list[list[str]]:
        """What a user enters to have a finished and tested run, whatever is there already."""
        test = ["test", "--ckpt_path", str(place.run / "checkpoints" / "best.ckpt")]
        test += ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"]
        if (place.run / "metrics.json").is_file():
            return [test]
        fit = ["fit", "--config", str(self.config), "--output", str(place.run)]
        resume = place.run / "RESUME.txt"
        if resume.is_file():
            fit = shlex.split(resume.read_text().splitlines()[-1].partition(" && ")[2])[1:]
        return [[*fit, f"--data.num_workers={workers}"], test]


def run_campaign(
    folder: Path, kills: int, full: int, seed: int, only: Sequence[int] = (), show: bool = False
) -> list[Attempt]:
    """Kill runs, and fill disks.

    Args:
        folder: to work in.
        kills: how many runs are killed.
        full: how many more meet a full disk.
        seed: from which every point follows.
        only: numbers of single attempts, instead of all.
        show: print a line for each.
    """
    attempts = []
    with Processes() as processes, another_file_system() as memory:
        campaign = Campaign(processes, folder, seed)
        campaign.begin()
        if show:
            print(f"undisturbed: {campaign.seconds:.1f} s, points {campaign.points}", flush=True)
        kinds = [partial(campaign.kill, memory=memory)] * kills + [campaign.fill] * full
        for number in only or range(kills + full):
            attempt = kinds[number](number)
            if attempt is not None:
                attempts.append(attempt)
            if show:
                print(attempt or f"{number:3} full disk: none can be mounted here", flush=True)
    return attempts

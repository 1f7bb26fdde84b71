"""How long commands take in a process of their own, beside the imports that none can do without."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from refseg.benchmarks.turns import Spread, ratios
from refseg.errors import RefsegError

TORCH = "import torch"
LIGHTNING = "import torch, lightning.pytorch"


class Command(NamedTuple):
    """A command, and what its time is compared with.

    Args:
        name: as a user types it.
        words: after `python`.
        beside: the name of the command that it is compared with; None: it stands for itself.
    """

    name: str
    words: Sequence[str]
    beside: str | None = None


@dataclass(frozen=True)
class StartupFigures:
    """How long a command takes.

    Args:
        name: of the command.
        beside: what it is compared with.
        seconds: from the start of the process to its end.
        computing: seconds that its threads compute, in which no other program has a share.
        ratio: of `seconds`, to the other command's in the same round.
        computing_ratio: of `computing`, likewise.
    """

    name: str
    beside: str | None
    seconds: Spread
    computing: Spread
    ratio: Spread | None
    computing_ratio: Spread | None


def commands(folder: Path, checkpoint: Path | None) -> list[Command]:
    """What is measured.

    Args:
        folder: for a photograph and what `segment` makes of it.
        checkpoint: that segments; None: nothing is segmented.
    """
    found = [
        Command(f'python -c "{TORCH}"', ["-c", TORCH]),
        Command(f'python -c "{LIGHTNING}"', ["-c", LIGHTNING]),
    ]
    torch, lightning = (command.name for command in found)
    found += [
        Command('python -c "import refseg"', ["-c", "import refseg"], torch),
        _refseg("--help", torch),
        _refseg("fit --help", lightning),
        _refseg("fit --config rmi.yaml --print_config", lightning),
    ]
    if checkpoint is not None:
        photo = folder / "photo.png"
        pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
        Image.fromarray(pixels).save(photo)
        words = ["segment", str(photo), "the red circle", "--checkpoint", str(checkpoint)]
        words += ["--output", str(folder)]
        found.append(Command("refseg segment PHOTO SENTENCE", ["-m", "refseg", *words], torch))
    return found


def _refseg(words: str, beside: str) -> Command:
    return Command(f"refseg {words}", ["-m", "refseg", *words.split()], beside)


def measure_startup(
    chosen: Sequence[Command],
    rounds: int = 5,
    threads: int = 1,
    say: Callable[[str], None] = lambda text: None,
) -> list[StartupFigures]:
    """Run commands in turns, each in a new process, after one round that fills the file cache.

    Args:
        chosen: commands, and those that they are compared with.
        rounds: of measuring.
        threads: that torch and its libraries compute with.
        say: called with what is done next.

    Raises:
        RefsegError: a command fails.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    seconds: dict[str, list[float]] = {command.name: [] for command in chosen}
    computing: dict[str, list[float]] = {command.name: [] for command in chosen}
    order = list(chosen)
    for number in range(rounds + 1):
        say(f"Measuring, round {number} of {rounds}" if number else "Warming up")
        for command in order:
            passed, computed = _run(command, environment)
            if number:
                seconds[command.name].append(passed)
                computing[command.name].append(computed)
        order.reverse()
    return [
        StartupFigures(
            command.name,
            command.beside,
            Spread.of(seconds[command.name]),
            Spread.of(computing[command.name]),
            *(
                None
                if command.beside is None
                else ratios(times[command.name], times[command.beside])
                for times in (seconds, computing)
            ),
        )
        for command in chosen
    ]


def _run(command: Command, environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds that pass, and those that are computed."""
    before, began = _computed(), time.monotonic()
    done = subprocess.run(
        [sys.executable, *command.words],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    passed = time.monotonic() - began
    if done.returncode:
        raise RefsegError(
            f"Expected `{command.name}` to succeed, got the exit code {done.returncode}; what it "
            f"wrote:\n{done.stderr[-2000:]}"
        )
    return passed, _computed() - before


def _computed() -> float:
    """Seconds that processes which this one has started and awaited have computed."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime

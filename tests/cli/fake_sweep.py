"""A sweep whose runs are a small script, a stand-in for `fit`."""

import csv
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from refseg.cli.parsing.verb import call
from refseg.cli.sweep import sweep

# Notes that it was called, then does what the files beside it say: fail, hang or wait for others.
FAKE_FIT = """
import json, os, signal, subprocess, sys, time
from collections.abc import Callable
from pathlib import Path

words = sys.argv[1:]
folder = Path(words[words.index("--output") + 1])
options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
here = Path(__file__).parent
fusion, seed = Path(options["model.fusion"]).stem, int(options["seed_everything"])
with (here / "calls").open("a") as calls:
    calls.write(f"{fusion} {seed}\\n")
print("step 1\\rstep 2")
if (here / "fails").exists() and (here / "fails").read_text() == f"{fusion} {seed}":
    print("loading the data", file=sys.stderr)
    print("refseg: error: [red] the moon is full", file=sys.stderr)
    sys.exit(3)
if (here / "hangs").exists():
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    (folder / "half.ckpt").write_text("half")
    (here / "pids").write_text(f"{os.getpid()} {worker.pid}")
    time.sleep(120)
if (here / "curves").exists():
    value = {"concat": 0.3, "mlstm": 0.6}[fusion]
    with (folder / "curve.jsonl").open("w") as curve:
        for step in range(2):
            curve.write(json.dumps({"step": step, "val/overall_iou": value}) + "\\n")
    if fusion == "concat":
        time.sleep(120)
if (here / "waits").exists():
    (here / "pid").write_text(str(os.getpid()))
    while not (here / "go").exists():
        time.sleep(0.01)
    if (here / "go").read_text() == "and fail":
        sys.exit(3)
if (here / "together").exists():
    (here / f"here-{fusion}-{seed}").touch()
    deadline = time.monotonic() + 10
    while len(list(here.glob("here-*"))) < 2:
        if time.monotonic() > deadline:
            sys.exit("nobody came")
        time.sleep(0.01)
base = {"concat": 0.5, "mlstm": 0.6}[fusion]
metrics = {"overall_iou": base + 0.1 * seed, "mean_iou": base, "precision@0.5": None}
if seed == int(options.get("undefined_from", 99)):
    metrics["mean_iou"] = None
if not (here / "silent").exists():
    (folder / "metrics.json").write_text(json.dumps({
        "metrics": {"val": metrics},
        "parameters": 1000 if fusion == "concat" else 2000,
        "trainable_parameters": 900,
        "training_seconds": 60.0 + seed,
        "checkpoint": str(folder / "checkpoints" / "best.ckpt"),
    }))
"""
SWEEP: dict[str, Any] = {
    "program": "",
    "method": "grid",
    "metric": {"name": "val/overall_iou", "goal": "maximize"},
    "command": ["${env}", "${interpreter}", "${program}", "--config", "rmi.yaml", "${args}"],
    "parameters": {
        "seed_everything": {"values": [0, 1, 2]},
        "model.fusion": {"values": ["fusion/concat.yaml", "fusion/mlstm.yaml"]},
    },
}
ALL = [f"{fusion} {seed}" for seed in range(3) for fusion in ("concat", "mlstm")]


class Place:
    """A folder with a sweep file, the stand-in for `fit`, and what they leave."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "out"
        self.file, self.program = folder / "grid.yaml", folder / "fake_fit.py"
        self.program.write_text(FAKE_FIT)
        self.content: dict[str, Any] = {**SWEEP, "program": str(self.program)}
        self.save()

    def save(self, **changes: object) -> None:
        self.file.write_text(yaml.safe_dump({**self.content, **changes}, sort_keys=False))

    def words(self, *more: str) -> list[str]:
        return [str(self.file), "--output", str(self.output), *more]

    def sweep(self, *more: str) -> int:
        return call(sweep, "refseg sweep", self.words(*more))

    def calls(self) -> list[str]:
        """The runs that were started since the last time of asking."""
        notes = self.folder / "calls"
        lines = notes.read_text().splitlines() if notes.exists() else []
        notes.unlink(missing_ok=True)
        return lines

    def results(self) -> list[dict[str, str]]:
        with (self.output / "results.csv").open(newline="") as file:
            return list(csv.DictReader(file))


def wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # a zombie of a container without an init has ended too
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"

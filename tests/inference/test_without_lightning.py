"""Masks need no trainer: a checkpoint is opened where Lightning cannot be imported."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"lightning", "pytorch_lightning"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import refseg

mask, score = refseg.load(sys.argv[1]).segment(sys.argv[2], "red circle")
print(mask.shape, *(name for name in sys.modules if name.startswith("refseg")))
"""


def test_a_checkpoint_is_opened_without_lightning(run: Path, photo: Path) -> None:
    words = [sys.executable, "-c", CODE, str(run / "checkpoints" / "best.ckpt"), str(photo)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = [name for name in done.stdout.split() if name.startswith("refseg")]
    assert len(modules) <= 60, "modules of refseg that a mask needs: of parts, the network's own"
    assert "refseg.models.fusion.concat" not in modules


VERB = """
import sys
from refseg.__main__ import main

checkpoint, photo, output = sys.argv[1:]
assert main(["segment", photo, "red circle", "--checkpoint", checkpoint, "--output", output]) == 0
print(*(name for name in sys.modules if name.startswith("refseg")))
assert "lightning" not in sys.modules
"""


def test_the_verb_needs_little_more(run: Path, photo: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", VERB, run / "checkpoints" / "best.ckpt", photo, tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()[-1].split()) <= 70, "modules of refseg"

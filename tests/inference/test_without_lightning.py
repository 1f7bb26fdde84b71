"""Masks need no trainer: a checkpoint is opened where Lightning cannot be imported."""

import subprocess
import sys
from pathlib import Path

PARTS = ("refseg.models.backbones", "refseg.models.fusion", "refseg.models.text_encoders")
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
    # All parts are imported, as a checkpoint may name any of them: the more there are, the more.
    parts = [name for name in modules if name.startswith(PARTS)]
    assert len(modules) - len(parts) <= 47, "modules of refseg that a mask needs"

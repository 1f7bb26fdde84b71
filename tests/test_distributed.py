"""Two processes give the figures of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import refseg

from .conftest import TINY


def test_two_processes_count_what_one_counts(run: Path, tmp_path: Path) -> None:
    """Evaluation splits the images over the processes, repeats one, and counts each once.

    The command is started as `pip` installs it, in a folder without anything of the project.
    """
    script = tmp_path / "bin" / "refseg"
    script.parent.mkdir()
    script.write_text("import sys\nfrom refseg.__main__ import main\nsys.exit(main())\n")
    words = [
        *("validate", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")),
        *("--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"),
        *("--data.batch_size=3", "--output", str(tmp_path)),
    ]
    done = subprocess.run(
        [sys.executable, str(script), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(refseg.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    alone = json.loads((run / "metrics.json").read_text())["metrics"]["val"]
    together = json.loads((tmp_path / "metrics.json").read_text())["metrics"]["val"]
    assert together == alone
    assert done.stdout.count("in %") == 1, "only one process shows the table"


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    words = [
        *("fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)),
        *("--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=2"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "refseg", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    checkpoint = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 3  # 12 images, 2 processes with 2 images each
    assert json.loads((tmp_path / "metrics.json").read_text())["steps"] == 3

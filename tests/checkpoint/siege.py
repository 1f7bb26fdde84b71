"""Brings hostile checkpoints to the doors of the package, in a process that is watched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ALL = 10**6
SECONDS = 20  # for one checkpoint, on a machine that has other things to do
MEGABYTES_AT_ONCE = 500  # by which one attack may raise the peak
MEGABYTES = 4_000  # for all of them in one process, libraries included


def besiege(run: Path, photo: Path, folder: Path, doors: str, count: int = ALL) -> dict[str, Any]:
    """What happened at these doors to so many of the attacks, evenly spread."""
    inside, outside = folder / "inside", folder / "outside"
    (inside / "temporary").mkdir(parents=True)
    outside.mkdir()
    (outside / "planted.py").write_text(
        "from pathlib import Path\nfrom refseg.models.fusion import ConcatFusion as Fusion\n"
        "Path(__file__).with_name('touched').touch()\n"
    )
    (outside / "secret.txt").write_text("secret")
    (outside / "evil.yaml").write_text("class_path: planted.Fusion")
    checkpoint = run / "checkpoints" / "best.ckpt"
    shutil.copy(checkpoint, outside / "secret.ckpt")
    shutil.copy(run / "config.yaml", inside / "config.yaml")
    shutil.copy(photo, inside / "photo.png")
    done = subprocess.run(
        [sys.executable, str(HERE / "besieged.py"), checkpoint, inside, outside, str(count), doors],
        capture_output=True,
        text=True,
        check=False,
        cwd=inside,
        env={
            **os.environ,
            "TMPDIR": str(inside / "temporary"),
            "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def check(report: dict[str, Any]) -> None:
    """Nothing was seen; what was not opened was refused in one message, soon."""
    assert all(report["controls"].values()), report["controls"]
    for attack in report["attacks"]:
        assert not attack["seen"], attack
        assert attack["seconds"] < SECONDS, attack
        assert attack["megabytes"] < MEGABYTES_AT_ONCE, attack
        if attack["ending"] == "opened":
            assert attack["may_open"], attack
        else:
            assert attack["ending"].startswith("refused: "), attack
            assert "checkpoint" in attack["ending"] or "hostile.ckpt" in attack["ending"], attack
            assert "Traceback" not in attack["ending"], attack
            assert "\x1b" not in attack["ending"], attack
    assert report["megabytes"] < MEGABYTES
    assert not report["touched"]

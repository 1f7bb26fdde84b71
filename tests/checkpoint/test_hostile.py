"""Hostile checkpoints, brought to every door: none runs, imports, opens or reaches anything."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

HERE = Path(__file__).parent
SECONDS = 20  # for one checkpoint, on a machine that has other things to do
MEGABYTES_AT_ONCE = 500  # by which one attack may raise the peak
MEGABYTES = 4_000  # for all of them in one process, libraries included


def besiege(run: Path, photo: Path, folder: Path, count: int) -> dict[str, Any]:
    """What happened to so many of the attacks, evenly spread; the process is one of its own."""
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
        [sys.executable, str(HERE / "besieged.py"), checkpoint, inside, outside, str(count)],
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


def test_some_hostile_checkpoints(run: Path, photo: Path, tmp_path: Path) -> None:
    report = besiege(run, photo, tmp_path, count=40)
    assert len(report["attacks"]) >= 40
    check(report)


@pytest.mark.slow
def test_hostile_checkpoints(run: Path, photo: Path, tmp_path: Path) -> None:
    report = besiege(run, photo, tmp_path, count=10**6)
    assert report["all"] >= 300
    assert len(report["attacks"]) >= report["all"]
    check(report)
    opened = sum(attack["ending"] == "opened" for attack in report["attacks"])
    assert 0 < opened < len(report["attacks"]) / 3, "most are refused, not passed over"


def test_the_grammar_covers_all_places_and_kinds(run: Path, tmp_path: Path) -> None:
    """Each class in each place, and each kind of value for each class."""
    sys.path.insert(0, str(HERE))
    try:
        import hostile
    finally:
        sys.path.remove(str(HERE))
    attacks = [*hostile.grammar(hostile.Ground(tmp_path, 9))]
    names = [attack.name for attack in attacks]
    assert len(set(names)) == len(names) >= 300
    assert {entry for attack in attacks for entry in attack.entries} == {
        hostile.LOAD, hostile.MODULE, hostile.SEGMENT, hostile.CONFIG, hostile.TEST, hostile.FIT,
        hostile.FEATURES,
    }  # fmt: skip
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    attacks[0].write(content, tmp_path / "hostile.ckpt")
    assert (tmp_path / "hostile.ckpt").stat().st_size > 1000

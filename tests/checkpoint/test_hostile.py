"""Hostile checkpoints, brought to every door: none runs, imports, opens or reaches anything.

What the trainer's verbs do with them stands in `test_hostile_evaluation.py` and
`test_hostile_training.py`: these take seconds for each.
"""

import sys
from pathlib import Path

import pytest
import torch

from .siege import HERE, besiege, check

LIGHT = "load module segment config"


def test_some_hostile_checkpoints(run: Path, photo: Path, tmp_path: Path) -> None:
    report = besiege(run, photo, tmp_path, f"{LIGHT} test fit features", count=40)
    assert len(report["attacks"]) >= 40
    check(report)


@pytest.mark.slow
def test_hostile_checkpoints(run: Path, photo: Path, tmp_path: Path) -> None:
    report = besiege(run, photo, tmp_path, LIGHT)
    assert report["all"] >= 300
    assert len(report["attacks"]) >= 700
    check(report)
    opened = sum(attack["ending"] == "opened" for attack in report["attacks"])
    assert 0 < opened < len(report["attacks"]) / 2, "most are refused, not passed over"


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

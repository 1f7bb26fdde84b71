"""Hostile checkpoints that a training goes on from, or that features are taken with."""

from pathlib import Path

import pytest

from .siege import besiege, check


@pytest.mark.slow
def test_hostile_checkpoints_are_not_trained(run: Path, photo: Path, tmp_path: Path) -> None:
    report = besiege(run, photo, tmp_path, "fit features")
    assert len(report["attacks"]) >= 100
    check(report)
    opened = sum(attack["ending"] == "opened" for attack in report["attacks"])
    assert opened < len(report["attacks"]) / 3, "most are refused, not passed over"

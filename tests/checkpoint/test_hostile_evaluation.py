"""Hostile checkpoints that are to be evaluated: none runs, imports, opens or reaches anything."""

from pathlib import Path

import pytest

from .siege import besiege, check


@pytest.mark.slow
def test_hostile_checkpoints_are_not_evaluated(run: Path, photo: Path, tmp_path: Path) -> None:
    report = besiege(run, photo, tmp_path, "test")
    assert len(report["attacks"]) >= 150
    check(report)
    opened = sum(attack["ending"] == "opened" for attack in report["attacks"])
    assert opened < len(report["attacks"]) / 2, "most are refused, not passed over"

"""Runs that are killed at any point end as if nobody had disturbed them."""

from pathlib import Path

import pytest
import torch

from .attempts import PHASES, Attempt, run_campaign
from .outcome import difference

KILLS, FULL = 4 * len(PHASES), 3
SEED = 0


@pytest.mark.slow
def test_no_run_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each phase is hit several times; `python -m tests.campaign` tries more points."""
    with capsys.disabled():
        print(f"\nseed {SEED}")
        attempts = run_campaign(tmp_path, KILLS, FULL, SEED, show=True)
    assert not [str(attempt) for attempt in attempts if attempt.is_lost]
    killed = {attempt.phase for attempt in attempts if attempt.was_hit}
    assert killed >= set(PHASES) - {"any moment"}


def test_what_is_lost_is_seen() -> None:
    expected = {"weight": torch.tensor([1.0, 2.0]), "iou": 0.5, "nothing": float("nan")}
    assert difference(dict(expected), expected) == ""
    one_bit = torch.nextafter(expected["weight"], torch.tensor(9.0))
    assert "1 parts differ: weight" in difference({**expected, "weight": one_bit}, expected)
    assert "iou" in difference({**expected, "iou": 0.5000000000000001}, expected)
    assert "other parts: ['iou']" in difference({"weight": 0, "nothing": 0}, expected)
    assert Attempt(0, "saving", 2, {}, True, "1 parts differ").is_lost
    assert not Attempt(0, "saving", 2, {}, True, "ended with 2", "refseg: error: no").is_lost

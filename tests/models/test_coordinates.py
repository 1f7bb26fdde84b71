"""Coordinates against the papers' own code."""

from pathlib import Path

import numpy as np
import pytest
import torch

from refseg.models.coordinates import coordinates


@pytest.mark.parametrize(("h", "w"), [(40, 40), (16, 16), (12, 20), (7, 3), (1, 1)])
def test_equals_the_papers_code(shared: Path, h: int, w: int) -> None:
    with np.load(shared / "parity" / "spatial.npz") as fixture:
        expected = torch.from_numpy(fixture[f"spatial_{h}x{w}"]).permute(2, 0, 1)
    assert torch.equal(coordinates(h, w), expected)


def test_centres_are_symmetric_and_cells_touch() -> None:
    cells = coordinates(3, 5)
    left, top, right, bottom, x, y = cells[:6]
    assert torch.allclose(x, -x.flip(1))
    assert torch.allclose(y, -y.flip(0))
    assert torch.allclose(right[:, :-1], left[:, 1:], atol=1e-6)
    assert torch.allclose(bottom[:-1], top[1:], atol=1e-6)
    assert left.min() == -1
    assert bottom.max() == 1

"""The oracle that does not read, against trying all masks."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from refseg.data.shapes import ShapesOptions, prepare_shapes
from refseg.data.shapes.blind import best_blind_iou, blind_oracle


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_of_pixels_does_better(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truths = generator.random((2, 3, 6)) < 0.4  # images expressions pixels
    truths[0, 0, 0] = True
    inside = truths.sum(axis=1)
    counts = np.stack([inside, 3 - inside, np.ones_like(inside)], axis=2).reshape(-1, 3)
    best = 0.0
    for bits in product((False, True), repeat=12):
        prediction = np.array(bits).reshape(2, 1, 6)
        best = max(best, (truths & prediction).sum() / (truths | prediction).sum())
    assert best_blind_iou(counts) == pytest.approx(best)


@pytest.mark.parametrize("level", [1, 3])
def test_the_sentence_is_needed(tmp_path: Path, level: int) -> None:
    options = ShapesOptions(level=level, train_images=6, evaluation_images=4)
    root = prepare_shapes(options, tmp_path / "set", progress=False)
    for split in ("train", "testB"):
        assert 0.15 < blind_oracle(root, split) < 0.35

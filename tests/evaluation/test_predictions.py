"""Predictions in own size: the masks of the standard protocol, and how sure the model is."""

import numpy as np
import pytest
import torch

from refseg.benchmarks.synthetic_batch import synthetic_batch
from refseg.errors import PredictionError
from refseg.evaluation import STANDARD
from refseg.evaluation.predictions import (
    check_logits,
    dilated,
    predict,
    predict_from_probabilities,
    predict_masks,
)
from refseg.geometry import Geometry, Resampling, resize


@pytest.mark.parametrize("size", [(48, 64), (31, 17), (8, 300)], ids=str)
def test_masks_are_those_of_the_protocol_and_scores_those_of_numpy(size: tuple[int, int]) -> None:
    batch, _ = synthetic_batch(5, *size, side=24)
    logits = torch.randn(5, 24, 24, generator=torch.Generator().manual_seed(0)) * 4
    masks, scores = predict(batch, logits)
    wanted = predict_masks(batch, logits, STANDARD.rule)
    own = batch.geometries[0].invert(logits.double())
    for mask, score, other, values in zip(masks, scores, wanted, own, strict=True):
        assert mask.equal(other)
        inside = values.numpy()[mask.numpy()]
        assert score.item() == pytest.approx((1 / (1 + np.exp(-inside))).mean(), abs=1e-6)


def test_nothing_is_predicted() -> None:
    batch, logits = synthetic_batch(2, 20, 30, side=16)
    masks, scores = predict(batch, torch.full_like(logits, -1.0))
    assert not any(mask.any() for mask in masks)
    assert scores.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_no_number_is_named(value: float) -> None:
    batch, logits = synthetic_batch(3, 20, 30, side=16)
    check_logits(batch, logits)
    logits[1, 2, 3] = value
    with pytest.raises(
        PredictionError, match=rf"got {value} for generated \[1\] 'ellipse' \(1 of 3"
    ):
        check_logits(batch, logits)


def test_minus_infinity_is_surely_background() -> None:
    batch, logits = synthetic_batch(1, 20, 30, side=16)
    logits[:] = -torch.inf
    check_logits(batch, logits)
    assert not predict(batch, logits).masks[0].any()


def test_each_map_goes_to_its_image_by_the_rule_of_its_image() -> None:
    """One image is brought back as today, the other as the papers do: a touched pixel counts."""
    batch, _ = synthetic_batch(3, 4, 8, side=8)
    batch.image_index = torch.tensor([0, 1, 0])
    batch.geometries = (
        Geometry.letterbox(4, 8, 8),
        Geometry.letterbox(16, 16, 8, "original"),
    )
    logits = torch.full((3, 8, 8), -1.0)
    logits[:, 4, 4] = 0.5
    logits[2, 4, 4] = -0.5
    masks, scores = predict(batch, logits)
    assert [tuple(mask.shape) for mask in masks] == [(4, 8), (16, 16), (4, 8)]
    assert [int(mask.sum()) for mask in masks] == [1, 16, 0]
    # two pixels wide, and one more on each side that fades
    assert masks[1][7:11, 7:11].all()
    assert scores[0] == torch.tensor(0.5).sigmoid()
    assert scores[2] == 0
    assert predict(batch, logits, STANDARD.rule).masks[1].sum() < 16


@pytest.mark.parametrize("resampling", ["antialiased", "original"])
def test_probabilities_give_the_masks_of_their_logits(resampling: Resampling) -> None:
    """Where bilinear weights are exact (twice the size), both are thresholded alike."""
    batch, _ = synthetic_batch(4, 32, 32, side=16)
    batch.geometries = (Geometry.letterbox(32, 32, 16, resampling),)
    labels = torch.rand(4, 16, 16, generator=torch.Generator().manual_seed(0)).round()
    masks, scores = predict_from_probabilities(labels, batch.geometries[0])
    wanted = predict(batch, labels - 0.5)
    own = batch.geometries[0].invert(labels)
    for mask, score, other, values in zip(masks, scores, wanted.masks, own, strict=True):
        assert mask.equal(other)
        assert score.item() == pytest.approx(values[mask].double().mean().item())


def test_probabilities_in_own_size_are_only_thresholded() -> None:
    probabilities = torch.tensor([[[0.5, 0.75], [1.0, 0.0]], [[0.1, 0.2], [0.3, 0.5]]])
    masks, scores = predict_from_probabilities(probabilities, None)
    assert [mask.tolist() for mask in masks] == [
        [[False, True], [True, False]],
        [[False, False], [False, False]],
    ]
    assert scores.tolist() == [0.875, 0.0]


@pytest.mark.parametrize("size", [(3, 700), (700, 3), (50, 60), (5, 9)], ids=str)
def test_original_predictions_are_cut_out_of_the_resized_square(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the papers' code, but without a square as large as the longer side."""
    (height, width), longer = size, max(size)
    logits = torch.randn(2, 24, 24, generator=torch.Generator().manual_seed(0)) - 1
    square = resize((logits >= 1e-9).float(), longer, longer) > 0
    top, left = (longer - height) // 2, (longer - width) // 2
    made = []

    def watched(maps: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        made.append(rows * columns)
        return resize(maps, rows, columns)

    monkeypatch.setattr("refseg.evaluation.predictions.resize", watched)
    geometry = Geometry.letterbox(height, width, 24, "original")
    for one, wanted in zip(logits, square, strict=True):
        assert dilated(one, geometry).equal(wanted[top : top + height, left : left + width])
    assert max(made) <= max(height * width, 24 * longer)


@pytest.mark.parametrize("size", [(3, 70), (70, 3), (50, 50), (24, 9)], ids=str)
def test_original_predictions_of_squashed_images_are_not_cut(size: tuple[int, int]) -> None:
    logits = torch.randn(24, 24, generator=torch.Generator().manual_seed(0)) - 1
    found = dilated(logits, Geometry.squash(*size, 24, "original"))
    assert found.equal(resize((logits >= 1e-9).float(), *size) > 0)

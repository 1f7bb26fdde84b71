"""Predictions in own size: the masks of the standard protocol, and how sure the model is."""

import numpy as np
import pytest
import torch

from refseg.benchmarks.answers import generated_batch
from refseg.errors import PredictionError
from refseg.evaluation import STANDARD
from refseg.evaluation.counting import predict
from refseg.evaluation.predictions import check_logits, predict_with_scores


@pytest.mark.parametrize("size", [(48, 64), (31, 17), (8, 300)], ids=str)
def test_masks_are_those_of_the_protocol_and_scores_those_of_numpy(size: tuple[int, int]) -> None:
    batch, _ = generated_batch(5, *size, side=24)
    logits = torch.randn(5, 24, 24, generator=torch.Generator().manual_seed(0)) * 4
    masks, scores = predict_with_scores(batch, logits)
    wanted = predict(batch, logits, STANDARD)
    own = batch.to_own_size(logits.double())
    for mask, score, other, values in zip(masks, scores, wanted, own, strict=True):
        assert mask.equal(other)
        inside = values.numpy()[mask.numpy()]
        assert score.item() == pytest.approx((1 / (1 + np.exp(-inside))).mean(), abs=1e-6)


def test_nothing_is_predicted() -> None:
    batch, logits = generated_batch(2, 20, 30, side=16)
    masks, scores = predict_with_scores(batch, torch.full_like(logits, -1.0))
    assert not any(mask.any() for mask in masks)
    assert scores.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_no_number_is_named(value: float) -> None:
    batch, logits = generated_batch(3, 20, 30, side=16)
    check_logits(batch, logits)
    logits[1, 2, 3] = value
    with pytest.raises(
        PredictionError, match=rf"got {value} for generated \[1\] 'ellipse' \(1 of 3"
    ):
        check_logits(batch, logits)


def test_minus_infinity_is_surely_background() -> None:
    batch, logits = generated_batch(1, 20, 30, side=16)
    logits[:] = -torch.inf
    check_logits(batch, logits)
    assert not predict_with_scores(batch, logits).masks[0].any()

"""Pixel counts of a batch, against counting them plainly."""

import re

import pytest
import torch

from refseg.benchmarks.synthetic_batch import synthetic_batch
from refseg.errors import PredictionError
from refseg.evaluation import PROTOCOLS, STANDARD, Protocol, intersection_and_union
from refseg.evaluation.counting import count_pixels, decoded_truths
from refseg.evaluation.predictions import predict_masks
from refseg.masks import decode, encode


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda protocol: protocol.name)
def test_counts_are_those_of_the_plain_function(protocol: Protocol) -> None:
    batch, logits = synthetic_batch(7, 45, 60, side=32)
    predictions = predict_masks(batch, logits, protocol.rule)
    counts = count_pixels(batch, predictions, protocol)
    for number, (prediction, truth) in enumerate(zip(predictions, batch.truths, strict=True)):
        mask = torch.tensor(protocol.truth(decode(truth)))
        both, either = intersection_and_union(prediction[None], mask[None])
        assert (counts.intersections[number], counts.unions[number]) == (both, either)
        assert counts.areas[number] == mask.sum() > 0
        assert both > 0


def test_a_mask_is_decoded_once_for_all_of_its_expressions() -> None:
    batch, logits = synthetic_batch(7, 45, 60, side=32)
    truths = decoded_truths(batch)
    assert len(truths) == 3, "three expressions name each object"
    predictions = predict_masks(batch, logits, STANDARD.rule)
    again = count_pixels(batch, predictions, STANDARD, truths)
    for one, other in zip(again, count_pixels(batch, predictions, STANDARD), strict=True):
        assert one.equal(other)


def test_masks_of_different_sizes_are_counted_as_they_are() -> None:
    small, large = torch.zeros(2, 3, dtype=torch.bool), torch.zeros(7, 5, dtype=torch.bool)
    small[0, :2] = True
    large[3:] = True
    batch, _ = synthetic_batch(2, 7, 5, side=8)
    batch.truths = (encode((~small).numpy()), encode(large.numpy()))
    counts = count_pixels(batch, [small, large])
    assert [column.tolist() for column in counts] == [[0, 20], [6, 20], [4, 20]]


@pytest.mark.parametrize("size", [(45, 61), (60, 45), (1, 60), (45, 1)])
def test_a_mask_of_another_size_is_refused(size: tuple[int, int]) -> None:
    """Also one that numpy would repeat along an axis."""
    batch, logits = synthetic_batch(3, 45, 60, side=32)
    predictions = predict_masks(batch, logits, STANDARD.rule)
    predictions[1] = torch.ones(size, dtype=torch.bool)
    message = (
        f"Expected a mask of 45 × 60 pixels (height × width), got {size[0]} × {size[1]} for "
        "generated [1] 'ellipse'"
    )
    with pytest.raises(PredictionError, match=re.escape(message)):
        count_pixels(batch, predictions)
    with pytest.raises(PredictionError, match="a mask for each of 3 expressions of a batch, got 2"):
        count_pixels(batch, predictions[:2])

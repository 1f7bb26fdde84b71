"""Pixel counts of a batch, against counting them plainly."""

import pytest
import torch

from refseg.benchmarks.answers import generated_batch
from refseg.evaluation import PROTOCOLS, STANDARD, Protocol, intersection_and_union
from refseg.evaluation.counting import count_pixels, decoded_truths, predict
from refseg.masks import decode


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda protocol: protocol.name)
def test_counts_are_those_of_the_plain_function(protocol: Protocol) -> None:
    batch, logits = generated_batch(7, 45, 60, side=32)
    predictions = predict(batch, logits, protocol)
    counts = count_pixels(batch, predictions, protocol)
    for number, (prediction, truth) in enumerate(zip(predictions, batch.truths, strict=True)):
        mask = torch.tensor(protocol.truth(decode(truth)))
        both, either = intersection_and_union(prediction[None], mask[None])
        assert (counts.intersections[number], counts.unions[number]) == (both, either)
        assert counts.areas[number] == mask.sum() > 0
        assert both > 0


def test_a_mask_is_decoded_once_for_all_of_its_expressions() -> None:
    batch, logits = generated_batch(7, 45, 60, side=32)
    truths = decoded_truths(batch)
    assert len(truths) == 3, "three expressions name each object"
    predictions = predict(batch, logits, STANDARD)
    again = count_pixels(batch, predictions, STANDARD, truths)
    for one, other in zip(again, count_pixels(batch, predictions, STANDARD), strict=True):
        assert one.equal(other)

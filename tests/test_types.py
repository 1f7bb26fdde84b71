"""Batches: choosing expressions, moving, and the way back to own sizes."""

import pytest
import torch
from lightning.pytorch.plugins import DoublePrecision, HalfPrecision, Precision

from refseg.geometry import Geometry
from refseg.types import Batch, RunLengths


def make_batch() -> Batch:
    """Two images of different sizes; the first has expressions 10 and 12, the second 11."""
    return Batch(
        images=torch.arange(2 * 3 * 8 * 8, dtype=torch.uint8).reshape(2, 3, 8, 8),
        tokens=torch.tensor([[5, 6, 0], [7, 8, 9], [4, 0, 0]]),
        token_mask=torch.tensor([[True, True, False], [True] * 3, [True, False, False]]),
        image_index=torch.tensor([0, 1, 0]),
        masks=torch.zeros(3, 8, 8, dtype=torch.bool),
        expressions=("a b", "c d e", "f"),
        expression_ids=(10, 11, 12),
        truths=tuple(RunLengths(4, 8, b"%d" % i) for i in range(3)),
        geometries=(Geometry.letterbox(4, 8, 8), Geometry.letterbox(16, 16, 8)),
        image_paths=("one.jpg", "two.jpg"),
    )


def test_select_keeps_only_the_images_that_are_asked_and_drops_useless_padding() -> None:
    batch = make_batch()
    chosen = batch.select([2, 0])
    assert chosen.expression_ids == (12, 10)
    assert chosen.image_paths == ("one.jpg",)
    assert chosen.image_index.tolist() == [0, 0]
    assert chosen.tokens.tolist() == [[4, 0], [5, 6]]
    assert torch.equal(chosen.images, batch.images[:1])
    second = batch.select([1])
    assert second.image_paths == ("two.jpg",)
    assert second.image_index.tolist() == [0]
    assert torch.equal(second.images[0], batch.images[1])


def test_moving_keeps_ids_and_sentences() -> None:
    moved = make_batch().to("meta")
    assert moved.images.device.type == moved.token_mask.device.type == "meta"
    assert moved.expression_ids == (10, 11, 12)
    assert len(moved) == 3


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [
        (HalfPrecision("bf16-true"), torch.bfloat16),
        (HalfPrecision("16-true"), torch.float16),
        (DoublePrecision(), torch.float64),
    ],
)
def test_the_trainer_converts_features_and_leaves_the_rest(
    precision: Precision, dtype: torch.dtype
) -> None:
    batch = make_batch()
    batch.features = (torch.rand(2, 4, 3, 3), torch.rand(2, 8, 2, 2))
    converted = precision.convert_input(batch)
    assert type(converted) is Batch
    assert [level.dtype for level in converted.features] == [dtype, dtype]
    for name in ("geometries", "truths", "expressions", "expression_ids", "image_paths"):
        assert getattr(converted, name) == getattr(batch, name)
    assert all(type(geometry) is Geometry for geometry in converted.geometries)
    for name in ("images", "tokens", "token_mask", "image_index", "masks"):
        assert torch.equal(getattr(converted, name), getattr(batch, name))

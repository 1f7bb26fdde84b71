"""A loss on the decoder's own grid."""

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.losses import DiceLoss, GridLoss, WeightedLogisticLoss, WeightedSum
from refseg.types import GRID_LOGITS, Batch, Output


@pytest.fixture
def masks() -> torch.Tensor:
    return torch.rand(3, 16, 24, generator=torch.Generator().manual_seed(0)) > 0.5


def batch_of(masks: torch.Tensor) -> Batch:
    count = len(masks)
    return Batch(
        images=torch.zeros(1, 3, *masks.shape[1:], dtype=torch.uint8),
        tokens=torch.ones(count, 1, dtype=torch.int64),
        token_mask=torch.ones(count, 1, dtype=torch.bool),
        image_index=torch.zeros(count, dtype=torch.int64),
        masks=masks,
        expressions=("a",) * count,
        expression_ids=tuple(range(count)),
        truths=(),
        geometries=(),
        image_paths=("a.jpg",),
    )


def test_a_cell_is_foreground_where_its_first_pixel_is(masks: torch.Tensor) -> None:
    logits = torch.randn(3, 4, 6)
    output = Output(torch.zeros(3, 16, 24), auxiliary={GRID_LOGITS: logits})
    loss = GridLoss(WeightedLogisticLoss())(output, batch_of(masks))
    expected = functional.binary_cross_entropy_with_logits(logits, masks[:, ::4, ::4].float())
    assert_close(loss, expected)


def test_another_size_is_reached_as_torch_does(masks: torch.Tensor) -> None:
    logits = torch.randn(3, 5, 7)
    output = Output(torch.zeros(3, 16, 24), auxiliary={GRID_LOGITS: logits})
    loss = GridLoss(WeightedLogisticLoss())(output, batch_of(masks))
    small = functional.interpolate(masks[:, None].float(), size=(5, 7))[:, 0]
    assert_close(loss, functional.binary_cross_entropy_with_logits(logits, small))


def test_beside_a_loss_of_pixels(masks: torch.Tensor) -> None:
    output = Output(torch.randn(3, 16, 24), auxiliary={GRID_LOGITS: torch.randn(3, 4, 6)})
    grid, pixels, batch = GridLoss(WeightedLogisticLoss()), DiceLoss(), batch_of(masks)
    both = WeightedSum([grid, pixels], weights=[1.0, 0.5])(output, batch)
    assert_close(both, grid(output, batch) + 0.5 * pixels(output, batch))


def test_a_decoder_without_such_logits_is_named(masks: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match="TextKernelDecoder"):
        GridLoss(WeightedLogisticLoss())(Output(torch.zeros(3, 16, 24)), batch_of(masks))

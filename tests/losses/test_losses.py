"""Losses against torch, hand-worked cases, finite differences and the papers' code."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.losses import (
    CellLoss,
    DiceLoss,
    Loss,
    WeightedLogisticLoss,
    WeightedSum,
    WordLoss,
    any_foreground,
)
from refseg.types import WORDS, Batch, Output

from ..parity import read

LOSSES: list[Loss] = [
    WeightedLogisticLoss(),
    WeightedLogisticLoss(2.0, 0.25, reduction="sum"),
    WeightedLogisticLoss(2.0, 0.25, reduction="expression_sum"),
    WeightedLogisticLoss(1.1, 0.9, reduction="weights"),
    DiceLoss(),
    DiceLoss(smoothing=0.0),
    WeightedSum([WeightedLogisticLoss(), DiceLoss()], weights=[0.7, 0.3]),
]


@pytest.fixture
def logits() -> torch.Tensor:
    return 5 * torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def masks() -> torch.Tensor:
    return torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(1)) > 0.6


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_equal_weights_are_plain_cross_entropy(
    logits: torch.Tensor, masks: torch.Tensor, reduction: str
) -> None:
    ours = WeightedLogisticLoss(reduction=reduction).of_masks(logits, masks)
    torch.testing.assert_close(
        ours,
        functional.binary_cross_entropy_with_logits(logits, masks.float(), reduction=reduction),
    )


def test_positive_weight_is_torchs_pos_weight(logits: torch.Tensor, masks: torch.Tensor) -> None:
    torch.testing.assert_close(
        WeightedLogisticLoss(positive_weight=3.0).of_masks(logits, masks),
        functional.binary_cross_entropy_with_logits(
            logits, masks.float(), pos_weight=torch.tensor(3.0)
        ),
    )


def batch_of(masks: torch.Tensor, tokens: list[list[int]]) -> Batch:
    """With nothing but what a loss looks at; 0 is padding."""
    numbers = torch.tensor(tokens)
    names = tuple("a" for _ in tokens)
    return Batch(
        images=None,
        tokens=numbers,
        token_mask=numbers > 0,
        image_index=torch.zeros(len(tokens), dtype=torch.long),
        masks=masks,
        expressions=names,
        expression_ids=tuple(range(len(tokens))),
        truths=(),
        geometries=(),
        image_paths=(),
    )


def test_words_by_hand() -> None:
    """Two cells of two pixels; a vocabulary of three words, 0 being padding."""
    masks = torch.tensor([[[True, True, True, False]], [[False] * 4]])
    cells = torch.tensor([[0.0, 0.0], [math.log(2.0), 0.0], [0.0, math.log(8.0)]])  # words, cells
    words = cells[None, :, None].repeat(2, 1, 1, 1)
    output = Output(torch.zeros(2, 1, 4), auxiliary={WORDS: words})
    # The mask takes up all of the first cell and half of the second: weights of 2/3 and 1/3.
    logits = [0.0, 2 / 3 * math.log(2.0), 1 / 3 * math.log(8.0)]
    total = math.log(sum(math.exp(value) for value in logits))
    expected = ((total - logits[1]) + (total - logits[2])) / 2
    found = WordLoss()(output, batch_of(masks, [[1, 2], [1, 0]]))  # the second names nothing
    assert found.item() == pytest.approx(expected, rel=1e-6)
    assert WordLoss()(output, batch_of(torch.zeros_like(masks), [[1, 2], [1, 0]])).item() == 0


def test_words_are_named_by_the_network() -> None:
    batch = batch_of(torch.ones(1, 1, 4, dtype=torch.bool), [[1]])
    with pytest.raises(ConfigError, match=r"set model\.name_words true"):
        WordLoss()(Output(torch.zeros(1, 1, 4)), batch)


def test_weights_by_hand() -> None:
    logits = torch.tensor([[[math.log(3.0), math.log(3.0)], [0.0, 0.0]]])  # p = 3/4, 3/4, 1/2, 1/2
    masks = torch.tensor([[[True, False], [True, False]]])
    by_hand = 2 * math.log(4 / 3) + 0.5 * math.log(4) + 2 * math.log(2) + 0.5 * math.log(2)
    total = WeightedLogisticLoss(2.0, 0.5, reduction="sum").of_masks(logits, masks)
    assert total.item() == pytest.approx(by_hand)
    mean = WeightedLogisticLoss(2.0, 0.5).of_masks(logits, masks)
    assert mean.item() == pytest.approx(by_hand / 4)


def test_the_sum_of_the_weights_divides_as_in_a_cross_entropy_of_two_classes() -> None:
    """Logits of background and foreground; the loss is of their difference."""
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(2, 2, 4, 5, generator=generator)
    masks = torch.rand(2, 4, 5, generator=generator) < 0.3
    expected = functional.cross_entropy(scores, masks.long(), torch.tensor([0.9, 1.1]))
    loss = WeightedLogisticLoss(1.1, 0.9, reduction="weights")
    assert_close(loss.of_masks(scores[:, 1] - scores[:, 0], masks), expected)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_loss_of_lavt(shared: Path, mode: str) -> None:
    fixture, _ = read(shared / "parity" / "modern" / "lavt_decoder.npz")
    scores, masks = fixture[f"out/{mode}/scores"], fixture["in/target"] > 0
    loss = WeightedLogisticLoss(1.1, 0.9, reduction="weights")
    found = loss.of_masks(scores[:, 1] - scores[:, 0], masks)
    assert found.item() == pytest.approx(fixture[f"out/{mode}/loss"].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("scores", "labels", "recorded", "weights"),
    [
        ("out/score_lowres", "lo", "out/loss_lo_1_1", (1.0, 1.0)),
        ("out/score_lowres", "lo", "out/loss_lo_3_half", (3.0, 0.5)),
        ("upsampled", "hi", "out/loss_hi_bilinear_1_third", (1.0, 1 / 3)),
    ],
)
def test_losses_of_hu_et_al(
    shared: Path, scores: str, labels: str, recorded: str, weights: tuple[float, float]
) -> None:
    fixture = np.load(shared / "parity" / "hu_small.npz")
    if labels == "lo":
        masks = torch.from_numpy(fixture["in/label_lo"][..., 0] != 0)
        logits = torch.from_numpy(fixture[scores][..., 0])
    else:
        shape = fixture["in/label_hi_shape"]
        packed = np.unpackbits(fixture["in/label_hi_packed"])[: np.prod(shape)]
        masks = torch.from_numpy(packed.reshape(shape)[..., 0] != 0)
        lowres = torch.from_numpy(fixture["out/score_lowres"][..., 0])[:, None]
        kernel = torch.from_numpy(fixture["out/bilinear_filter_32"][None, None, ..., 0, 0])
        logits = functional.conv_transpose2d(lowres, kernel, stride=32, padding=16)[:, 0]
    loss = WeightedLogisticLoss(*weights).of_masks(logits, masks)
    assert loss.item() == pytest.approx(float(fixture[recorded]), rel=1e-5)


def test_loss_of_rmi(shared: Path) -> None:
    fixture = np.load(shared / "parity" / "rmi_train_resnet_square.npz")
    logits, masks = (
        torch.from_numpy(fixture[key]).reshape(-1, 10, 10) for key in ("out/pred", "out/target")
    )
    loss = WeightedLogisticLoss(reduction="sum")
    recorded = fixture["out/cls_loss"]
    assert len(recorded) == len(logits) > 0
    for step, value in enumerate(recorded):
        ours = loss.of_masks(logits[step : step + 1], masks[step : step + 1] != 0).item()
        assert ours == pytest.approx(float(value), rel=1e-5)


def test_dice_by_hand_averages_expressions() -> None:
    logits = torch.full((2, 2, 2), -1000.0)
    logits[0, 0] = 1000.0  # prediction of two pixels, one of them right; nothing predicted below
    masks = torch.tensor([[[True, False], [True, True]], [[False, False], [False, False]]])
    first = 1 - (2 * 1 + 1) / (2 + 3 + 1)
    second = 1 - (0 + 1) / (0 + 0 + 1)
    assert DiceLoss(smoothing=1.0).of_masks(logits, masks).item() == pytest.approx(
        (first + second) / 2
    )


def test_dice_without_smoothing_and_without_foreground_stays_finite() -> None:
    logits = torch.full((1, 2, 2), -1000.0, requires_grad=True)
    loss = DiceLoss(smoothing=0.0).of_masks(logits, torch.zeros(1, 2, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 1.0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_dice_gives_small_and_large_objects_the_same_weight() -> None:
    masks = torch.zeros(2, 20, 20, dtype=torch.bool)
    masks[0, :1, :1], masks[1, :15, :15] = True, True
    logits = torch.full((2, 20, 20), -100.0)
    missed = DiceLoss(smoothing=0.0)
    torch.testing.assert_close(
        missed.of_masks(logits[:1], masks[:1]), missed.of_masks(logits[1:], masks[1:])
    )


def test_weighted_sum_adds_its_terms(logits: torch.Tensor, masks: torch.Tensor) -> None:
    terms = [WeightedLogisticLoss(1.0, 0.2), DiceLoss()]
    total = WeightedSum(terms, weights=[0.5, 2.0]).of_masks(logits, masks)
    torch.testing.assert_close(
        total, 0.5 * terms[0].of_masks(logits, masks) + 2 * terms[1].of_masks(logits, masks)
    )


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_gradients(loss: Loss, logits: torch.Tensor, masks: torch.Tensor) -> None:
    variables = logits.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: loss.of_masks(values, masks), variables)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_half_precision_is_summed_in_float32(loss: Loss) -> None:
    logits = torch.full((1, 200, 200), 1.0, dtype=torch.bfloat16)
    masks = torch.zeros(1, 200, 200, dtype=torch.bool)
    masks[:, :50] = True
    result = loss.of_masks(logits, masks)
    assert result.dtype == torch.float32
    torch.testing.assert_close(
        result.double(), loss.of_masks(logits.double(), masks), rtol=1e-5, atol=0
    )


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_extreme_logits_stay_finite(loss: Loss) -> None:
    logits = torch.tensor([[[1e4, -1e4], [1e4, -1e4]]], requires_grad=True)
    masks = torch.tensor([[[True, False], [False, True]]])
    loss.of_masks(logits, masks).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("weights", [(-1.0, 1.0), (1.0, -0.5), (0.0, 0.0)])
def test_weights_that_cannot_work(weights: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match=f"positive_weight={weights[0]}"):
        WeightedLogisticLoss(*weights)


def test_options_that_cannot_work() -> None:
    with pytest.raises(ConfigError, match=r"got -1\.0"):
        DiceLoss(smoothing=-1.0)
    with pytest.raises(ConfigError, match="1 losses and 2 weights"):
        WeightedSum([DiceLoss()], weights=[1.0, 2.0])
    with pytest.raises(ConfigError, match="got 0 losses"):
        WeightedSum([], weights=[])


def test_the_sum_of_an_expression_is_averaged_over_expressions(
    logits: torch.Tensor, masks: torch.Tensor
) -> None:
    per_expression = WeightedLogisticLoss(reduction="expression_sum")
    total = WeightedLogisticLoss(reduction="sum")
    torch.testing.assert_close(
        per_expression.of_masks(logits, masks), total.of_masks(logits, masks) / 3
    )
    torch.testing.assert_close(
        per_expression.of_masks(logits[:1], masks[:1]), total.of_masks(logits[:1], masks[:1])
    )


def test_cells_of_rmi_are_those_of_its_grid() -> None:
    """Loss and gradient through legacy upsampling are exactly those on the grid itself."""
    from refseg.models.decoders import legacy_upsample

    generator = torch.Generator().manual_seed(0)
    cells = (5 * torch.randn(3, 5, 7, generator=generator)).requires_grad_()
    masks = torch.rand(3, 40, 56, generator=generator) > 0.6
    inner = WeightedLogisticLoss(reduction="sum")
    logits = legacy_upsample(cells[:, None], (40, 56))[:, 0]
    loss = CellLoss(inner, stride=8).of_masks(logits, masks)
    (gradient,) = torch.autograd.grad(loss, cells)
    expected = inner.of_masks(cells, masks[:, ::8, ::8])
    (expected_gradient,) = torch.autograd.grad(expected, cells)
    assert torch.equal(logits[:, ::8, ::8], cells)
    assert torch.equal(loss, expected)
    torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=1e-6)


def test_cells_of_lstm_cnn_are_those_of_its_grid() -> None:
    from refseg.models.decoders import DeconvolutionDecoder

    generator = torch.Generator().manual_seed(0)
    decoder = DeconvolutionDecoder((4,), 1, 1, stride=32, learned=False)
    cells = 5 * torch.randn(2, 3, 4, generator=generator)
    masks = torch.rand(2, 96, 128, generator=generator) > 0.999
    loss = CellLoss(WeightedLogisticLoss(), stride=32, target="any_foreground", value="middle")
    coarse = any_foreground(masks, 32)
    assert 0 < coarse.sum() < coarse.numel()
    torch.testing.assert_close(
        loss.of_masks(decoder.upsample(cells), masks),
        WeightedLogisticLoss().of_masks(cells, coarse),
    )


def test_cells_have_to_be_whole() -> None:
    loss = CellLoss(WeightedLogisticLoss(), stride=8)
    with pytest.raises(ConfigError, match="whole cells of 8 pixels"):
        loss.of_masks(torch.zeros(1, 12, 16), torch.zeros(1, 12, 16, dtype=torch.bool))
    with pytest.raises(ConfigError, match="at least 1"):
        CellLoss(WeightedLogisticLoss(), stride=0)

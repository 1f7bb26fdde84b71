"""The mLSTM against torch's LSTM run in every cell, and what it costs."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from refseg.models.coordinates import coordinates
from refseg.models.fusion import MultimodalLSTM
from refseg.models.fusion.mlstm import unsquash
from refseg.types import TextFeatures

IMAGE_DIM, WORD_DIM, HIDDEN_DIM, H, W = 6, 7, 5, 3, 4


def _random_fusion(**options: object) -> MultimodalLSTM:
    """Weights far from their careful start, biases included, so that every gate matters."""
    torch.manual_seed(0)
    fusion = MultimodalLSTM((IMAGE_DIM,), WORD_DIM, 3, HIDDEN_DIM, **options)  # type: ignore[arg-type]
    for parameter in fusion.parameters():
        nn.init.uniform_(parameter, -1, 1)
    return fusion


def _lstm_with_the_weights_of(fusion: MultimodalLSTM) -> nn.LSTM:
    lstm = nn.LSTM(IMAGE_DIM + WORD_DIM + 8, HIDDEN_DIM, batch_first=True)
    parts = fusion.visual.image.weight, fusion.word.weight, fusion.visual.coordinates.weight
    weights = torch.cat([part.flatten(1) for part in parts], dim=1)
    bias = fusion.visual.image.bias
    assert bias is not None
    state = {
        "weight_ih_l0": weights,
        "weight_hh_l0": fusion.recurrent.weight,
        "bias_ih_l0": bias,
        "bias_hh_l0": torch.zeros_like(bias),
    }
    lstm.load_state_dict(state)
    return lstm


def _cell_by_cell(
    fusion: MultimodalLSTM, features: Tensor, text: TextFeatures, image_index: Tensor
) -> Tensor:
    lstm = _lstm_with_the_weights_of(fusion)
    cells = coordinates(H, W)
    result = torch.empty(len(image_index), HIDDEN_DIM, H, W)
    for row, image in enumerate(image_index.tolist()):
        words = text.words[row, : int(text.token_mask[row].sum())]
        for i in range(H):
            for j in range(W):
                seen = torch.cat([features[image, :, i, j], cells[:, i, j]])
                steps = [torch.cat([seen[:IMAGE_DIM], word, seen[IMAGE_DIM:]]) for word in words]
                _, (state, _) = lstm(torch.stack(steps)[None])
                result[row, :, i, j] = state[0, 0]
    return result


@pytest.mark.parametrize("expressions_at_once", [None, 1, 2, 9])
def test_equals_an_lstm_run_in_every_cell(
    make_text: Callable[..., TextFeatures], expressions_at_once: int | None
) -> None:
    fusion = _random_fusion(
        output="state", normalize=False, expressions_at_once=expressions_at_once
    )
    features, text = torch.randn(2, IMAGE_DIM, H, W), make_text((3, 1, 6, 3), word_dim=WORD_DIM)
    image_index = torch.tensor([1, 0, 1, 0])
    expected = _cell_by_cell(fusion, features, text, image_index)
    assert_close(fusion((features,), text, image_index)[-1], expected, rtol=1e-5, atol=1e-6)


def test_normalised_features_have_length_one(make_text: Callable[..., TextFeatures]) -> None:
    text, image_index = make_text((3, 2), word_dim=WORD_DIM), torch.tensor([0, 0])
    features = 10 * torch.randn(1, IMAGE_DIM, H, W)
    fusion = _random_fusion(output="state")
    expected = _cell_by_cell(fusion, functional.normalize(features, dim=1), text, image_index)
    assert_close(fusion((features,), text, image_index)[-1], expected, rtol=1e-5, atol=1e-6)


def test_atanh_undoes_the_squashing(make_text: Callable[..., TextFeatures]) -> None:
    text, image_index = make_text((3, 2), word_dim=WORD_DIM), torch.tensor([0, 0])
    features = torch.randn(1, IMAGE_DIM, H, W)
    state = _random_fusion(output="state")((features,), text, image_index)[-1]
    fused = _random_fusion(output="atanh")((features,), text, image_index)[-1]
    small = state < 0.9  # near 1, the 1.001 of the paper's code bounds the result
    assert_close(fused[small], state.atanh().relu()[small], rtol=1e-2, atol=1e-3)
    assert (fused >= 0).all()


def test_expression_without_words_has_the_empty_state(
    make_text: Callable[..., TextFeatures],
) -> None:
    text = make_text((3, 0), word_dim=WORD_DIM)
    (fused,) = _random_fusion(output="state")(
        (torch.randn(1, IMAGE_DIM, H, W),), text, torch.tensor([0, 0])
    )
    assert fused[0].any()
    assert not fused[1].any()


def test_forget_gate_starts_open() -> None:
    """A bias of 1 stands in for the papers' +1; the other gates start at 0."""
    fusion = MultimodalLSTM((IMAGE_DIM,), WORD_DIM, 3, HIDDEN_DIM)
    bias = fusion.visual.image.bias
    assert bias is not None
    assert bias.view(4, HIDDEN_DIM).tolist() == [
        [float(gate == 1)] * HIDDEN_DIM for gate in range(4)
    ]


@pytest.mark.parametrize("method", ["forward", "steps"])
def test_what_the_words_leave_alone_is_computed_once_per_image(
    make_text: Callable[..., TextFeatures], method: str
) -> None:
    """Multiplications and additions, counted by torch, against the sum of three parts."""
    fusion = _random_fusion()
    features = torch.randn(1, IMAGE_DIM, H, W)
    for expressions, words in [(1, 4), (10, 4), (10, 7)]:
        text = make_text([words] * expressions, word_dim=WORD_DIM)
        image_index = torch.zeros(expressions, dtype=torch.int64)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            list(getattr(fusion, method)((features,), text, image_index))
        gates, cells = 2 * 4 * HIDDEN_DIM, H * W  # a multiplication and an addition each
        once_per_image = cells * (IMAGE_DIM + 8) * gates
        once_per_word = expressions * words * WORD_DIM * gates
        recurrent = expressions * (words - 1) * cells * HIDDEN_DIM * gates
        assert counter.get_total_flops() == once_per_image + once_per_word + recurrent


def test_every_weight_is_used_even_if_no_expression_has_a_second_word(
    make_text: Callable[..., TextFeatures],
) -> None:
    fusion = _random_fusion()
    text = make_text((1, 1), word_dim=WORD_DIM)
    maps = (torch.randn(1, IMAGE_DIM, H, W),)
    fusion(maps, text, torch.tensor([0, 0]))[-1].sum().backward()
    assert all(parameter.grad is not None for parameter in fusion.parameters())


def test_padding_costs_nothing(make_text: Callable[..., TextFeatures]) -> None:
    """Nine short expressions beside a long one: only the long one is read to its end."""
    fusion = _random_fusion()
    text = make_text([12] + [2] * 9, word_dim=WORD_DIM)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        maps = (torch.randn(1, IMAGE_DIM, H, W),)
        fusion(maps, text, torch.zeros(10, dtype=torch.int64))
    gates, cells = 2 * 4 * HIDDEN_DIM, H * W
    image_and_words = cells * (IMAGE_DIM + 8) * gates + 10 * 12 * WORD_DIM * gates
    # Of the second word all, of each further one that of the long one alone.
    recurrent = (10 + 10 * 1) * cells * HIDDEN_DIM * gates
    assert counter.get_total_flops() == image_and_words + recurrent


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_atanh_of_a_full_state_is_finite_in_any_precision(dtype: torch.dtype) -> None:
    states = torch.tensor([-1.0, 0.0, 0.5, 1.0], dtype=dtype, requires_grad=True)
    found = unsquash(states)
    assert_close(found, torch.tensor([-3.8007, 0.0, 0.5486, 3.8007]), rtol=0, atol=1e-4)
    found.sum().backward()
    assert_close(states.grad, torch.tensor([500.25, 0.999, 1.3324, 500.25]).to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("is_mixed", [True, False])
def test_states_are_kept_in_float32(
    dtype: torch.dtype, is_mixed: bool, make_text: Callable[..., TextFeatures]
) -> None:
    """Gates that are wide open fill the states up to ±1 within a few of many words."""
    fusion = _random_fusion()
    nn.init.constant_(fusion.visual.image.bias, 8.0)
    features, text = torch.randn(1, IMAGE_DIM, H, W), make_text([40], WORD_DIM)
    index = torch.tensor([0])
    exact = [step.maps[-1] for step in fusion.steps((features,), text, index)]
    assert exact[-1].abs().max() > 3.7
    if not is_mixed:
        fusion, features, text.words = fusion.to(dtype), features.to(dtype), text.words.to(dtype)
    with torch.autocast("cpu", dtype, enabled=is_mixed):
        found = [step.maps[-1] for step in fusion.steps((features,), text, index)]
        fusion((features,), text, index)[-1].square().mean().backward()
    assert {cells.dtype for cells in found} == {torch.float32}
    far = [(a - b).abs().mean().item() for a, b in zip(found, exact, strict=True)]
    assert max(far) < 0.02, "gates are rounded, but nothing adds up"
    assert all(p.grad is not None and p.grad.isfinite().all() for p in fusion.parameters())

"""Deformable attention against the numbers of Mask2Former's own code, as ReLA has it."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from refseg.models.decoders.deformable_attention import DeformableAttention

from ...parity import read, under

NAMES = {
    "offsets": "sampling_offsets",
    "weights": "attention_weights",
    "value": "value_proj",
    "output": "output_proj",
}


def attention_weights(original: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The original's weights, or gradients, by our names."""
    return {
        f"{ours}.{kind}": original[f"{theirs}.{kind}"]
        for ours, theirs in NAMES.items()
        for kind in ("weight", "bias")
    }


def test_numbers_of_the_original(shared: Path) -> None:
    fixture, facts = read(shared / "parity" / "modern" / "rela_msdeform.npz")
    given = facts["arguments"]
    attention = DeformableAttention(
        given["d_model"], given["n_levels"], given["n_heads"], given["n_points"]
    )
    attention.load_state_dict(attention_weights(under(fixture, "w/")))
    queries = fixture["in/query"].clone().requires_grad_()
    cells = fixture["in/values"].clone().requires_grad_()
    sizes = [(h, w) for h, w in fixture["in/shapes"].tolist()]
    read_ = attention(queries, cells, fixture["in/reference"], sizes)
    assert_close(read_, fixture["out/out"], atol=1e-5, rtol=1e-5)
    (fixture["in/r/out"] * read_).sum().backward()
    expected = attention_weights(under(fixture, "grad/"))
    for name, parameter in attention.named_parameters():
        assert_close(parameter.grad, expected[name], atol=1e-4, rtol=1e-4)
    assert_close(queries.grad, fixture["grad/in/query"], atol=1e-4, rtol=1e-4)
    assert_close(cells.grad, fixture["grad/in/values"], atol=1e-4, rtol=1e-4)


def test_a_query_reads_the_cell_that_it_points_at() -> None:
    """With one point, weights of identity, and an offset of whole cells."""
    attention = DeformableAttention(2, levels=2, heads=1, points=1)
    with torch.no_grad():
        for linear in (attention.value, attention.output):
            linear.weight.copy_(torch.eye(2))
        attention.offsets.bias.copy_(torch.tensor([1.0, 0.0, 0.0, -1.0]))  # right; up
        attention.weights.bias.copy_(torch.tensor([0.0, 100.0]))  # of the second map alone
    fine, coarse = torch.arange(12.0).view(3, 4), 100 + torch.arange(6.0).view(2, 3)
    cells = torch.cat([fine.flatten(), coarse.flatten()])[None, :, None].expand(-1, -1, 2)
    x, y = (1 + 0.5) / 3, (1 + 0.5) / 2  # the middle of the second row of the second map
    places = torch.tensor([x, y]).view(1, 1, 1, 2)
    found = attention(torch.zeros(1, 1, 2), cells, places, [(3, 4), (2, 3)])
    assert_close(found, torch.full((1, 1, 2), 101.0))
    with torch.no_grad():
        attention.weights.bias.copy_(torch.tensor([100.0, 0.0]))
    places = torch.tensor([(3 + 0.5) / 4, 0.5]).view(1, 1, 1, 2)  # the last column: right of it
    found = attention(torch.zeros(1, 1, 2), cells, places, [(3, 4), (2, 3)])
    assert_close(found, torch.zeros(1, 1, 2))


@pytest.mark.parametrize("heads", [4, 8])
def test_points_start_on_a_ray_per_head(heads: int) -> None:
    attention = DeformableAttention(8 * heads, levels=3, heads=heads, points=2)
    points = attention.offsets.bias.view(heads, 3, 2, 2)
    assert_close(points[0, 0], torch.tensor([[1.0, 0.0], [2.0, 0.0]]), atol=1e-6, rtol=0)
    assert_close(points[heads // 4, 2, 1], torch.tensor([0.0, 2.0]), atol=1e-6, rtol=0)
    assert points.abs().amax((2, 3)).eq(2).all()

"""The cross-modal neck against the numbers of CRIS's own code."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.models.fusion.cross_modal_neck import (
    CrossModalNeck,
    LocatedConvolution,
    SentenceNorm,
    resized,
)
from refseg.models.original.cris import cris_state

from ...parity import assert_close_in_scale, read, under


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original's weights by our names; its inputs have none."""
    own = {f"neck.{name}": weight for name, weight in weights.items() if not name.startswith("in/")}
    return {name.removeprefix("fusion.neck."): w for name, w in cris_state(own).items()}


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_neck(mode: str, shared: Path) -> None:
    fixture, _ = read(shared / "parity" / "modern" / "cris_fpn.npz")
    names = ("v3", "v4", "v5")
    dims = [fixture[f"in/{name}"].shape[1] for name in names]
    neck = CrossModalNeck(dims, 16, hidden_dim=12, fine_dim=8, coarse_dim=24)
    neck.load_state_dict(renamed(under(fixture, "w/")))
    neck.train(mode == "train")
    given = {name: fixture[f"in/{name}"].clone().requires_grad_() for name in (*names, "state")}
    fused = neck(tuple(given[name] for name in names), given["state"], torch.arange(3))
    assert_close(fused, fixture[f"out/{mode}/fq"], atol=1e-5, rtol=1e-5)
    (fixture["in/r/fq"] * fused).sum().backward()
    for name, value in given.items():
        assert_close_in_scale(value.grad, fixture[f"grad/{mode}/in/{name}"])
    for name, expected in renamed(under(fixture, f"grad/{mode}/")).items():
        assert_close_in_scale(neck.get_parameter(name).grad, expected)
    if mode == "train":
        after = renamed(under(fixture, "after/"))
        assert_close({name: neck.state_dict()[name] for name in after}, after)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_convolution_that_sees_where_it_is(mode: str, shared: Path) -> None:
    fixture, _ = read(shared / "parity" / "modern" / "cris_coordconv.npz")
    layer = LocatedConvolution(6, 8).train(mode == "train")
    names = {"conv1.0": "convolution", "conv1.1": "normalization"}
    ours = {f"{names[name[:7]]}{name[7:]}": weight for name, weight in under(fixture, "w/").items()}
    layer.load_state_dict(ours)
    maps = fixture["in/x"].clone().requires_grad_()
    found = layer(maps)
    assert_close(found, fixture[f"out/{mode}/y"], atol=1e-5, rtol=1e-5)
    (fixture["in/r/y"] * found).sum().backward()
    assert_close_in_scale(maps.grad, fixture[f"grad/{mode}/in/x"])
    gradient = fixture[f"grad/{mode}/conv1.0.weight"]
    assert_close_in_scale(layer.convolution.weight.grad, gradient)


@pytest.mark.parametrize(("levels", "size"), [(1, (3, 4)), (2, (5, 8)), (3, (5, 8)), (4, (5, 8))])
def test_the_result_lies_on_the_second_coarsest_map(levels: int, size: tuple[int, int]) -> None:
    """Odd numbers of rows on the way: 40 by 64, 20 by 32, 10 by 16, 5 by 8, 3 by 4."""
    dims, sizes = [3, 4, 5, 6], [(20, 32), (10, 16), (5, 8), (3, 4)]
    neck = CrossModalNeck(dims[-levels:], 7, hidden_dim=8, fine_dim=4, coarse_dim=16)
    maps = tuple(torch.rand(2, dim, *each) for dim, each in zip(dims, sizes, strict=True))
    fused = neck(maps[-levels:], torch.rand(3, 7), torch.tensor([0, 1, 1]))
    assert fused.shape == (3, 8, *size)


def test_finer_cells_are_averaged_and_coarser_ones_interpolated() -> None:
    fine = torch.arange(10.0).view(1, 1, 2, 5)
    expected = torch.tensor([[[[3.0, 5.0, 6.5]]]])  # the last cell has one column
    assert_close(resized(fine, (1, 3)), expected)
    assert_close(
        resized(torch.tensor([[[[0.0, 4.0]]]]), (1, 4)), torch.tensor([[[[0.0, 1.0, 3.0, 4.0]]]])
    )


def test_one_sentence_is_trained_by_running_statistics() -> None:
    """Torch refuses a batch of one, whose variance is 0."""
    norm = SentenceNorm(2)
    norm.running_mean, norm.running_var = torch.tensor([1.0, 0.0]), torch.tensor([4.0, 1.0])
    one = torch.tensor([[5.0, 3.0]])
    assert_close(norm(one), torch.tensor([[2.0, 3.0]]), atol=1e-4, rtol=0)
    assert norm.running_mean.tolist() == [1.0, 0.0]
    two = torch.tensor([[5.0, 3.0], [7.0, 1.0]])
    assert_close(norm(two), torch.tensor([[-1.0, 1.0], [1.0, -1.0]]), atol=1e-4, rtol=0)
    assert norm.running_mean.tolist() != [1.0, 0.0]

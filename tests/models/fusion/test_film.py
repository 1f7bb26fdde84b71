"""FiLM against the block of its own code, and what modulation means."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.models.coordinates import coordinates
from refseg.models.fusion.film import FilmBlock, FilmFusion
from refseg.types import TextFeatures

from ...parity import Fixture, read, under

NAMES = {"projection": "input_proj", "convolution": "conv1", "normalization": "bn1"}


@pytest.fixture(scope="module")
def film(shared: Path) -> Fixture:
    return read(shared / "parity" / "modern" / "film_block.npz")[0]


def block_of(film: Fixture) -> FilmBlock:
    block = FilmBlock(8, 8, 2, normalization="batch")
    weights = under(film, "w/")
    names = block.state_dict()
    state = {}
    for name in names:
        layer, _, rest = name.partition(".")
        state[name] = weights[f"{NAMES[layer]}.{rest}"]
    block.load_state_dict(state)
    return block


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_block_is_that_of_the_original(film: Fixture, mode: str) -> None:
    block = block_of(film).train(mode == "train")
    inputs = {
        name: film[f"in/{name}"].clone().requires_grad_() for name in ("x", "gammas", "betas")
    }
    kept, seen = block.before(inputs["x"], film["in/extra"])
    result = block.modulated(kept, seen, inputs["gammas"], inputs["betas"])
    expected = film["out/train/y"] if mode == "train" else film["out/y"]
    assert_close(result, expected, atol=1e-5, rtol=1e-5)
    (film["in/r/y"] * result).sum().backward()
    for name, given in inputs.items():
        assert_close(given.grad, film[f"grad/{mode}/in/{name}"], atol=1e-4, rtol=1e-4)
    for name, parameter in block.named_parameters():
        layer, _, rest = name.partition(".")
        expected = film[f"grad/{mode}/{NAMES[layer]}.{rest}"]
        assert_close(parameter.grad, expected, atol=1e-4, rtol=1e-4)
    if mode == "train":
        assert isinstance(block.normalization, torch.nn.BatchNorm2d)
        for name in ("running_mean", "running_var"):
            expected = film[f"after/bn1.{name}"]
            assert_close(getattr(block.normalization, name), expected, atol=1e-5, rtol=1e-5)


def text_of(sentence: Tensor) -> TextFeatures:
    words = torch.zeros(len(sentence), 2, 3)
    return TextFeatures(words, sentence, torch.ones(len(sentence), 2, dtype=torch.bool))


def test_a_sentence_can_turn_off_a_channel_and_turn_its_sign() -> None:
    """Worked by hand: with one block, result = kept + relu(gamma · normalised + beta)."""
    torch.manual_seed(0)
    fusion = FilmFusion((4,), 3, 2, hidden_dim=3, blocks=1)
    with torch.no_grad():
        fusion.modulation.weight.zero_()
        fusion.modulation.weight[0, 0] = -1.0  # the first channel's factor becomes 1 - 1 = 0
        fusion.modulation.weight[1, 0] = -2.0  # the second one's 1 - 2 = -1
    maps = torch.randn(1, 4, 5, 6)
    text = text_of(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    (spoken,), (plain,) = (
        fusion((maps,), text_of(text.sentence[row : row + 1]), torch.tensor([0])) for row in (0, 1)
    )
    block = fusion.blocks[0]
    assert isinstance(block, FilmBlock)
    kept, seen = block.before(maps, coordinates(5, 6)[None])
    assert_close(plain, kept + seen.relu())
    assert_close(spoken[:, 0], kept[:, 0])
    assert_close(spoken[:, 1], kept[:, 1] + (-seen[:, 1]).relu())
    assert_close(spoken[:, 2], plain[:, 2])
    assert_close(seen.mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    assert_close(seen.var(correction=0), torch.tensor(1.0), atol=1e-3, rtol=0)

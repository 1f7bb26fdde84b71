"""Dynamic filters against DMN's own code, in the paper's order and in the code's."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.fusion.dynamic_filters import DynamicFilters
from refseg.types import TextFeatures

from ...parity import Fixture, read, under

KINDS = {"dmn_lstm": None, "dmn_lstm_hidden_only": 12}  # what the filters are made of


@pytest.fixture(scope="module", params=KINDS)
def dmn(request: pytest.FixtureRequest, shared: Path) -> tuple[Fixture, int | None]:
    path = shared / "parity" / "modern" / f"{request.param}.npz"
    return read(path)[0], KINDS[request.param]


def fusion_of(
    weights: dict[str, Tensor], filter_dim: int | None, as_one_sequence: bool
) -> DynamicFilters:
    fusion = DynamicFilters(
        (14,),
        22,
        0,
        hidden_dim=18,
        filters=3,
        mixed_dim=16,
        layers=2,
        filter_dim=filter_dim,
        as_one_sequence=as_one_sequence,
    )
    mix = weights["comb_conv.weight"][:, :, 0, 0]  # image 14, coordinates 8, word 22, responses 3
    image, where, word, response = mix.split([14, 8, 22, 3], dim=1)
    state = {
        "filter.weight": weights["adaptative_filter.weight"],
        "filter.bias": weights["adaptative_filter.bias"],
        "visual.image.weight": image[:, :, None, None],
        "visual.image.bias": weights["comb_conv.bias"],
        "visual.coordinates.weight": where[:, :, None, None],
        "word.weight": word,
        "response.weight": response,
        **{name.replace("mrnn", "lstm"): w for name, w in weights.items() if "mrnn" in name},
    }
    fusion.load_state_dict(state)
    return fusion


def text_of(dmn: Fixture, weights: dict[str, Tensor]) -> TextFeatures:
    """Each word's embedding beside the state of the sentence's LSTM, whose weights are given."""
    lstm = nn.LSTM(10, 12, 2, batch_first=True)
    lstm.load_state_dict(
        {n.removeprefix("lang_model."): w for n, w in weights.items() if "lang_model" in n}
    )
    embedded = functional.embedding(dmn["in/words"], weights["emb.weight"])
    hidden = lstm(embedded)[0]
    assert_close(hidden[0], dmn["out/at/lang_hidden"][:, 0], atol=1e-6, rtol=1e-5)
    words = torch.cat([embedded, hidden], dim=2)
    return TextFeatures(words, words.new_zeros(1, 0), torch.ones(1, 5, dtype=torch.bool))


def test_the_code_is_met_to_the_scores_and_gradients(dmn: tuple[Fixture, int | None]) -> None:
    """Its LSTM reads cell after cell as one sequence, and its map is the last 20 outputs."""
    fixture, filter_dim = dmn
    weights = under(fixture, "w/")
    fusion = fusion_of(weights, filter_dim, as_one_sequence=True)
    seen = fixture["in/vis"].clone().requires_grad_()
    text = text_of(fixture, weights)
    (fused,) = fusion((seen,), text, torch.tensor([0]))
    expected = fixture["out/at/mrnn_out"][-20:, 0].T.reshape(1, 18, 4, 5)
    assert_close(fused, expected, atol=1e-6, rtol=1e-5)
    classifier = weights["output_collapse.weight"], weights["output_collapse.bias"]
    score = functional.conv2d(fused, *classifier)
    assert_close(score, fixture["out/score"], atol=1e-5, rtol=1e-5)
    (fixture["in/r/score"] * score).sum().backward()
    assert_close(seen.grad, fixture["grad/eval/in/vis"], atol=1e-5, rtol=1e-4)
    for name, expected in under(fixture, "grad/eval/").items():
        if "mrnn" in name:
            found = fusion.get_parameter(name.replace("mrnn", "lstm")).grad
            assert_close(found, expected, atol=1e-5, rtol=1e-4)
    found = fusion.filter.weight.grad
    assert_close(found, fixture["grad/eval/adaptative_filter.weight"], atol=1e-5, rtol=1e-4)


def test_by_default_each_cell_reads_for_itself(dmn: tuple[Fixture, int | None]) -> None:
    """As the paper says: of the code's inputs, the LSTM reads each cell's five words from anew."""
    fixture, filter_dim = dmn
    weights = under(fixture, "w/")
    lstm = nn.LSTM(16, 18, 2, batch_first=True)
    lstm.load_state_dict(
        {n.removeprefix("mrnn."): w for n, w in weights.items() if n.startswith("mrnn.")}
    )
    inputs = fixture["out/at/mrnn_in"][:, 0].unflatten(0, (20, 5))  # cells words channels
    expected = lstm(inputs)[0]
    fusion = fusion_of(weights, filter_dim, as_one_sequence=False)
    text, rows = text_of(fixture, weights), torch.tensor([0])
    steps = [*fusion.steps((fixture["in/vis"],), text, rows)]
    assert len(steps) == 5
    for word, step in enumerate(steps):
        as_map = expected[:, word].T.reshape(1, 18, 4, 5)
        assert_close(step.maps[0], as_map, atol=1e-6, rtol=1e-5)
    assert_close(fusion((fixture["in/vis"],), text, rows)[0], steps[-1].maps[0])
    assert_close(steps[-1].activation, steps[-1].maps[0].mean(1))


def test_bad_options() -> None:
    with pytest.raises(ConfigError, match="Expected filters of 0 or more, got -1"):
        DynamicFilters((4,), 3, 2, hidden_dim=4, filters=-1)
    with pytest.raises(ConfigError, match=r"Expected filter_dim from 1 to .* 3, got 9"):
        DynamicFilters((4,), 3, 2, hidden_dim=4, filter_dim=9)

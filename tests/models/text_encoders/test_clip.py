"""CLIP's text tower against the numbers of its own code, as CRIS calls it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.original.clip import clip_text_state
from refseg.models.text_encoders import ClipTextEncoder

from ...parity import Fixture, assert_close_in_scale, read, under

pytest.importorskip("transformers")
SIZES = {"width": 32, "layers": 2, "heads": 2, "projection_dim": 24, "positions": 20}


@pytest.fixture
def fixture(shared: Path) -> Fixture:
    return read(shared / "parity" / "modern" / "cris_text.npz")[0]


def test_words_sentences_and_gradients_are_those_of_cris(fixture: Fixture) -> None:
    """Its padding is 0, the end of a sentence the highest id."""
    encoder = ClipTextEncoder(50, **SIZES)
    encoder.load_state_dict(clip_text_state(under(fixture, "w/")))
    token_mask = fixture["in/ids"] != 0
    assert token_mask.sum(1).tolist() == [9, 6, 4]
    text = encoder(fixture["in/ids"], token_mask)
    assert_close(text.sentence, fixture["out/eval/state"], atol=1e-5, rtol=1e-5)
    words = fixture["out/eval/words"]
    assert_close(text.words[token_mask], words[token_mask], atol=1e-5, rtol=1e-5)
    # The original's padding has states of its own: their part of the gradient is left out.
    weights = fixture["in/r/words"] * token_mask[:, :, None]
    ((weights * text.words).sum() + (fixture["in/r/state"] * text.sentence).sum()).backward()
    expected = clip_text_state({"text_projection": fixture["grad/eval/text_projection"]})
    assert_close_in_scale(encoder.projection.weight.grad, expected["projection.weight"])


def test_gradients_of_sentences_without_padding(fixture: Fixture) -> None:
    """The first of the three has none: without the others nothing is left out."""
    encoder = ClipTextEncoder(50, **SIZES)
    encoder.load_state_dict(clip_text_state(under(fixture, "w/")))
    text = encoder(fixture["in/ids"][:1], torch.ones(1, 9, dtype=torch.bool))
    assert_close(text.words, fixture["out/eval/words"][:1], atol=1e-5, rtol=1e-5)
    assert_close(text.sentence, fixture["out/eval/state"][:1], atol=1e-5, rtol=1e-5)


class TestWeights:
    """Files in which CLIP's weights come."""

    def _file(self, fixture: Fixture, folder: Path) -> Path:
        path = folder / "clip.pt"
        torch.save({**under(fixture, "w/"), "visual.conv1.weight": torch.zeros(2)}, path)
        return path

    def test_of_a_whole_clip(self, fixture: Fixture, tmp_path: Path) -> None:
        path = str(self._file(fixture, tmp_path))
        encoder = ClipTextEncoder(50, weights=path, **SIZES)
        assert_close(encoder.projection.weight, fixture["w/text_projection"].T)
        assert encoder.portable_arguments() == {"weights": None}

    def test_of_another_depth_are_refused(self, fixture: Fixture, tmp_path: Path) -> None:
        path = str(self._file(fixture, tmp_path))
        with pytest.raises(ConfigError, match=r"clip\.pt do not fit.*missing: trunk\.encoder"):
            ClipTextEncoder(50, weights=path, **{**SIZES, "layers": 3})


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 heads can share"):
        ClipTextEncoder(50, **{**SIZES, "heads": 3})


def test_size_of_the_published_tower() -> None:
    """Of RN50: 63.7 million, of which 25.3 are embeddings of tokens."""
    with torch.device("meta"):
        encoder = ClipTextEncoder(49408)

    def count(tensors: list[Tensor]) -> int:
        return sum(tensor.numel() for tensor in tensors)

    layer = 12 * 512**2 + 13 * 512
    embeddings = (49408 + 77) * 512
    assert count([*encoder.parameters()]) == embeddings + 12 * layer + 2 * 512 + 512 * 1024

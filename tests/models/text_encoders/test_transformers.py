"""Text encoders of the transformers library against the library's own models."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.text_encoders import TransformersEncoder
from refseg.models.weights.huggingface import Architecture

transformers = pytest.importorskip("transformers")
VOCAB_SIZE = 50
TOKENS = torch.tensor([[3, 20, 30, 49], [3, 21, 49, 7]])
MASK = torch.tensor([[True] * 4, [True, True, True, False]])


@pytest.mark.parametrize("name", ["bert", "roberta", "clip_text", "clip", "t5"])
def test_words_are_the_models_last_hidden_state(transformers_models: Path, name: str) -> None:
    folder = transformers_models / name
    encoder = TransformersEncoder(VOCAB_SIZE, str(folder)).eval()
    kind = {"clip": transformers.CLIPTextModel, "t5": transformers.T5EncoderModel}
    model = kind.get(name, transformers.AutoModel).from_pretrained(folder).eval()
    expected = model(input_ids=TOKENS[:1]).last_hidden_state
    text = encoder(TOKENS, MASK)
    assert_close(text.words[:1], expected, rtol=1e-4, atol=1e-5)
    assert_close(text.sentence[:1], expected.mean(1), rtol=1e-4, atol=1e-5)
    shorter = model(input_ids=TOKENS[1:, :3]).last_hidden_state
    assert_close(text.sentence[1:], shorter.mean(1), rtol=1e-4, atol=1e-5)


def test_pooler_of_bert_reads_the_first_token(transformers_models: Path) -> None:
    folder = transformers_models / "bert"
    encoder = TransformersEncoder(VOCAB_SIZE, str(folder), sentence="pooler").eval()
    text = encoder(TOKENS, MASK)
    pooler = transformers.AutoModel.from_pretrained(folder).pooler.dense
    assert_close(text.sentence, pooler(text.words[:, 0]).tanh(), rtol=1e-4, atol=1e-5)


def test_pooler_of_clip_reads_the_token_that_ends_the_sentence(transformers_models: Path) -> None:
    """49 ends a sentence in this model's configuration."""
    folder = transformers_models / "clip"
    text = TransformersEncoder(VOCAB_SIZE, str(folder), sentence="pooler").eval()(TOKENS, MASK)
    assert_close(text.sentence, torch.stack([text.words[0, 3], text.words[1, 2]]))


def test_frozen_model_stays_as_it_is(transformers_models: Path) -> None:
    """Its dropout of 0.1 stays off, so that the same sentence has the same features."""
    encoder = TransformersEncoder(VOCAB_SIZE, str(transformers_models / "bert")).train()
    text = encoder(TOKENS, MASK)
    assert not text.words.requires_grad
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert torch.equal(text.words, encoder(TOKENS, MASK).words)
    trained = TransformersEncoder(VOCAB_SIZE, str(transformers_models / "bert"), frozen=False)
    assert not torch.equal(trained(TOKENS, MASK).words, trained(TOKENS, MASK).words)


@pytest.mark.parametrize("name", ["bert", "clip", "t5"])
def test_checkpoint_needs_no_folder(transformers_models: Path, tmp_path: Path, name: str) -> None:
    encoder = TransformersEncoder(VOCAB_SIZE, str(transformers_models / name)).eval()
    torch.save(encoder.portable_arguments(), tmp_path / "arguments.pt")
    portable = torch.load(tmp_path / "arguments.pt", weights_only=True)
    portable["architecture"] = Architecture(portable["architecture"])
    again = TransformersEncoder(VOCAB_SIZE, "./gone", **portable).eval()
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(again(TOKENS, MASK).words, encoder(TOKENS, MASK).words)


@pytest.mark.parametrize("vocab_size", [51, 25, 7])
def test_tokenizer_of_another_model_is_refused(transformers_models: Path, vocab_size: int) -> None:
    name = str(transformers_models / "bert")
    with pytest.raises(ConfigError) as error:
        TransformersEncoder(vocab_size, name)
    assert f"the data's has {vocab_size}" in str(error.value)
    assert "50 token ids" in str(error.value)
    assert f"TransformersTokenizer with name: {name}" in str(error.value)


def test_model_may_have_embeddings_to_spare(transformers_models: Path) -> None:
    assert TransformersEncoder(46, str(transformers_models / "bert")).word_dim > 0


def test_bad_options_name_the_remedy(transformers_models: Path) -> None:
    with pytest.raises(ConfigError, match=r"\(t5\) has no pooler; use sentence: mean"):
        TransformersEncoder(VOCAB_SIZE, str(transformers_models / "t5"), sentence="pooler")
    encoder = TransformersEncoder(VOCAB_SIZE, str(transformers_models / "bert"))
    tokens = torch.ones(1, 25, dtype=torch.int64)
    with pytest.raises(ConfigError, match=r"at most 24 tokens .* got 25; lower .* max_words"):
        encoder(tokens, tokens.bool())


def test_more_padding_than_the_model_has_positions(transformers_models: Path) -> None:
    encoder = TransformersEncoder(VOCAB_SIZE, str(transformers_models / "bert")).eval()
    tokens = torch.zeros(2, 40, dtype=torch.int64)
    tokens[:, :4] = TOKENS
    token_mask = torch.zeros(2, 40, dtype=torch.bool)
    token_mask[:, :4] = MASK
    assert_close(encoder(tokens, token_mask).sentence, encoder(TOKENS, MASK).sentence)


def test_absent_models_are_one_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transformers_models: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    broken, empty = tmp_path / "broken", tmp_path / "empty"
    empty.mkdir()
    broken.mkdir()
    (broken / "config.json").write_bytes(
        (transformers_models / "bert" / "config.json").read_bytes()
    )
    (broken / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ConfigError, match=r"^There is no folder '\./absent'; expected a folder"):
        TransformersEncoder(VOCAB_SIZE, "./absent")
    remedies = {
        "nobody/no-such-model": "hf download",
        str(empty): "Expected a folder that save_pretrained wrote",
        str(broken): "Expected a folder that save_pretrained wrote",
    }
    for name, remedy in remedies.items():
        with pytest.raises(ConfigError) as error:
            TransformersEncoder(VOCAB_SIZE, name)
        message = str(error.value)
        assert message.startswith(f"Cannot load '{name}' with transformers: ")
        assert remedy in message
        assert "\n" not in message

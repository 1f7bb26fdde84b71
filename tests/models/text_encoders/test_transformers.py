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


WHOLE = {"clip": "CLIP", "clipseg": "CLIPSeg", "metaclip_2": "MetaClip2", "owlv2": "Owlv2"}


@pytest.mark.parametrize("name", WHOLE)
def test_projection_is_what_the_model_compares_with_images(
    transformers_models: Path, name: str
) -> None:
    """49 ends a sentence in these models' configuration, and is OWLv2's highest id."""
    folder = transformers_models / name
    model = getattr(transformers, f"{WHOLE[name]}Model").from_pretrained(folder).eval()
    encoder = TransformersEncoder(VOCAB_SIZE, str(folder), sentence="projection").eval()
    text = encoder(TOKENS, MASK)
    for row, length in enumerate((4, 3)):
        tokens = TOKENS[[row], :length]
        expected = model.get_text_features(input_ids=tokens).pooler_output
        assert_close(text.sentence[[row]], expected, rtol=1e-4, atol=1e-5)
        states = model.text_model(input_ids=tokens).last_hidden_state
        assert_close(text.words[[row], :length], states, rtol=1e-4, atol=1e-5)
    assert (encoder.word_dim, encoder.sentence_dim) == (16, 12)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clip", "CLIPTextModelWithProjection"),
        ("clipseg", "CLIPSegForImageSegmentation"),
        ("metaclip_2", "MetaClip2TextModelWithProjection"),
        ("owlv2", "Owlv2ForObjectDetection"),
    ],
)
def test_other_models_with_the_same_tower(
    transformers_models: Path, tmp_path: Path, name: str, kind: str
) -> None:
    """Hubs have the towers in models for a task, whose weights have longer names."""
    whole = transformers.AutoModel.from_pretrained(transformers_models / name)
    config = whole.config.text_config if kind.endswith("WithProjection") else whole.config
    config.projection_dim = 12
    if config.model_type not in transformers.CONFIG_MAPPING:
        pytest.skip(f"this version of transformers does not find {config.model_type} by itself")
    other = getattr(transformers, kind)(config)
    inner = getattr(other, {"CLIPSeg": "clip", "Owlv2": "owlv2"}.get(WHOLE[name], ""), other)
    inner.text_model.load_state_dict(whole.text_model.state_dict())
    inner.text_projection.load_state_dict(whole.text_projection.state_dict())
    other.save_pretrained(tmp_path)
    expected, text = (
        TransformersEncoder(VOCAB_SIZE, str(folder), sentence="projection").eval()(TOKENS, MASK)
        for folder in (transformers_models / name, tmp_path)
    )
    assert torch.equal(text.sentence, expected.sentence)
    assert torch.equal(text.words, expected.words)


@pytest.mark.parametrize("name", ["siglip", "siglip2"])
def test_siglip_reads_sentences_filled_up_to_all_its_positions(
    transformers_models: Path, name: str
) -> None:
    """As its processor fills them (padding="max_length"), and without a mask; 1 is padding."""
    folder = transformers_models / name
    filled = torch.ones(2, 24, dtype=torch.int64)
    filled[:, :4] = TOKENS.where(MASK, 1)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    expected = model.get_text_features(input_ids=filled).pooler_output
    for sentence in ("pooler", "projection"):
        text = TransformersEncoder(VOCAB_SIZE, str(folder), sentence=sentence).eval()(TOKENS, MASK)
        assert_close(text.sentence, expected, rtol=1e-4, atol=1e-5)
    states = model.text_model(input_ids=filled).last_hidden_state
    assert_close(text.words[MASK], states[:, :4][MASK], rtol=1e-4, atol=1e-5)
    mean = TransformersEncoder(VOCAB_SIZE, str(folder)).eval()(TOKENS, MASK).sentence
    assert_close(mean, torch.stack([states[0, :4].mean(0), states[1, :3].mean(0)]))


def test_siglip_is_filled_with_its_tokenizers_padding(
    transformers_models: Path, tmp_path: Path
) -> None:
    """SigLIP 2's tokenizer pads with 0, its configuration says 1."""
    from tokenizers import Tokenizer, models

    model = transformers.AutoModel.from_pretrained(transformers_models / "siglip2")
    model.save_pretrained(tmp_path)
    words = {"<pad>": 0, "<unk>": 1, **{f"word{number}": number for number in range(2, 50)}}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>")),
        pad_token="<pad>",
        unk_token="<unk>",
    ).save_pretrained(tmp_path)
    filled = torch.zeros(2, 24, dtype=torch.int64)
    filled[:, :4] = TOKENS.where(MASK, 0)
    expected = model.eval().get_text_features(input_ids=filled).pooler_output
    encoder = TransformersEncoder(VOCAB_SIZE, str(tmp_path), sentence="projection").eval()
    assert_close(encoder(TOKENS, MASK).sentence, expected, rtol=1e-4, atol=1e-5)
    architecture = Architecture(encoder.portable_arguments()["architecture"])
    again = TransformersEncoder(VOCAB_SIZE, "./gone", architecture=architecture).eval()
    assert again.padding == 0


def test_frozen_model_stays_as_it_is(transformers_models: Path) -> None:
    """Its dropout of 0.1 stays off, so that the same sentence has the same features."""
    encoder = TransformersEncoder(VOCAB_SIZE, str(transformers_models / "bert")).train()
    text = encoder(TOKENS, MASK)
    assert not text.words.requires_grad
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert torch.equal(text.words, encoder(TOKENS, MASK).words)
    trained = TransformersEncoder(VOCAB_SIZE, str(transformers_models / "bert"), frozen=False)
    assert not torch.equal(trained(TOKENS, MASK).words, trained(TOKENS, MASK).words)


def test_a_trained_model_without_dropout(transformers_models: Path) -> None:
    folder = str(transformers_models / "bert")
    encoder = TransformersEncoder(VOCAB_SIZE, folder, frozen=False, dropout=False).train()
    words = encoder(TOKENS, MASK).words
    assert torch.equal(words, encoder(TOKENS, MASK).words)
    assert words.requires_grad


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("bert", "mean"),
        ("clip", "mean"),
        ("t5", "mean"),
        *((name, "projection") for name in (*WHOLE, "siglip", "siglip2")),
    ],
)
def test_checkpoint_needs_no_folder(
    transformers_models: Path, tmp_path: Path, name: str, sentence: str
) -> None:
    folder = str(transformers_models / name)
    encoder = TransformersEncoder(VOCAB_SIZE, folder, sentence=sentence).eval()
    torch.save(encoder.portable_arguments(), tmp_path / "arguments.pt")
    portable = torch.load(tmp_path / "arguments.pt", weights_only=True)
    portable["architecture"] = Architecture(portable["architecture"])
    again = TransformersEncoder(VOCAB_SIZE, "./gone", sentence=sentence, **portable).eval()
    again.load_state_dict(encoder.state_dict())
    for part in ("words", "sentence"):
        assert torch.equal(getattr(again(TOKENS, MASK), part), getattr(encoder(TOKENS, MASK), part))


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
    with pytest.raises(ConfigError, match=r"\(bert\) has no projection of sentences; use sentence"):
        TransformersEncoder(VOCAB_SIZE, str(transformers_models / "bert"), sentence="projection")
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


@pytest.mark.parametrize("name", ["bert", "clip", "siglip"])
def test_is_made_again_without_memory(name: str, transformers_models: Path) -> None:
    """As a checkpoint is tried before it is opened: on torch's device meta."""
    encoder = TransformersEncoder(50, str(transformers_models / name), sentence="pooler")
    kept = Architecture(encoder.portable_arguments()["architecture"])
    with torch.device("meta"):
        again = TransformersEncoder(50, "", sentence="pooler", architecture=kept)
    shapes = {key: tensor.shape for key, tensor in encoder.state_dict().items()}
    assert {key: tensor.shape for key, tensor in again.state_dict().items()} == shapes

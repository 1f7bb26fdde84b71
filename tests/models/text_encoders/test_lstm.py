"""The papers' text encoder against cells stepped by hand."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.text_encoders import LSTMEncoder
from refseg.models.text_encoders.padding import pad_left, pad_right

TOKENS = torch.tensor([[4, 2, 7, 1], [3, 9, 0, 0]])
MASK = torch.tensor([[True] * 4, [True, True, False, False]])


def _encoder() -> LSTMEncoder:
    torch.manual_seed(0)
    encoder = LSTMEncoder(10, embedding_dim=5, hidden_dim=3)
    for parameter in encoder.parameters():
        nn.init.uniform_(parameter, -1, 1)
    return encoder


def test_word_is_its_embedding_and_the_sentence_so_far() -> None:
    encoder = _encoder()
    text = encoder(TOKENS, MASK)
    cell = nn.LSTMCell(5, 3)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in encoder.lstm.state_dict().items()})
    for row, length in [(0, 4), (1, 2)]:
        state = memory = torch.zeros(1, 3)
        for place in range(length):
            embedded = encoder.embedding(TOKENS[row, place])[None]
            state, memory = cell(embedded, (state, memory))
            so_far = state / state.square().sum().sqrt()
            assert_close(text.words[row, place], torch.cat([embedded, so_far], dim=1)[0])
        assert_close(text.sentence[row], state[0])


def test_starts_as_the_papers_do() -> None:
    encoder = LSTMEncoder(500, embedding_dim=40, hidden_dim=30)
    embedding = encoder.embedding.weight
    assert embedding.abs().max() <= 0.08
    assert_close(embedding.std(), torch.tensor(0.08 / 3**0.5), rtol=0.05, atol=0)
    bias = encoder.lstm.bias_ih_l0 + encoder.lstm.bias_hh_l0
    assert bias.view(4, 30).mean(1).tolist() == [0, 1, 0, 0]  # input, forget, content, output


def test_dropout_in_training_only() -> None:
    encoder = LSTMEncoder(10, 5, 3, dropout=0.5)
    assert not torch.equal(encoder(TOKENS, MASK).words, encoder(TOKENS, MASK).words)
    encoder.eval()
    assert torch.equal(encoder(TOKENS, MASK).words, encoder(TOKENS, MASK).words)


def test_padding_is_moved_and_words_keep_their_order() -> None:
    tokens = torch.tensor([[0, 0, 5, 6], [5, 6, 0, 0], [0, 5, 0, 6], [5, 0, 6, 0], [0, 0, 0, 0]])
    moved, token_mask = pad_right(tokens, tokens != 0)
    assert moved.tolist() == [[5, 6, 0, 0]] * 4 + [[0] * 4]
    assert token_mask.equal(moved != 0)
    moved, token_mask = pad_left(tokens, tokens != 0, steps=5)
    words = [[0, 0, 0, 5, 6], [0, 0, 0, 5, 6], [0, 0, 5, 0, 6], [0, 0, 5, 0, 6], [0] * 5]
    assert moved.tolist() == words
    assert token_mask.equal(moved != 0)
    assert pad_left(tokens[:, 2:], tokens[:, 2:] != 0, steps=2)[0].tolist() == [
        [5, 6], [0, 0], [0, 6], [0, 6], [0, 0]
    ]  # fmt: skip


def test_padding_is_skipped_wherever_it_stands() -> None:
    encoder = _encoder()
    expected = encoder(TOKENS[:, :3], MASK[:, :3])
    scattered = torch.tensor([[0, 4, 0, 2, 7], [3, 0, 9, 0, 0]])
    text = encoder(scattered, scattered != 0)
    assert_close(text.sentence, expected.sentence)
    assert text.token_mask[:, :3].equal(MASK[:, :3])
    assert_close(text.words[:, :3][text.token_mask[:, :3]], expected.words[expected.token_mask])


def test_left_padding_is_read_like_words() -> None:
    encoder = _encoder()
    filled = torch.tensor([[0, 0, 4, 2, 7, 1], [0, 0, 0, 0, 3, 9]])
    expected = encoder(filled, torch.ones_like(filled, dtype=torch.bool))
    encoder.left_padding = 6
    text = encoder(TOKENS, MASK)
    assert_close(text.sentence, expected.sentence)
    assert_close(text.words[0], expected.words[0, 2:])
    assert_close(text.words[1, :2], expected.words[1, 4:])
    assert text.token_mask.equal(MASK)
    encoder.left_padding = 3
    with pytest.raises(ConfigError, match="at most left_padding=3 tokens per sentence, got 4"):
        encoder(TOKENS, MASK)
    with pytest.raises(ConfigError, match="left_padding of at least 1 token, got 0"):
        LSTMEncoder(10, 5, 3, left_padding=0)


def test_variants_of_the_papers() -> None:
    encoder = LSTMEncoder(10, 5, 3, word_features="state", recurrent_bias=False)
    assert encoder.word_dim == 3
    text = encoder(TOKENS, MASK)
    assert_close(text.words.norm(dim=-1), torch.ones(2, 4))
    text.sentence.sum().backward()
    assert encoder.lstm.bias_hh_l0.grad is None
    assert not encoder.lstm.bias_hh_l0.any()


WORDS = ["", "", "red", "dog", "zebra", "'s"]


@pytest.fixture
def vectors(tmp_path: Path) -> str:
    path = tmp_path / "vectors.txt"
    path.write_text("dog 1 10 -3\nred 3 10 -1\n's 5 10 -2\ncat 9 9 9\n")
    return str(path)


@pytest.mark.parametrize("is_trained", [True, False])
def test_embeddings_start_as_vectors_of_their_words(vectors: str, is_trained: bool) -> None:
    torch.manual_seed(0)
    encoder = LSTMEncoder(6, hidden_dim=3, vectors=vectors, train_vectors=is_trained)
    assert (encoder.embedding.embedding_dim, encoder.word_dim) == (3, 6)
    assert encoder.wants_words
    assert encoder.take_words(WORDS).tolist() == [False, False, True, True, False, True]
    assert not encoder.wants_words
    embedded = encoder.embedding.weight.detach()
    assert embedded[[2, 3, 5]].tolist() == [[3, 10, -1], [1, 10, -3], [5, 10, -2]]
    encoder(TOKENS[:1, :2], MASK[:1, :2]).words.sum().backward()
    assert (encoder.embedding.weight.grad is not None) == is_trained


def test_words_without_a_vector_are_spread_like_those_with_one(vectors: str) -> None:
    torch.manual_seed(0)
    encoder = LSTMEncoder(2005, hidden_dim=3, vectors=vectors)
    encoder.take_words(["red", "dog", "'s", *map(str, range(2002))])
    others = encoder.embedding.weight.detach()[3:]
    assert_close(others.mean(0), torch.tensor([3.0, 10.0, -2.0]), atol=0.1, rtol=0)
    spread = torch.tensor([(8 / 3) ** 0.5, 0, (2 / 3) ** 0.5])
    assert_close(others.std(0), spread, atol=0.1, rtol=0)


def test_a_checkpoint_needs_no_file_of_vectors(vectors: str) -> None:
    options = {"hidden_dim": 3, "vectors": vectors, "train_vectors": False}
    encoder = LSTMEncoder(6, **options)  # type: ignore[arg-type]
    assert not LSTMEncoder.is_portable(options)
    portable = {**options, **encoder.portable_arguments()}
    assert portable == {
        "hidden_dim": 3,
        "vectors": None,
        "embedding_dim": 3,
        "train_vectors": False,
    }
    assert LSTMEncoder.is_portable(portable)
    again = LSTMEncoder(6, **portable)  # type: ignore[arg-type]
    again.load_state_dict(encoder.state_dict())
    assert not again.wants_words
    assert not again.embedding.weight.requires_grad
    assert LSTMEncoder(6, hidden_dim=3).portable_arguments() == {}


def test_vectors_that_do_not_fit(vectors: str) -> None:
    with pytest.raises(ConfigError, match=r"embedding_dim 3 \(or null\), .*, got 50;"):
        LSTMEncoder(6, embedding_dim=50, vectors=vectors)
    assert LSTMEncoder(6, embedding_dim=3, vectors=vectors).word_dim == 1003
    with pytest.raises(ConfigError, match=r"None of the 4 words of the vocabulary \(rot, hund, …"):
        LSTMEncoder(4, vectors=vectors).take_words(["", "", "rot", "hund"])

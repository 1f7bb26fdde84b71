"""The papers' text encoder against cells stepped by hand."""

import torch
from torch import nn
from torch.testing import assert_close

from refseg.models.text_encoders import LSTMEncoder

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

"""The papers' equations: inputs, weights and outputs of the original TensorFlow graphs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from refseg.models.decoders import BilinearDecoder
from refseg.models.fusion import ConcatFusion, MultimodalLSTM
from refseg.models.text_encoders import LSTMEncoder

Fixture = Mapping[str, Tensor]
CELL = "multi_rnn_cell/cell_0/basic_lstm_cell"
EMBEDDING_DIM, LSTM_DIM, IMAGE_DIM, HIDDEN_DIM, VOCAB_SIZE = 24, 20, 22, 16, 60


def _read(path: Path) -> Fixture:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files if name != "meta"}


def _gates(fixture: Fixture, cell: str) -> tuple[Tensor, Tensor]:
    """TensorFlow's kernel and bias in torch's order and layout, with the forget bias in it.

    BasicLSTMCell: input, content, forget (+ 1), output, [inputs, gates].
    torch: input, forget, content, output, [gates, inputs].
    """
    kernel, bias = fixture[f"w/{cell}/kernel"], fixture[f"w/{cell}/bias"]
    write, content, keep, show = kernel.chunk(4, dim=1)
    write_bias, content_bias, keep_bias, show_bias = bias.chunk(4)
    weights = torch.cat([write, keep, content, show], dim=1).T.contiguous()
    return weights, torch.cat([write_bias, keep_bias + 1, content_bias, show_bias])


@torch.no_grad()
def _fill(layer: nn.Module, weight: Tensor, bias: Tensor | None = None) -> None:
    parameters = dict(layer.named_parameters())
    parameters["weight"].copy_(weight.reshape(parameters["weight"].shape))
    if bias is not None:
        parameters["bias"].copy_(bias)


def _encoder(fixture: Fixture, embedding: str, cell: str) -> LSTMEncoder:
    encoder = LSTMEncoder(VOCAB_SIZE, EMBEDDING_DIM, LSTM_DIM)
    weights, bias = _gates(fixture, cell)
    state = {
        "embedding.weight": fixture[f"w/{embedding}"],
        "lstm.weight_ih_l0": weights[:, :EMBEDDING_DIM],
        "lstm.weight_hh_l0": weights[:, EMBEDDING_DIM:],
        "lstm.bias_ih_l0": bias,
        "lstm.bias_hh_l0": torch.zeros_like(bias),
    }
    encoder.load_state_dict(state)
    return encoder


def _concat_fusion(image_dim: int, order: list[str], weight: Tensor, bias: Tensor) -> ConcatFusion:
    """A fusion with the weights of a convolution over inputs in the given order."""
    fusion = ConcatFusion(image_dim, EMBEDDING_DIM + LSTM_DIM, LSTM_DIM, HIDDEN_DIM)
    layers = {
        "image": fusion.visual.image,
        "sentence": fusion.sentence,
        "coordinates": fusion.visual.coordinates,
    }
    widths = {"image": image_dim, "sentence": LSTM_DIM, "coordinates": 8}
    parts = weight[0, 0].split([widths[part] for part in order])
    for part, rows in zip(order, parts, strict=True):
        _fill(layers[part], rows.T, bias if part == "image" else None)
    return fusion


def _decoder(weight: Tensor, bias: Tensor) -> BilinearDecoder:
    decoder = BilinearDecoder(HIDDEN_DIM)
    _fill(decoder.classifier, weight.flatten(), bias)
    return decoder


def _pad_right(words: Tensor) -> tuple[Tensor, Tensor]:
    """The papers pad on the left with 0, and skip every 0; we pad on the right."""
    order = (words == 0).long().argsort(dim=1, stable=True)
    tokens = words.long().gather(1, order)
    return tokens, tokens != 0


def _image_features(fixture: Fixture, layer: str) -> Tensor:
    features = fixture["in/feat"] @ fixture[f"w/{layer}/DW"][0, 0] + fixture[f"w/{layer}/biases"]
    return features.permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="module")
def rmi(shared: Path) -> Fixture:
    return _read(shared / "parity" / "rmi_small_resnet_square.npz")


@pytest.mark.parametrize("at_once", [None, 3])
def test_rmi(rmi: Fixture, at_once: int | None) -> None:
    """Seven sentences: of 1 to 20 words, without any, and with a pad in between."""
    encoder = _encoder(rmi, "text_objseg/embedding", f"text_objseg/RNN/WLSTM/{CELL}")
    fusion = MultimodalLSTM(
        IMAGE_DIM, encoder.word_dim, encoder.sentence_dim, HIDDEN_DIM, expressions_at_once=at_once
    )
    weights, bias = _gates(rmi, f"text_objseg/RNN/ALSTM/{CELL}")
    image, words, cells, recurrent = weights.split([IMAGE_DIM, encoder.word_dim, 8, HIDDEN_DIM], 1)
    _fill(fusion.visual.image, image, bias)
    _fill(fusion.visual.coordinates, cells)
    _fill(fusion.word, words)
    _fill(fusion.recurrent, recurrent)
    decoder = _decoder(rmi["w/text_objseg/conv2/DW"], rmi["w/text_objseg/conv2/biases"])

    features = _image_features(rmi, "ResNet/fc1000")
    text = encoder(*_pad_right(rmi["in/words"]))
    image_index = torch.arange(len(features))
    fused = fusion(features, text, image_index)
    logits = decoder(fused, (10, 10))
    fusion.output = "state"
    state = fusion(features, text, image_index)

    assert_close(text.sentence, rmi["out/state_w"][:, LSTM_DIM:], rtol=0, atol=1e-5)
    expected = rmi["out/state_a"][..., HIDDEN_DIM:].transpose(1, 2).reshape(state.shape)
    assert_close(state, expected, rtol=0, atol=1e-5)
    assert_close(logits, rmi["out/pred"][..., 0], rtol=0, atol=1e-4)


def test_lstm_baseline_of_rmi(shared: Path) -> None:
    fixture = _read(shared / "parity" / "lstm_small_deeplab_rect.npz")
    encoder = _encoder(fixture, "text_objseg/embedding", f"text_objseg/RNN/{CELL}")
    conv1, bias = fixture["w/text_objseg/conv1/DW"], fixture["w/text_objseg/conv1/biases"]
    fusion = _concat_fusion(IMAGE_DIM, ["image", "sentence", "coordinates"], conv1, bias)
    decoder = _decoder(fixture["w/text_objseg/conv2/DW"], fixture["w/text_objseg/conv2/biases"])

    features = _image_features(fixture, "text_objseg/conv0")
    text = encoder(*_pad_right(fixture["in/words"]))
    fused = fusion(features, text, torch.arange(len(features)))

    assert_close(text.sentence, fixture["out/h_w"], rtol=0, atol=1e-5)
    assert_close(decoder(fused, (6, 11)), fixture["out/pred"][..., 0], rtol=0, atol=1e-4)


def test_lstm_cnn_of_hu(shared: Path) -> None:
    """Hu et al. read their padding, a word like any other, and put the sentence first."""
    fixture = _read(shared / "parity" / "hu_small.npz")
    encoder = _encoder(fixture, "word_embedding/embedding", f"lstm_lang/rnn/{CELL}")
    layer = "w/classifier/mlp_l1"
    fusion = _concat_fusion(
        26,
        ["sentence", "image", "coordinates"],
        fixture[f"{layer}/weights"],
        fixture[f"{layer}/biases"],
    )
    layer = "w/classifier/mlp_l2"
    decoder = _decoder(fixture[f"{layer}/weights"], fixture[f"{layer}/biases"])

    tokens = fixture["in/words_TN"].T.long().contiguous()
    text = encoder(tokens, torch.ones_like(tokens, dtype=torch.bool))
    features = fixture["in/fc8"].permute(0, 3, 1, 2).contiguous()
    fused = fusion(features, text, torch.arange(len(features)))

    assert_close(text.sentence, fixture["out/lang"], rtol=0, atol=1e-5)
    assert_close(decoder(fused, (5, 7)), fixture["out/score_lowres"][..., 0], rtol=0, atol=1e-4)

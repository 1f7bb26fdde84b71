"""Checkpoints of small networks with random weights, as training writes them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from refseg import __version__
from refseg.data.tokenizers import Tokenizer, WordTokenizer
from refseg.data.transforms import Transform
from refseg.models.backbones import SmallBackbone
from refseg.models.decoders import BilinearDecoder
from refseg.models.fusion import MultimodalLSTM
from refseg.models.text_encoders import LSTMEncoder
from refseg.training.module import ReferringSegmentation

BACKBONE = partial(SmallBackbone, width=8, image_dim=12, colour_dim=4)
LSTM = partial(LSTMEncoder, embedding_dim=8, hidden_dim=6)
MLSTM = partial(MultimodalLSTM, hidden_dim=6)
SENTENCE = "the large red circle on the left"


def word_tokenizer() -> WordTokenizer:
    tokenizer = WordTokenizer()
    tokenizer.build([SENTENCE, "a café to the right"])
    return tokenizer


def write_checkpoint(
    path: Path,
    fusion: Callable[..., Any] = MLSTM,
    text_encoder: Callable[..., Any] = LSTM,
    tokenizer: Tokenizer | None = None,
    backbone: Callable[..., Any] = BACKBONE,
    decoder: Callable[..., Any] = BilinearDecoder,
) -> Path:
    torch.manual_seed(0)
    tokenizer = tokenizer or word_tokenizer()
    module = ReferringSegmentation(backbone, text_encoder, fusion, tokenizer.vocab_size, decoder)
    checkpoint: dict[str, Any] = {
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
        "ReferringDataModule": {
            "tokenizer": tokenizer.state_dict(),
            "transform": Transform(image_size=48).state_dict(),
        },
        "refseg": {"version": __version__, "trained_on_evaluation_images": False},
        "global_step": 12,
    }
    module.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, path)
    return path

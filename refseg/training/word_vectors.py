"""Vectors of words that others trained: given to a text encoder before training."""

from itertools import chain

import numpy as np
from lightning.pytorch import Trainer

from refseg.data import ReferringDataModule
from refseg.models.text_encoders.base import TextEncoder


def take_words(encoder: TextEncoder, data: ReferringDataModule, trainer: Trainer) -> None:
    """Tell a text encoder the words behind its ids, and say how many of them it knew.

    Args:
        encoder: which wants words.
        data: with the vocabulary.
        trainer: what the run is.

    Raises:
        ConfigError: the ids stand for pieces of words, or the file of vectors does not fit.
    """
    words = data.tokenizer.vocabulary()
    known = encoder.take_words(words).numpy()
    if not trainer.is_global_zero:
        return
    is_word = np.array([word != "" for word in words])
    found, count = int((known & is_word).sum()), int(is_word.sum())
    line = f"Word vectors: {found:,} of the {count:,} words of the vocabulary ({found / count:.1%})"
    if trainer.training:
        tables = (training.references.expressions.to_pylist() for training in data.training)
        tokens, token_mask = data.tokenizer.encode([*chain.from_iterable(tables)])
        line += f" and {known[tokens[token_mask]].mean():.1%} of what training reads"
    print(f"{line} have one; the others start at random.", flush=True)

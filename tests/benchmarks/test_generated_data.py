"""Data of a run without a data set, against the data themselves."""

from pathlib import Path

import pytest
import torch

from refseg.benchmarks.generated_data import (
    MEAN_WORDS,
    MOST_WORDS,
    GeneratedData,
    generated_batch,
    sentence_lengths,
)
from refseg.data import ReferringDataModule, WordTokenizer
from refseg.data.shapes import ShapesOptions
from refseg.errors import ConfigError


@pytest.fixture
def data() -> GeneratedData:
    made = GeneratedData(shapes=ShapesOptions(train_images=12), image_size=32)
    assert made.vocab_size > 20
    return made


@pytest.mark.parametrize("expressions", [16, 36, 72, 500])
def test_sentences_are_as_long_as_those_of_refcoco(expressions: int) -> None:
    lengths = sentence_lengths(expressions)
    assert len(lengths) == expressions
    assert min(lengths) == 1
    assert max(lengths) == MOST_WORDS
    assert sum(lengths) / expressions == pytest.approx(MEAN_WORDS, abs=0.15)


def test_the_vocabulary_is_that_of_the_built_in_set(shapes_root: Path) -> None:
    shapes = ShapesOptions(train_images=12, evaluation_images=4)
    real, generated = ReferringDataModule(shapes=shapes), GeneratedData(shapes=shapes)
    assert generated.vocab_size == real.vocab_size
    assert generated.tokenizer.state_dict() == real.tokenizer.state_dict()


def test_other_data_sets_have_ten_thousand_words() -> None:
    tokenizer = WordTokenizer(min_count=5)
    made = GeneratedData(root=".", dataset="refcoco", split_by="unc", tokenizer=tokenizer)
    assert made.vocab_size == 10_002  # with padding and the unknown
    assert made.vocab_size == 10_002


def test_a_batch_has_what_was_asked_for(data: GeneratedData) -> None:
    batch = generated_batch(data, images=5, expressions=36)
    assert batch.images is not None
    assert batch.images.shape == (5, 3, 32, 32)
    assert sorted(batch.image_index.bincount().tolist()) == [7, 7, 7, 7, 8]
    assert sorted(batch.token_mask.sum(1).tolist()) == sentence_lengths(36)
    assert (batch.tokens[batch.token_mask] > 1).all(), "all words are known"
    assert batch.masks is not None
    assert batch.masks.flatten(1).any(1).all()
    again = generated_batch(data, images=5, expressions=36)
    assert again.images is not None
    assert torch.equal(again.images, batch.images)


def test_sentences_do_not_depend_on_the_number_of_images(data: GeneratedData) -> None:
    several = generated_batch(data, images=2, expressions=9)
    own = generated_batch(data, images=9, expressions=9)
    assert own.expressions == several.expressions
    assert own.image_index.tolist() == list(range(9))
    assert own.masks is not None
    assert several.masks is not None
    assert torch.equal(own.masks, several.masks)


def test_sentences_of_one_length(data: GeneratedData) -> None:
    batch = generated_batch(data, images=2, expressions=4, words=20)
    assert batch.token_mask.sum(1).tolist() == [20] * 4
    with pytest.raises(ConfigError, match="got one of 21 words, of which it reads 20"):
        generated_batch(data, images=2, expressions=4, words=21)

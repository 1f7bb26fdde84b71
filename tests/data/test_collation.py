"""A batch is its samples side by side."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from refseg.data.collation import collate
from refseg.data.dataset import ReferringDataset
from refseg.data.loaders import Collate
from refseg.data.readers.refer import read_refer
from refseg.data.tokenizers import WordTokenizer
from refseg.data.transforms import Transform
from refseg.errors import DataError


@pytest.fixture
def tokenizer(fake_root: Path) -> WordTokenizer:
    words = WordTokenizer()
    words.build(read_refer(fake_root, "fake").expressions.to_pylist())
    return words


def test_every_expression_looks_at_its_image(fake_root: Path, tokenizer: WordTokenizer) -> None:
    images = ReferringDataset(read_refer(fake_root, "fake"), Transform(24), max_expressions=4)
    samples = [images[0], images[1], images[4]]
    batch = pickle.loads(pickle.dumps(Collate(tokenizer)))(samples)
    assert batch.image_index.tolist() == [0] * 4 + [1] * 2 + [2] * 4
    assert batch.images.shape == (3, 3, 24, 24)
    assert batch.images.dtype == torch.uint8
    assert len(batch) == 10
    assert batch.masks is not None
    position = 0
    for number, sample in enumerate(samples):
        np.testing.assert_array_equal(batch.images[number].permute(1, 2, 0), sample.image)
        assert batch.geometries[number] == sample.geometry
        assert batch.image_paths[number] == sample.image_path
        for each in range(len(sample.expressions)):
            np.testing.assert_array_equal(batch.masks[position], sample.masks[each])
            assert batch.expressions[position] == sample.expressions[each]
            assert batch.expression_ids[position] == sample.expression_ids[each]
            assert batch.truths[position] == sample.truths[each]
            words = batch.tokens[position][batch.token_mask[position]]
            expected, _ = tokenizer.encode([sample.expressions[each]])
            assert words.tolist() == expected[0].tolist()
            position += 1


def test_a_sentence_without_words_is_named(fake_root: Path, tokenizer: WordTokenizer) -> None:
    sample = ReferringDataset(read_refer(fake_root, "fake"), Transform(24))[0]
    sample.expressions = ("red", "?!", *sample.expressions[2:])
    with pytest.raises(DataError, match=r"'\?!' has no word"):
        collate([sample], tokenizer)

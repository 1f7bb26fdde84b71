"""Reading photographs beside the usual data set class."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import refseg.benchmarks.turns
from refseg.benchmarks.generated_photos import generated_photos
from refseg.benchmarks.loading import UsualDataset, measure_loading
from refseg.data import ReferringDataset, Transform, WordTokenizer, collate


def test_both_ways_give_the_same_but_for_resampling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refseg.benchmarks.turns, "ROUND_SECONDS", 0.001)
    references = generated_photos(tmp_path, images=2, expressions=7)
    tokenizer = WordTokenizer()
    tokenizer.build(references.expressions.to_pylist())
    transform = Transform(64)
    usual = UsualDataset(references, tokenizer, 64)
    dataset = ReferringDataset(references, transform)
    batch = collate([dataset[item] for item in range(2)], tokenizer)
    assert batch.images is not None
    assert len(usual) == len(batch) == 7
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    for place in range(len(usual)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of numpy, at pycocotools
            sentence = usual[place]
        assert torch.equal(sentence.tokens[sentence.token_mask], batch.tokens[place, :3])
        assert (sentence.mask.bool() != batch.masks[place]).float().mean() < 0.02
        pixels = sentence.image.permute(1, 2, 0).numpy() * std + mean
        seen = batch.images[batch.image_index[place]].permute(1, 2, 0).numpy() / 255
        assert np.abs(pixels - seen).mean() < 0.02
    figures = measure_loading(references, tokenizer, transform, images=1, rounds=2)
    assert (figures.images, figures.expressions) == (1, 4)
    assert figures.speedup.least > 1
    assert figures.decoding.median < figures.usual.median

"""What is predicted in the middle of a sentence."""

from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest
import torch

from refseg.checkpoint import read_checkpoint
from refseg.data import ReferringDataModule
from refseg.training.callbacks.word_curves import PERCENTAGES, WordCurve, words_read
from refseg.training.from_checkpoint import build_module
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch


@pytest.fixture
def module(run: Path) -> ReferringSegmentation:
    """The tiny run's, with a threshold in the middle of what it says."""
    checkpoint = run / "checkpoints" / "best.ckpt"
    return build_module(read_checkpoint(checkpoint), checkpoint).eval()


@pytest.fixture
def batch(run: Path, shapes_root: Path) -> Batch:
    data = ReferringDataModule(
        root=shapes_root,
        image_size=48,
        batch_size=3,
        num_workers=0,
        vocabulary_from=run / "checkpoints" / "best.ckpt",
    )
    data.setup("validate")
    return next(iter(data.val_dataloader()))


@torch.no_grad()
def test_after_some_words_it_is_the_prediction_of_these_words(
    module: ReferringSegmentation, batch: Batch
) -> None:
    logits = module(batch).logits
    assert isinstance(module.segmenter.decoder.classifier, torch.nn.Conv2d)
    module.segmenter.decoder.classifier.bias.sub_(logits.median())
    whole = module.predict_step(batch, 0)
    partly = WordCurve().read_partly(module, batch, whole)
    lengths = batch.token_mask.sum(1)
    assert lengths.min() < lengths.max()
    changed = 0
    for percentage, predictions in partly.items():
        read = torch.tensor([words_read(int(length), percentage) for length in lengths])
        mask = torch.arange(batch.tokens.shape[1]) < read[:, None]
        prefixes = replace(batch, token_mask=batch.token_mask & mask)
        for prediction, expected in zip(predictions, module.predict_step(prefixes, 0), strict=True):
            assert (prediction != expected).float().mean() < 1e-3
        pairs = zip(predictions, whole, strict=True)
        changed += sum(not torch.equal(prediction, end) for prediction, end in pairs)
    assert changed > len(whole), "the words before the last make a difference"
    assert all(a is b for a, b in zip(partly[100], whole, strict=True))


@pytest.mark.parametrize("length", range(1, 60))
def test_shares_are_rounded_up(length: int) -> None:
    counts = [words_read(length, percentage) for percentage in PERCENTAGES]
    exact = [length * percentage / 100 for percentage in PERCENTAGES]
    assert all(0 <= count - share < 1 for count, share in zip(counts, exact, strict=True))
    assert counts[0] >= 1
    assert counts[-1] == length == ceil(length)


@torch.no_grad()
def test_with_the_papers_resampling_it_is_counted_by_the_standard_rule_too(
    module: ReferringSegmentation, batch: Batch
) -> None:
    """As the whole sentence is: masks that are dilated would be another measure."""
    geometries = tuple(one._replace(resampling="original") for one in batch.geometries)
    dilating = replace(batch, geometries=geometries)
    whole = [torch.zeros(1, 1, dtype=torch.bool)] * len(batch)
    partly, plain = (WordCurve((40,)).read_partly(module, b, whole) for b in (dilating, batch))
    for one, other in zip(partly[40], plain[40], strict=True):
        assert one.equal(other)

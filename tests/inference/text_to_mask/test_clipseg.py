"""Masks of CLIPSeg against those of transformers' own processor and network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import refseg
from refseg.errors import ConfigError, DataError, PredictionError
from refseg.inference.text_to_mask.clipseg import ClipSeg

SENTENCES = ["red circle", "the large blue star on the left"]


@pytest.fixture(scope="module")
def model(foreign_models: Path) -> ClipSeg:
    found = refseg.load(foreign_models / "clipseg")
    assert isinstance(found, ClipSeg)
    return found


def expected(folder: Path, image: Image.Image, sentences: list[str]) -> torch.Tensor:
    """Probabilities [sentences height width] as the documentation of transformers gets them."""
    import transformers

    processor = transformers.AutoProcessor.from_pretrained(folder)
    network = transformers.CLIPSegForImageSegmentation.from_pretrained(folder).eval()
    inputs = processor(
        text=sentences, images=[image] * len(sentences), padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        logits = network(**inputs).logits
    size = (image.height, image.width)
    return torch.nn.functional.interpolate(logits[:, None], size, mode="bilinear").sigmoid()[:, 0]


@pytest.mark.parametrize("size", [(50, 80), (90, 37), (64, 64)], ids=str)
def test_masks_are_those_of_transformers(
    model: ClipSeg, foreign_models: Path, size: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = model.segment_all(pixels, SENTENCES)
    true = expected(foreign_models / "clipseg", Image.fromarray(pixels), SENTENCES)
    assert not torch.allclose(true[0], true[1], atol=1e-3)  # the words are heard
    for (mask, score), probability in zip(found, true.numpy(), strict=True):
        sure = abs(probability - 0.5) > 1e-5
        assert mask.shape == size
        assert sure.mean() > 0.99
        assert 0.01 < mask.mean() < 0.99
        np.testing.assert_array_equal(mask[sure], (probability > 0.5)[sure])
        assert score == pytest.approx(probability[mask].mean(), abs=1e-4)


def test_several_sentences_see_the_image_once_and_answer_as_alone(
    model: ClipSeg, photo: Path
) -> None:
    calls = []
    hook = model.network.clip.vision_model.register_forward_hook(lambda *_: calls.append(1))
    together = model.segment_all(photo, [*SENTENCES, "star"])
    hook.remove()
    assert len(calls) == 1
    for sentence, (mask, score) in zip([*SENTENCES, "star"], together, strict=True):
        alone = model.segment(photo, sentence)
        assert (mask != alone.mask).mean() < 1e-3
        assert score == pytest.approx(alone.score, abs=1e-4)


def test_a_long_sentence_is_cut(model: ClipSeg, photo: Path) -> None:
    assert model.segment(photo, "the red circle " * 50).mask.dtype == bool


def test_what_cannot_be_segmented(model: ClipSeg, photo: Path, foreign_models: Path) -> None:
    from refseg.inference.crf import CRFOptions

    with pytest.raises(DataError, match="has no word"):
        model.segment(photo, " … ")
    with pytest.raises(ConfigError, match="leave --crf"):
        model.segment(photo, "star", CRFOptions())
    broken = ClipSeg(str(foreign_models / "clipseg"))
    with torch.no_grad():
        next(broken.network.decoder.parameters()).fill_(torch.nan)
    with pytest.raises(PredictionError, match="weights are broken"):
        broken.segment(photo, "star")

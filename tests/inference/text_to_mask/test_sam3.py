"""Masks of SAM 3 against those of transformers' own processor and network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from refseg.inference.text_to_mask.sam3 import Sam3

SENTENCES = ["red circle", "the large blue star on the left"]


def instances(
    folder: Path, pixels: np.ndarray, sentence: str, threshold: float
) -> dict[str, torch.Tensor]:
    import transformers

    processor = transformers.Sam3Processor.from_pretrained(folder)
    network = transformers.Sam3Model.from_pretrained(folder).eval()
    inputs = processor(images=pixels, text=sentence, return_tensors="pt")
    with torch.inference_mode():
        found = network(
            pixel_values=inputs["pixel_values"],
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
        )
    (one,) = processor.post_process_instance_segmentation(
        found, threshold=threshold, target_sizes=[pixels.shape[:2]]
    )
    return one


@pytest.mark.parametrize("sentence", SENTENCES)
def test_masks_are_those_of_transformers(foreign_models: Path, sentence: str) -> None:
    folder = foreign_models / "sam3"
    pixels = np.random.default_rng(1).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    true = instances(folder, pixels, sentence, 0.01)
    assert len(true["scores"]) > 1
    best = int(true["scores"].argmax())
    one = Sam3(str(folder), threshold=0.01).segment(pixels, sentence)
    assert (one.mask != true["masks"][best].numpy()).mean() < 1e-3
    assert one.score == pytest.approx(float(true["scores"][best]), abs=1e-5)
    every = Sam3(str(folder), threshold=0.01, instances="all").segment(pixels, sentence)
    assert (every.mask != true["masks"].bool().any(0).numpy()).mean() < 1e-3


def test_nothing_is_found_below_the_threshold_and_images_are_seen_once(
    foreign_models: Path, photo: Path
) -> None:
    model = Sam3(str(foreign_models / "sam3"), threshold=0.9999)
    calls = []
    model.network.vision_encoder.register_forward_hook(lambda *_: calls.append(1))
    found = model.segment_all(photo, SENTENCES)
    assert len(calls) == 1
    assert [(one.mask.any(), one.score) for one in found] == [(False, 0.0)] * 2

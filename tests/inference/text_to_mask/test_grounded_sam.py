"""Masks of Grounding DINO + SAM against those of transformers' own processors and networks."""

from pathlib import Path

import numpy as np
import pytest
import torch

import refseg
from refseg.errors import ConfigError
from refseg.inference.text_to_mask.grounded_sam import GroundedSam


def expected(folder: Path, pixels: np.ndarray, phrase: str) -> tuple[np.ndarray, float]:
    """Mask and score of the best box."""
    import transformers

    processor = transformers.GroundingDinoProcessor.from_pretrained(folder / "grounding-dino")
    network = transformers.GroundingDinoForObjectDetection.from_pretrained(
        folder / "grounding-dino"
    ).eval()
    inputs = processor(images=pixels, text=phrase, return_tensors="pt")
    with torch.inference_mode():
        found = network(**inputs)
    boxes = processor.image_processor.post_process_object_detection(
        found, threshold=0.0, target_sizes=[pixels.shape[:2]]
    )[0]
    best = int(boxes["scores"].argmax())
    sam_processor = transformers.SamProcessor.from_pretrained(folder / "sam")
    sam = transformers.SamModel.from_pretrained(folder / "sam").eval()
    prompt = sam_processor(
        images=pixels, input_boxes=[[boxes["boxes"][best].tolist()]], return_tensors="pt"
    )
    with torch.inference_mode():
        masks = sam(
            pixel_values=prompt["pixel_values"],
            input_boxes=prompt["input_boxes"].float(),
            multimask_output=False,
        ).pred_masks
    (own,) = sam_processor.post_process_masks(
        masks, prompt["original_sizes"], prompt["reshaped_input_sizes"]
    )
    return own[0, 0].numpy(), float(boxes["scores"][best])


@pytest.mark.parametrize(
    ("sentence", "phrase"),
    [
        ("Red circle", "red circle."),
        ("the large star. On the left.", "the large star on the left."),
    ],
)
def test_masks_are_those_of_transformers(foreign_models: Path, sentence: str, phrase: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    model = refseg.load(foreign_models / "grounding-dino", sam=str(foreign_models / "sam"))
    mask, score = model.segment(pixels, sentence)
    true, true_score = expected(foreign_models, pixels, phrase)
    assert (mask != true).mean() < 1e-3
    assert 0.01 < true.mean() < 0.99
    assert score == pytest.approx(true_score, abs=1e-5)


def test_sam_sees_the_image_once_and_nothing_is_found_below_the_threshold(
    foreign_models: Path, photo: Path
) -> None:
    folders = str(foreign_models / "grounding-dino"), "cpu", str(foreign_models / "sam")
    model = GroundedSam(*folders, instances="all")
    calls = []
    model.sam.vision_encoder.register_forward_hook(lambda *_: calls.append(1))
    every = model.segment_all(photo, ["red circle", "star"])
    assert len(calls) == 1
    assert every[0].mask.any()
    model.threshold = 1.0
    assert not model.segment(photo, "red circle").mask.any()


def test_no_sam(foreign_models: Path) -> None:
    with pytest.raises(ConfigError, match=r"Expected a SAM .*got .*clipseg"):
        GroundedSam(str(foreign_models / "grounding-dino"), "cpu", str(foreign_models / "clipseg"))

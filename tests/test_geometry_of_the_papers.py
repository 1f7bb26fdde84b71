"""The original's resizing, letterbox, labels and evaluation, against what its own code gave."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from refseg.evaluation import PROTOCOLS, intersection_and_union
from refseg.evaluation.functional import overall_iou, precision_at
from refseg.evaluation.predictions import dilated
from refseg.geometry import Geometry, resize
from refseg.losses import any_foreground, subsampled
from refseg.models.backbones import Normalization
from refseg.models.decoders import DeconvolutionDecoder, legacy_upsample
from refseg.types import TextFeatures

from .parity import read, synthetic_image, synthetic_mask, unpacked, unpacked_flat


def test_fades_at_the_border_and_has_centres_on_centres() -> None:
    assert_close(resize(np.array([[4.0, 8.0]]), 1, 4), np.array([[3.0, 5.0, 7.0, 6.0]]))
    assert_close(resize(np.array([[1.0, 3, 5, 7]]), 1, 2), np.array([[2.0, 6.0]]))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20))
def test_tensors_and_arrays_give_the_same(h: int, w: int, height: int, width: int) -> None:
    maps = np.random.default_rng(0).random((2, h, w))
    expected = resize(maps, height, width)
    assert expected.shape == (2, height, width)
    assert_close(resize(torch.from_numpy(maps), height, width), torch.from_numpy(expected))
    assert_close(resize(maps, h, w), maps)


@pytest.mark.parametrize("number", range(5))
def test_small_arrays(shared: Path, number: int) -> None:
    fixture, _ = read(shared / "parity" / "prep_hu.npz")
    small = {name: fixture[f"small{number}/{name}"].numpy() for name in ("in_mask", "in_uint8")}
    expected = fixture[f"small{number}/pad_uint8"].numpy()
    height, width = fixture[f"small{number}/target_hw"].tolist()
    h, w = small["in_mask"].shape
    scale = min(height / h, width / w)
    rows, columns = round(h * scale), round(w * scale)
    top, left = (height - rows) // 2, (width - columns) // 2
    inside = expected[top : top + rows, left : left + columns]
    ours = resize(small["in_uint8"] / 255, rows, columns)
    low, high = small["in_uint8"].min() / 255, small["in_uint8"].max() / 255
    assert np.abs(ours.clip(low, high) - inside).max() < 1e-13


@pytest.mark.parametrize("number", range(9))
def test_training_batches_of_hu(shared: Path, number: int) -> None:
    fixture, _ = read(shared / "parity" / "prep_hu.npz")
    height, width = fixture["sizes_hw"][number].tolist()
    geometry = Geometry.letterbox(height, width, 512, "original")

    image = synthetic_image(number, height, width)
    if number == 4:  # the grey one
        image = np.repeat(image[..., :1], 3, axis=2)
    fitted = geometry.apply_image(image)
    difference = np.abs(
        fitted[::5, ::5].astype(int) - fixture["out/image_512_every5"][number].numpy().astype(int)
    )
    assert difference.max() <= 1  # rounding noise of the original decides ties
    assert (difference > 0).mean() < 0.02
    sums = fixture["out/image_channel_sums"][number].numpy()
    assert np.abs(fitted.sum((0, 1), dtype=np.int64) - sums).max() < 2e-5 * sums.max()

    mask = torch.from_numpy(geometry.apply_masks(synthetic_mask(number, height, width)[None]))
    exact = unpacked(fixture["out/mask_gt_1e-6_packed"][number], 512)
    assert torch.equal(mask[0], exact)
    published = unpacked(fixture["out/label_fine_packed"][number], 512)
    assert (mask[0] != published).sum() == fixture["out/noise_pixels"][number]
    assert not (mask[0] & ~published).any()
    assert torch.equal(any_foreground(mask, 32)[0], fixture["out/label_coarse"][number] > 0)


NO_TEXT = TextFeatures(torch.zeros(1, 1, 1), torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool))


@pytest.mark.parametrize("name", ["rmi", "hu"])
def test_evaluation(shared: Path, name: str) -> None:
    """Scores in, pixel counts and the printed report out."""
    fixture, facts = read(shared / "parity" / f"eval_{name}.npz")
    if name == "rmi":
        logits = legacy_upsample(fixture["in/pred40"][:, None], (320, 320))[:, 0]
    else:
        decoder = DeconvolutionDecoder((1,), 1, 1)
        nn.init.ones_(decoder.classifier.weight)  # the scores are given
        nn.init.zeros_(decoder.classifier.bias)
        with torch.no_grad():
            logits = decoder((fixture["in/pred16"][:, None],), NO_TEXT, (512, 512)).logits
    counts = []
    for number, (height, width) in enumerate(fixture["sizes_hw"].tolist()):
        geometry = Geometry.letterbox(height, width, logits.shape[-1], "original")
        prediction = dilated(logits[number], geometry)[None]
        truth = unpacked(fixture[f"in/gt_packed_{number}"], width)[None]
        expected = synthetic_mask(2 * (number % 2), height, width)
        assert torch.equal(truth[0], torch.from_numpy(expected))
        theirs = unpacked(fixture[f"out/pred_packed_{number}"], width)[None]
        if height == width == geometry.size:
            # Nothing is to be resized, and the rounding noise of their linear algebra touches
            # pixels beside the foreground. It is another with each library of linear algebra.
            assert not (prediction & ~theirs).any()
            around = functional.max_pool2d(prediction.float(), 3, stride=1, padding=1) > 0
            assert not (theirs & ~around).any()
            prediction = theirs
        assert torch.equal(prediction, theirs)
        counts.append(torch.cat(intersection_and_union(prediction, truth)))
    intersections, unions = torch.stack(counts, dim=1)
    assert torch.equal(intersections, fixture["out/I"])
    assert torch.equal(unions, fixture["out/U"])
    report = facts["printed"].split("with DenseCRF")[0]
    for threshold, value in re.findall(r"precision@(\S+) = (\S+)", report):
        assert f"{precision_at(intersections, unions, float(threshold)):.6f}" == value
    assert f"overall IoU = {overall_iou(intersections, unions):.6f}" in report


def test_targets_of_rmi(shared: Path) -> None:
    for name in ("rmi_train_resnet_square", "rmi_train_deeplab_rect", "lstm_train_resnet_square"):
        fixture, _ = read(shared / "parity" / f"{name}.npz")
        masks = unpacked_flat(fixture["in/mask_packed"], fixture["in/mask_shape"].tolist())
        assert torch.equal(subsampled(masks[..., 0], 8), fixture["out/target"][..., 0] > 0)


@pytest.mark.parametrize("number", range(3))
def test_cris_fits_images_as_its_code_does(shared: Path, number: int) -> None:
    """OpenCV 4 made the fixture; version 5 differs in `warpAffine` by up to 8 grey levels."""
    fixture, _ = read(shared / "parity" / "modern" / "cris_prep.npz")
    image, mask = fixture[f"in/image{number}"].numpy(), fixture[f"in/mask{number}"].numpy() > 0
    geometry = Geometry.letterbox(*mask.shape, 64, "cubic")
    assert_close(torch.from_numpy(geometry.affine), fixture[f"out/matrix{number}"])
    normalization = Normalization("clip")
    expected = 255 * (fixture[f"out/image{number}"] * normalization.std + normalization.mean)
    found = torch.from_numpy(geometry.apply_image(image, fill=115)).permute(2, 0, 1)
    # The border has one grey here and the mean colour there, and interpolation mixes it in.
    rows, columns = geometry._inside
    inside = slice(rows.start + 2, rows.stop - 2), slice(columns.start + 2, columns.stop - 2)
    difference = (found - expected)[:, *inside].abs()
    assert difference.max() < 9
    assert difference.mean() < 1
    assert (found - expected)[:, 0, 0].abs().max() < 12
    found_mask = geometry.apply_masks(mask[None])[0]
    assert (found_mask != (fixture[f"out/mask{number}"].numpy() >= 0.5)).mean() < 1e-3


@pytest.mark.parametrize("number", range(3))
def test_cris_brings_probabilities_back_as_its_code_does(shared: Path, number: int) -> None:
    """Beyond 0 and 1, which cubic interpolation leaves, a logit cannot follow it."""
    fixture, _ = read(shared / "parity" / "modern" / "cris_eval.npz")
    small, mask = fixture[f"in/logits{number}"].sigmoid(), fixture[f"in/mask{number}"] > 0
    probability = functional.interpolate(
        small[:, None], size=(64, 64), mode="bicubic", align_corners=True
    )[:, 0]
    geometry = Geometry.letterbox(*mask.shape, 64, "cubic")
    expected = fixture["out/iou_each"][2 * number : 2 * number + 2]
    for one, theirs in zip(probability, expected, strict=True):
        predicted = PROTOCOLS["cris"].rule(one.clamp(1e-6, 1 - 1e-6).logit(), geometry)
        intersection, union = (predicted & mask).sum(), (predicted | mask).sum()
        assert abs(intersection / (union + 1e-6) - theirs) < 0.01


def test_cubic_there_and_back() -> None:
    """The way back is the inverse of the way there: a slope stays one, but for its edges."""
    slope = np.add.outer(np.arange(30.0), 2 * np.arange(47.0)).astype(np.float32)
    for fit in (Geometry.letterbox, Geometry.squash):
        geometry = fit(30, 47, 96, "cubic")
        there = geometry._warped(slope, cv2.INTER_LINEAR)
        back = geometry.to_own_size(there)
        assert_close(back[1:-1, 1:-1], slope[1:-1, 1:-1], atol=0.1, rtol=0)

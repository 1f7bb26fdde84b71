"""DenseCRF against the original's own runs, and what its input may be."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.inference.crf import CRFOptions, check_installed, refine


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    if "without" not in request.node.name:
        pytest.importorskip("pydensecrf")


def upsampled(logits: np.ndarray) -> np.ndarray:
    """Probabilities of 320×320 pixels as the original makes them of 40×40 logits."""
    padded = functional.pad(torch.from_numpy(logits)[None, None], (0, 1, 0, 1), mode="replicate")
    enlarged = functional.interpolate(padded, size=(321, 321), mode="bilinear", align_corners=True)
    return enlarged[0, :, :320, :320].sigmoid().numpy()


def test_labels_and_probabilities_after_each_iteration_are_the_originals(shared: Path) -> None:
    with np.load(shared / "parity" / "crf_small.npz", allow_pickle=False) as fixture:
        image, probability = fixture["in/rgb"], fixture["in/prob"]
        expected = fixture["out/Q1_after_n_iterations"]
    for iterations, after in enumerate(expected, start=1):
        (refined,) = refine(image, probability[None], CRFOptions(iterations=iterations))
        np.testing.assert_allclose(refined, after, rtol=0, atol=5e-4)
        assert ((refined > 0.5) != (after > 0.5)).sum() <= 10
    (unchanged,) = refine(image, probability[None], CRFOptions(iterations=0))
    np.testing.assert_allclose(unchanged, probability, rtol=0, atol=1e-6)


def test_the_network_input_of_the_original(shared: Path) -> None:
    with np.load(shared / "parity" / "crf_0.npz", allow_pickle=False) as fixture:
        image, probabilities = fixture["in/rgb320"], upsampled(fixture["in/pred40"])
        expected = fixture["out/Q1"]
        labels = np.unpackbits(fixture["out/argmax_packed"], axis=1)[:, :320].astype(bool)
    (refined,) = refine(image, probabilities)
    np.testing.assert_allclose(refined, expected, rtol=0, atol=5e-4)
    assert ((refined > 0.5) != labels).sum() <= 10


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A noisy image with a dark square, and three predictions of it."""
    generator = np.random.default_rng(0)
    image = generator.integers(150, 250, (36, 48, 3), dtype=np.uint8)
    image[8:24, 10:30] //= 4
    probabilities = generator.uniform(0.1, 0.5, (3, 36, 48)).astype(np.float32)
    probabilities[:, 6:22, 12:34] += 0.4
    return image, probabilities


def test_expressions_of_an_image_do_not_touch_each_other() -> None:
    image, probabilities = scene()
    together = refine(image, probabilities)
    for one, refined in zip(probabilities[::-1], together[::-1], strict=True):
        assert (refine(image, one[None])[0] == refined).all()
    assert ((together > 0.5) != (probabilities > 0.5)).any()


def test_certain_predictions_stay_finite() -> None:
    image, probabilities = scene()
    certain = (probabilities > 0.5).astype(np.float32)
    refined = refine(image, certain)
    assert np.isfinite(refined).all()
    assert ((refined >= 0) & (refined <= 1)).all()
    assert (certain >= 0).all(), "the input is left alone"


def test_foreground_and_background_are_treated_alike() -> None:
    image, probabilities = scene()
    refined, opposite = refine(image, probabilities), refine(image, 1 - probabilities)
    np.testing.assert_allclose(refined, 1 - opposite, rtol=0, atol=1e-4)


def test_images_that_are_read_only_or_turned() -> None:
    image, probabilities = scene()
    image.setflags(write=False)
    upright = refine(image, probabilities)
    turned = refine(image.transpose(1, 0, 2), probabilities.transpose(0, 2, 1))
    # the lattice approximates, a little differently along each axis
    assert ((upright > 0.5) != (turned.transpose(0, 2, 1) > 0.5)).mean() < 0.02


def test_no_expression() -> None:
    image, probabilities = scene()
    assert refine(image, probabilities[:0]).shape == (0, 36, 48)


@pytest.mark.parametrize("option", ["gaussian_sxy", "bilateral_sxy", "bilateral_srgb"])
def test_distances_that_cannot_be(option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} of DenseCRF above 0, got 0"):
        CRFOptions(**json.loads(f'{{"{option}": 0.0}}'))
    with pytest.raises(ConfigError, match="0 or more iterations of DenseCRF, got -1"):
        CRFOptions(iterations=-1)


def test_without_the_library_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    with pytest.raises(ConfigError, match=r"pip install .pydensecrf2>=1\.1"):
        check_installed()

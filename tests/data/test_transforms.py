"""Augmentation keeps masks on their objects, sentences true, and repeats exactly."""

import os
import pickle
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from refseg.data.transforms import Augmentation, Transform
from refseg.errors import ConfigError
from refseg.masks import encode
from refseg.types import Sample

QUIET: dict[str, float] = {
    "flip": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
}


def sample(expressions: Sequence[str] = ("red one", "left one", "red again")) -> Sample:
    """A red and a blue block, the first mask occurring twice."""
    image = np.full((60, 90, 3), 90, np.uint8)
    masks = np.zeros((3, 60, 90), bool)
    masks[[0, 2], 0:20, 60:90] = True
    masks[1, 36:60, 0:30] = True
    image[masks[0]] = (220, 40, 40)
    image[masks[1]] = (40, 40, 220)
    return Sample(
        image=image,
        masks=masks,
        expressions=tuple(expressions),
        expression_ids=(7, 8, 9),
        truths=tuple(encode(mask) for mask in masks),
        image_path="blocks.png",
    )


def test_letterbox_alone() -> None:
    before = sample()
    after = Transform(image_size=45, fill=77)(before)
    assert after.geometry is not None
    assert (after.geometry.top, after.geometry.scaled_height) == (7, 30)
    assert after.image.shape == (45, 45, 3)
    assert (after.image[:7] == 77).all()
    assert (after.image[37:] == 77).all()
    expected = np.zeros((45, 45), bool)
    expected[7:17, 30:45] = True
    np.testing.assert_array_equal(after.masks[0], expected)
    np.testing.assert_array_equal(after.masks[2], expected)
    assert (after.image[after.masks[1]] == (40, 40, 220)).all()
    assert (after.expressions, after.truths) == (before.expressions, before.truths)


@pytest.mark.parametrize("seed", range(8))
def test_geometric_changes_keep_everything_inside_and_masks_on_objects(seed: int) -> None:
    torch.manual_seed(seed)
    before = sample()
    after = Augmentation(**QUIET, shrink=0.7, rotation=5.0)(before)
    assert after.image.shape == before.image.shape
    inside = after.masks[0][1:-1, 1:-1]
    # Corners of the image, where both blocks lie, stay inside the frame.
    for mask, original in zip(after.masks, before.masks, strict=True):
        assert 0.35 * original.sum() < mask.sum() < original.sum()
    border = np.ones((60, 90), bool)
    border[1:-1, 1:-1] = False
    assert not (after.masks[:, border]).all()
    # A pixel of a mask is of its object's colour, but for the blended outline.
    for mask, channel in ((after.masks[0], 0), (after.masks[1], 2)):
        assert np.median(after.image[mask][:, channel]) > 210
    assert inside.any()
    assert (after.masks[0] == after.masks[2]).all()
    assert after.truths == before.truths


def test_nothing_leaves_the_frame() -> None:
    """At the largest tilt, and without shrinking beyond what the tilt needs."""
    white = sample()
    white.image[:] = 255
    white.masks[:] = True
    augmentation = Augmentation(**QUIET, rotation=10.0)
    for seed in range(20):
        torch.manual_seed(seed)
        after = augmentation(white)
        assert not after.masks[:, [0, 0, -1, -1], [0, -1, 0, -1]].any()


def test_photometric_changes_leave_masks_alone_and_colours_recognisable() -> None:
    before = sample()
    augmentation = Augmentation(flip=0.0, noise=0.05, hue=0.02)
    changed = 0
    for seed in range(5):
        torch.manual_seed(seed)
        after = augmentation(before)
        np.testing.assert_array_equal(after.masks, before.masks)
        red, _, blue = after.image[before.masks[0]].mean(0)
        assert red > blue + 80
        changed += not np.array_equal(after.image, before.image)
    assert changed == 5


def test_flips_only_where_every_sentence_can_be_swapped() -> None:
    augmentation = Augmentation(**QUIET | {"flip": 1.0})
    after = augmentation(sample())
    assert after.expressions == ("red one", "right one", "red again")
    assert after.masks[1, 40, 80]
    unsafe = sample(["red one", "left one", "one at 3 o'clock"])
    after = augmentation(unsafe)
    assert after.expressions == unsafe.expressions
    np.testing.assert_array_equal(after.image, unsafe.image)


def test_flips_as_often_as_asked() -> None:
    torch.manual_seed(0)
    augmentation = Augmentation(**QUIET | {"flip": 0.3})
    flips = sum(augmentation(sample()).expressions[1] == "right one" for _ in range(300))
    assert 60 < flips < 120


def test_same_seed_same_result() -> None:
    augmentation = Augmentation(noise=0.1, shrink=0.8, rotation=5.0)
    transforms = [
        Transform(32, augmentation),
        pickle.loads(pickle.dumps(Transform(32, augmentation))),
    ]
    results = []
    for transform in transforms:
        torch.manual_seed(3)
        results.append([transform(sample()) for _ in range(3)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.masks, other.masks)
        assert one.expressions == other.expressions
    assert not np.array_equal(results[0][0].image, results[0][1].image)


def test_state_has_what_evaluation_needs() -> None:
    transform = Transform(48, Augmentation(), fill=9)
    state = transform.state_dict()
    assert state == {
        "image_size": 48,
        "fill": 9,
        "resampling": "antialiased",
        "geometry": "letterbox",
    }
    restored = Transform.from_state(state)
    assert restored.augmentation is None
    assert restored.state_dict() == state


def test_squashed_samples_fill_the_square() -> None:
    """The red block is the right third of the width and the upper third of the height."""
    after = Transform(image_size=45, fill=77, geometry="squash")(sample())
    expected = np.zeros((45, 45), bool)
    expected[:15, 30:] = True
    np.testing.assert_array_equal(after.masks[0], expected)
    assert (after.image[expected] == (220, 40, 40)).all()
    assert not (after.image == 77).any()
    assert after.geometry is not None
    assert after.geometry.invert(torch.zeros(1, 45, 45)).shape == (1, 60, 90)
    restored = Transform.from_state(Transform(45, geometry="squash").state_dict())
    np.testing.assert_array_equal(restored(sample()).image, after.image)


def test_a_transform_from_before_there_was_a_choice_is_a_letterbox() -> None:
    state = Transform(45).state_dict()
    del state["geometry"]
    assert Transform.from_state(state).geometry == "letterbox"


def test_original_resampling_dilates_masks() -> None:
    today, original = (Transform(32, resampling=r)(sample()) for r in ("antialiased", "original"))
    assert original.geometry is not None
    assert original.geometry.resampling == "original"
    assert not (today.masks & ~original.masks).any()
    assert original.masks.sum() > today.masks.sum()
    restored = Transform.from_state(Transform(32, resampling="original").state_dict())
    np.testing.assert_array_equal(restored(sample()).image, original.image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": 1.5}, "flip of the augmentation between 0 and 1, got 1.5"),
        ({"rotation": 45.0}, "rotation of the augmentation between 0 and 10.0, got 45.0"),
        ({"hue": 0.5}, "hue of the augmentation between 0 and 0.1, got 0.5"),
        ({"shrink": 1.2}, "shrink of the augmentation between 0.1 and 1, got 1.2"),
    ],
)
def test_options_that_would_make_sentences_false(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augmentation(**options)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="image_size of at least 1 pixel, got 0"):
        Transform(0)
    with pytest.raises(ConfigError, match="fill between 0 and 255, got 256"):
        Transform(8, fill=256)


def test_albumentations_is_imported_only_to_augment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "albumentations", None)  # its import fails from now on
    Transform(8)(sample())
    augmentation = Augmentation()
    with pytest.raises(ImportError):
        augmentation(sample())


def test_albumentations_is_told_not_to_ask_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its import looks for a newer version of itself, unless an environment variable says no."""
    monkeypatch.delenv("NO_ALBUMENTATIONS_UPDATE", raising=False)
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(ImportError):
        Augmentation()(sample())
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"


def test_a_flip_alone_needs_no_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "albumentations", None)
    nothing = dict.fromkeys(("brightness", "contrast", "saturation", "hue", "noise"), 0.0)
    after = Augmentation(flip=1.0, **nothing)(sample())
    np.testing.assert_array_equal(after.image, sample().image[:, ::-1])


def test_masks_of_one_object_are_changed_once_and_given_for_each_expression() -> None:
    """The same as where each expression had an object of its own."""
    augmentation = Augmentation(flip=0.5, noise=0.1, shrink=0.7, rotation=5.0)
    for seed in range(5):
        torch.manual_seed(seed)
        ours = Transform(32, augmentation)(sample())
        torch.manual_seed(seed)
        augmented = augmentation(sample())  # all three masks
        assert ours.geometry is not None
        np.testing.assert_array_equal(ours.masks, ours.geometry.apply_masks(augmented.masks))
        np.testing.assert_array_equal(ours.image, ours.geometry.apply_image(augmented.image, 0))
        assert ours.expressions == augmented.expressions


def test_prepared_before_workers_begin() -> None:
    transform = Transform(32, Augmentation(noise=0.1))
    assert transform.augmentation is not None
    assert transform.augmentation._compose is None
    transform.prepare()
    pipeline = transform.augmentation._compose
    assert pipeline is not None
    transform(sample())
    assert transform.augmentation._compose is pipeline
    Transform(32).prepare()

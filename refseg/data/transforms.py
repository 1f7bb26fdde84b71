"""Transforms a sample between file and network: augmentation, then the network's square."""

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from refseg.errors import ConfigError
from refseg.geometry import Fit, Geometry, Resampling
from refseg.types import Sample

if TYPE_CHECKING:
    from albumentations import Compose

MAX_ROTATION = 10.0
"""Degrees; beyond, "above" and "left of" begin to change their truth."""

MAX_HUE = 0.1
"""Share of the colour circle; beyond, red things become orange and the sentence false."""


class Augmentation:
    """Random changes of an image that keep its sentences true.

    Places and orders are said of the whole image ("on the far left", "second from the top"), so
    **nothing is cropped**: an image may shrink within its frame and be tilted a little, and all of
    its content stays inside (for aspect ratios up to 2). Flips exchange left and right in English
    sentences; a sample with a sentence that cannot be exchanged safely (another language, a
    misspelt side) is not flipped, and no sentence is dropped. Colours change little, as sentences
    name them.

    All random numbers come from torch's generator, which training seeds for each visit of an image
    (`RepeatableDataset`), so that a run with the same seed repeats exactly.

    Args:
        flip: probability of a horizontal flip, decided once per image.
        brightness: factor drawn from 1 ± this.
        contrast: factor drawn from 1 ± this.
        saturation: factor drawn from 1 ± this.
        hue: shift drawn from ± this, as a share of the colour circle; at most 0.1.
        noise: standard deviation of Gaussian noise, drawn from 0 to this; 1 is the whole range.
        shrink: smallest scale of the image within its frame; 1 leaves its size alone.
        rotation: tilt drawn from ± this, degrees; at most 10. The image shrinks a little so that
            its corners stay inside.
    """

    def __init__(
        self,
        flip: float = 0.5,
        brightness: float = 0.2,
        contrast: float = 0.2,
        saturation: float = 0.2,
        hue: float = 0.02,
        noise: float = 0.0,
        shrink: float = 1.0,
        rotation: float = 0.0,
    ) -> None:
        limits = {
            "flip": (flip, 0, 1),
            "brightness": (brightness, 0, 1),
            "contrast": (contrast, 0, 1),
            "saturation": (saturation, 0, 1),
            "hue": (hue, 0, MAX_HUE),
            "noise": (noise, 0, 1),
            "shrink": (shrink, 0.1, 1),
            "rotation": (rotation, 0, MAX_ROTATION),
        }
        for name, (value, low, high) in limits.items():
            if not low <= value <= high:
                raise ConfigError(
                    f"Expected {name} of the augmentation between {low} and {high}, got {value}."
                )
        self.flip = flip
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.noise = noise
        self.shrink = shrink
        self.rotation = rotation
        self._compose: Compose | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether all probabilities and ranges are zero."""
        return self.only_flips and not self.flip

    @property
    def only_flips(self) -> bool:
        """Whether an image stays as it is, or becomes its mirror image."""
        colours = self.brightness, self.contrast, self.saturation, self.hue, self.noise
        return not any((*colours, self.rotation)) and self.shrink == 1

    def __getstate__(self) -> dict[str, Any]:
        """Options alone: each worker process makes its own pipeline."""
        return self.__dict__ | {"_compose": None}

    def __call__(self, sample: Sample) -> Sample:
        """Change image and masks at random, sentences only with a flip.

        Args:
            sample: in its own size, which is kept.
        """
        if float(torch.rand(())) < self.flip:
            from refseg.data.flips import flip  # no need of those who only predict

            sample = flip(sample) or sample
        self.prepare()
        if self._compose is None:
            return sample
        assert sample.image is not None  # features are not augmented
        self._compose.set_random_seed(int(torch.randint(2**31, ())))
        changed = self._compose(image=sample.image, masks=sample.masks.view(np.uint8))
        return replace(sample, image=changed["image"], masks=changed["masks"].astype(np.bool_))

    def prepare(self) -> None:
        """Make the pipeline before worker processes start, so that they share it.

        Its libraries take seconds and 25 MB in each worker that imports them for itself.
        """
        if self.flip:
            import_module("refseg.data.flips")
        beyond_flips = (self.brightness, self.contrast, self.saturation, self.hue, self.noise)
        if self._compose is None and (any(beyond_flips) or self.shrink < 1 or self.rotation):
            self._compose = self._make_compose()

    def _make_compose(self) -> "Compose":
        # Else albumentations asks the network for its newest version when it is imported.
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
        import albumentations

        steps: list[Any] = []
        if self.brightness or self.contrast or self.saturation or self.hue:
            steps.append(
                albumentations.ColorJitter(
                    self.brightness, self.contrast, self.saturation, self.hue, p=1
                )
            )
        if self.noise:
            steps.append(albumentations.GaussNoise(std_range=(0, self.noise), p=1))
        if self.shrink < 1 or self.rotation:
            angle = np.deg2rad(self.rotation)
            fits = float(1 / (np.cos(angle) + 2 * np.sin(angle)))
            steps.append(
                albumentations.Affine(
                    scale=(self.shrink * fits, fits),
                    rotate=(-self.rotation, self.rotation),
                    keep_ratio=True,
                    border_mode=cv2.BORDER_CONSTANT,
                    p=1,
                )
            )
        return albumentations.Compose(steps)


class Transform:
    """Augment a sample in its own size, then fit it into the network's square.

    `truths` stay the masks of the image as it is stored, whatever the augmentation did: they are
    what evaluation compares with, and evaluation does not augment.

    Args:
        image_size: side of the network's square, pixels.
        augmentation: random changes, for training; None changes nothing.
        fill: value of the border of the letterbox, 0–255.
        resampling: how images and masks are scaled, there and back (`Geometry`).
        geometry: `letterbox` keeps the shape of things and leaves a border, `squash` fills the
            square.
    """

    def __init__(
        self,
        image_size: int,
        augmentation: Augmentation | None = None,
        fill: int = 0,
        resampling: Resampling = "antialiased",
        geometry: Fit = "letterbox",
    ) -> None:
        if image_size < 1:
            raise ConfigError(f"Expected image_size of at least 1 pixel, got {image_size}.")
        if not 0 <= fill <= 255:
            raise ConfigError(f"Expected fill between 0 and 255, got {fill}.")
        self.image_size = image_size
        self.augmentation = augmentation
        self.fill = fill
        self.resampling: Resampling = resampling
        self.geometry: Fit = geometry

    def __call__(self, sample: Sample) -> Sample:
        """The sample in network size, with its `Geometry`.

        Args:
            sample: in its own size.
        """
        # Expressions of the same object have the same mask: each is changed and scaled once.
        positions = {truth: position for position, truth in enumerate(sample.truths)}
        order = {truth: position for position, truth in enumerate(positions)}
        sample = replace(sample, masks=sample.masks[list(positions.values())])
        if self.augmentation is not None:
            sample = self.augmentation(sample)
        height, width = sample.masks.shape[1:]
        geometry = self.geometry_of(height, width)
        scaled = geometry.apply_masks(sample.masks)
        image = None if sample.image is None else geometry.apply_image(sample.image, self.fill)
        return replace(
            sample,
            image=image,
            masks=scaled[[order[truth] for truth in sample.truths]],
            geometry=geometry,
        )

    def geometry_of(self, height: int, width: int) -> Geometry:
        """How an image of `height` × `width` pixels is fitted into the network's square."""
        return Geometry.of(self.geometry, height, width, self.image_size, self.resampling)

    def prepare(self) -> None:
        """Make the augmentation's pipeline, before worker processes begin."""
        if self.augmentation is not None:
            self.augmentation.prepare()

    def state_dict(self) -> dict[str, Any]:
        """The options of evaluation, without the augmentation."""
        return {
            "image_size": self.image_size,
            "fill": self.fill,
            "resampling": self.resampling,
            "geometry": self.geometry,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Transform":
        """The transform of evaluation that gave this state; of an older one, a letterbox."""
        return cls(**state)

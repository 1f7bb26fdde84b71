"""How an image is fitted into the network's square, and the exact way back."""

from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, UInt8
from PIL import Image
from torch import Tensor

from refseg.precision import full_precision

Fit = Literal["letterbox", "squash"]
Resampling = Literal["antialiased", "original", "pillow", "cubic"]
_Arrays = TypeVar("_Arrays", np.ndarray, Tensor)


class Geometry(NamedTuple):
    """Where an image lies in the network's square, and how it was scaled to get there.

    A letterbox keeps the shape of things: the image is scaled to fit, centred, with a border around
    it. Squashed, it fills the square, and height and width are scaled by factors of their own.

    A named tuple, which Lightning takes apart and puts together again where it converts batches to
    another precision; a frozen dataclass it refuses.

    Args:
        height: of the image in its own size, pixels.
        width: of the image in its own size, pixels.
        top: rows of border above the scaled image.
        left: columns of border left of the scaled image.
        scaled_height: rows of the scaled image.
        scaled_width: columns of the scaled image.
        size: side of the square, pixels.
        resampling: `antialiased` as is good practice today, or `original`, as the papers' code:
            bilinear without antialiasing, black beyond the border, and every touched pixel of a
            mask is foreground, in network size and back in the image's own size. `pillow` is what
            the codes of LAVT and ReLA do, in whole numbers: images weighted by triangles, masks by
            the nearest pixel. `cubic` is what that of CRIS does: one affine map, which puts the
            first pixel where the first one was instead of centres on centres; images cubic and
            masks linear, neither antialiased.
        fit: `letterbox`, or `squash`.
    """

    height: int
    width: int
    top: int
    left: int
    scaled_height: int
    scaled_width: int
    size: int
    resampling: Resampling = "antialiased"
    fit: Fit = "letterbox"

    @classmethod
    def of(
        cls,
        fit: Fit,
        height: int,
        width: int,
        size: int,
        resampling: Resampling = "antialiased",
    ) -> "Geometry":
        """How an image of `height` × `width` pixels is fitted into `size` × `size`."""
        make = cls.squash if fit == "squash" else cls.letterbox
        return make(height, width, size, resampling)

    @classmethod
    def letterbox(
        cls, height: int, width: int, size: int, resampling: Resampling = "antialiased"
    ) -> "Geometry":
        """The letterbox that fits an image of `height` × `width` pixels into `size` × `size`.

        Example:
            >>> geometry = Geometry.letterbox(height=50, width=100, size=64)
            >>> geometry.top, geometry.left, geometry.scaled_height, geometry.scaled_width
            (16, 0, 32, 64)
        """
        scale = min(size / height, size / width)
        scaled_height = max(1, round(height * scale))
        scaled_width = max(1, round(width * scale))
        top, left = (size - scaled_height) // 2, (size - scaled_width) // 2
        return cls(height, width, top, left, scaled_height, scaled_width, size, resampling)

    @classmethod
    def squash(
        cls, height: int, width: int, size: int, resampling: Resampling = "antialiased"
    ) -> "Geometry":
        """An image of `height` × `width` pixels that fills `size` × `size`, as in LAVT and ReLA.

        References:
            Yang et al., *LAVT: Language-Aware Vision Transformer for Referring Image Segmentation*,
            CVPR 2022, https://arxiv.org/abs/2112.02244, section 4 (480 × 480).

        Example:
            >>> geometry = Geometry.squash(height=50, width=100, size=64)
            >>> geometry.top, geometry.left, geometry.scaled_height, geometry.scaled_width
            (0, 0, 64, 64)
        """
        return cls(height, width, 0, 0, size, size, size, resampling, "squash")

    def apply_image(
        self, image: UInt8[np.ndarray, " height width 3"], fill: int = 0
    ) -> UInt8[np.ndarray, " size size 3"]:
        """Scale an image into the square.

        Args:
            image: RGB, in its own size.
            fill: value of the border, 0–255.
        """
        if self.resampling == "cubic":
            return self._warped(image, cv2.INTER_CUBIC, (fill, fill, fill))
        canvas = np.full((self.size, self.size, 3), fill, dtype=np.uint8)
        if self.resampling == "original":
            canvas[self._inside] = self._resize_as_original(image)
        elif self.resampling == "pillow":
            canvas[self._inside] = self._resize_by_pillow(image, Image.Resampling.BILINEAR)
        else:
            canvas[self._inside] = self._resize(image)
        return canvas

    def apply_masks(
        self, masks: Bool[np.ndarray, " n height width"]
    ) -> Bool[np.ndarray, " n size size"]:
        """Scale masks into the square; a pixel belongs to the mask where at least half of it does.

        Unlike the papers' code, which calls every touched pixel foreground and so dilates masks;
        `original` resampling does so, too. With `pillow` the pixel in the middle decides.
        """
        canvas = np.zeros((len(masks), self.size, self.size), dtype=np.bool_)
        for target, mask in zip(canvas, masks, strict=True):
            values = mask.astype(np.float32)
            if self.resampling == "original":
                target[self._inside] = resize(values, self.scaled_height, self.scaled_width) > 0
            elif self.resampling == "cubic":
                target[:] = self._warped(values, cv2.INTER_LINEAR) >= 0.5
            elif self.resampling == "pillow":
                nearest = self._resize_by_pillow(mask.view(np.uint8), Image.Resampling.NEAREST)
                target[self._inside] = nearest > 0
            else:
                target[self._inside] = self._resize(values) >= 0.5
        return canvas

    def to_own_size(
        self, values: Float[np.ndarray, " size_h size_w"]
    ) -> Float[np.ndarray, " height width"]:
        """Bring one map in network size (logits or probabilities) back to the image's own size.

        The border is cut off and the rest is resized bilinearly, pixel centres on pixel centres.
        By OpenCV, on the CPU: in a tenth of the time of torch's `interpolate`, closer to the exact
        values, and the same to the last bit whatever device the network ran on. (With `cubic`
        resampling, by the inverse of its map.)

        Args:
            values: float32 or float64.
        """
        if self.resampling == "cubic":
            return cv2.warpAffine(
                values,
                self.affine,
                (self.width, self.height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return cv2.resize(
            values[self._inside], (self.width, self.height), interpolation=cv2.INTER_LINEAR
        )

    def invert(self, maps: Float[Tensor, " n size_h size_w"]) -> Float[Tensor, " n height width"]:
        """Bring maps in network size back to the image's own size, each as `to_own_size` does.

        Args:
            maps: on any device; what is neither float32 nor float64 becomes float32.

        Returns:
            maps on the CPU.
        """
        values = full_precision(maps.detach().cpu())
        own = values.new_empty(len(values), self.height, self.width)
        for value, target in zip(values.numpy(), own.numpy(), strict=True):
            target[:] = self.to_own_size(value)
        return own

    @property
    def affine(self) -> Float64[np.ndarray, "2 3"]:
        """The map of `cubic` resampling: from a pixel (x, y) of the image to one of the square.

        The scale is not rounded to whole rows and columns, as `scaled_height` and `scaled_width`
        are.
        """
        x, y = self.size / self.width, self.size / self.height
        if self.fit == "letterbox":
            x = y = min(x, y)
        left, top = (self.size - x * self.width) / 2, (self.size - y * self.height) / 2
        return np.array([[x, 0, left], [0, y, top]])

    def _warped(
        self, values: np.ndarray, interpolation: int, border: tuple[int, ...] = (0,)
    ) -> np.ndarray:
        side = (self.size, self.size)
        return cv2.warpAffine(values, self.affine, side, flags=interpolation, borderValue=border)

    def _resize(self, values: np.ndarray) -> np.ndarray:
        """Area averaging where it shrinks, bilinear where it grows."""
        fitted = self.scaled_width, self.scaled_height
        # A squashed image may shrink along one side and grow along the other. OpenCV averages
        # areas only where no side grows.
        smaller = min(self.width, self.scaled_width), min(self.height, self.scaled_height)
        if smaller != (self.width, self.height):
            values = cv2.resize(values, smaller, interpolation=cv2.INTER_AREA)
        if smaller != fitted:
            values = cv2.resize(values, fitted, interpolation=cv2.INTER_LINEAR)
        return values

    def _resize_by_pillow(
        self, values: UInt8[np.ndarray, " height width *channels"], how: Image.Resampling
    ) -> UInt8[np.ndarray, " scaled_height scaled_width *channels"]:
        fitted = self.scaled_width, self.scaled_height
        return np.asarray(Image.fromarray(values).resize(fitted, how))

    def _resize_as_original(
        self, image: UInt8[np.ndarray, " height width 3"]
    ) -> UInt8[np.ndarray, " scaled_height scaled_width 3"]:
        # Faded borders are raised to the darkest value of all, as the original's library does.
        values = image.transpose(2, 0, 1) / 255
        scaled = resize(values, self.scaled_height, self.scaled_width)
        return (
            np.rint(255 * scaled.clip(values.min(), values.max()))
            .astype(np.uint8)
            .transpose(1, 2, 0)
        )

    @property
    def _inside(self) -> tuple[slice, slice]:
        rows = slice(self.top, self.top + self.scaled_height)
        return rows, slice(self.left, self.left + self.scaled_width)


@lru_cache(maxsize=256)
def _taps(inputs: int, outputs: int) -> tuple[np.ndarray, ...]:
    """For each output the two inputs beside it, and their weights; 0 beyond the border."""
    numerator = (2 * np.arange(outputs) + 1) * inputs - outputs
    first, rest = np.divmod(numerator, 2 * outputs)
    share = rest / (2 * outputs)
    indices = np.stack([first, first + 1])
    inside = (indices >= 0) & (indices < inputs)
    weights = np.stack([1 - share, share]) * inside
    return (*indices.clip(0, inputs - 1), *weights)


def resize(maps: _Arrays, height: int, width: int) -> _Arrays:
    """Resize the last two axes as the papers' code did: bilinear, not antialiased, black around.

    It is what `resize` of scikit-image 0.13 computes, up to its clipping. Pixel centres lie on
    pixel centres; outside of the image everything is 0, so that borders fade when an image grows.
    The weights are worked out from integers: what no foreground touches is exactly 0. (There the
    original has rounding noise, which its `> 0` calls foreground.)

    Args:
        maps: arrays or tensors of floats.
        height: rows of the result.
        width: columns of the result.

    Example:
        >>> resize(np.array([[0.0, 1.0]]), 1, 4)
        array([[0.  , 0.25, 0.75, 0.75]])
    """
    return _along(_along(maps, -2, height), -1, width)


def _along(maps: _Arrays, axis: int, outputs: int) -> _Arrays:
    first, second, near, far = _taps(maps.shape[axis], outputs)
    shape = (-1, 1) if axis == -2 else (-1,)
    if isinstance(maps, Tensor):
        positions = [torch.from_numpy(index).to(maps.device) for index in (first, second)]
        shares = [torch.from_numpy(w).to(maps).view(shape) for w in (near, far)]
        parts = [maps.index_select(axis, position) for position in positions]
        return parts[0] * shares[0] + parts[1] * shares[1]
    return maps.take(first, axis) * near.reshape(shape) + maps.take(second, axis) * far.reshape(
        shape
    )

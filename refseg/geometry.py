"""How an image is fitted into the network's square, and the exact way back."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Geometry:
    """A letterbox: the image scaled to fit a square, centred, with a border around it.

    Args:
        height: of the image in its own size, pixels.
        width: of the image in its own size, pixels.
        top: rows of border above the scaled image.
        left: columns of border left of the scaled image.
        scaled_height: rows of the scaled image.
        scaled_width: columns of the scaled image.
        size: side of the square, pixels.
    """

    height: int
    width: int
    top: int
    left: int
    scaled_height: int
    scaled_width: int
    size: int

    @classmethod
    def letterbox(cls, height: int, width: int, size: int) -> "Geometry":
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
        return cls(height, width, top, left, scaled_height, scaled_width, size)

    def apply_image(
        self, image: UInt8[np.ndarray, " height width 3"], fill: int = 0
    ) -> UInt8[np.ndarray, " size size 3"]:
        """Scale an image into the square (area averaging when it shrinks, bilinear when it grows).

        Args:
            image: RGB, in its own size.
            fill: value of the border, 0–255.
        """
        shrinks = self.scaled_height < self.height
        scaled = cv2.resize(
            image,
            (self.scaled_width, self.scaled_height),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        canvas = np.full((self.size, self.size, 3), fill, dtype=np.uint8)
        canvas[self._inside] = scaled
        return canvas

    def apply_masks(
        self, masks: Bool[np.ndarray, " n height width"]
    ) -> Bool[np.ndarray, " n size size"]:
        """Scale masks into the square; a pixel belongs to the mask where at least half of it does.

        Unlike the papers' code, which calls every touched pixel foreground and so dilates masks.
        """
        canvas = np.zeros((len(masks), self.size, self.size), dtype=np.bool_)
        shrinks = self.scaled_height < self.height
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        for target, mask in zip(canvas, masks, strict=True):
            scaled = cv2.resize(
                mask.astype(np.float32),
                (self.scaled_width, self.scaled_height),
                interpolation=interpolation,
            )
            target[self._inside] = scaled >= 0.5
        return canvas

    def invert(self, maps: Float[Tensor, " n size_h size_w"]) -> Float[Tensor, " n height width"]:
        """Bring maps in network size (logits or probabilities) back to the image's own size.

        The border is cut off and the rest is resized bilinearly, pixel centres on pixel centres.
        """
        inside = maps[(slice(None), *self._inside)][:, None]
        if inside.shape[-2:] == (self.height, self.width):
            return inside[:, 0]
        return functional.interpolate(
            inside, size=(self.height, self.width), mode="bilinear", align_corners=False
        )[:, 0]

    @property
    def _inside(self) -> tuple[slice, slice]:
        rows = slice(self.top, self.top + self.scaled_height)
        return rows, slice(self.left, self.left + self.scaled_width)

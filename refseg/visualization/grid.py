"""Panels of one width, set in rows on a page."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from refseg.visualization.overlays import Color

PAGE: Color = (255, 255, 255)
BOX: Color = (236, 238, 241)
MARGIN = 20
GAP = 8


@dataclass(frozen=True)
class Panel:
    """The size in which an image is shown: as large as a square of `side` pixels allows.

    Args:
        height: of the image shown, pixels.
        width: of the image shown, pixels.
    """

    height: int
    width: int

    @classmethod
    def fit(cls, height: int, width: int, side: int) -> "Panel":
        """The panel of an image of `height` × `width` pixels.

        Example:
            >>> Panel.fit(height=480, width=640, side=240)
            Panel(height=180, width=240)
        """
        scale = side / max(height, width)
        return cls(max(1, round(height * scale)), max(1, round(width * scale)))

    def image(
        self, image: UInt8[np.ndarray, " height width 3"]
    ) -> UInt8[np.ndarray, " panel_height panel_width 3"]:
        """Scale an image to the panel."""
        return self._scaled(image)

    def mask(
        self, mask: Bool[np.ndarray, " height width"]
    ) -> Bool[np.ndarray, " panel_height panel_width"]:
        """Scale a mask to the panel; a mask of few pixels does not vanish."""
        scaled = self._scaled(mask.astype(np.float32))
        return scaled >= min(0.5, float(scaled.max())) if mask.any() else scaled > 1

    def probability(
        self, probability: Float[np.ndarray, " height width"]
    ) -> Float[np.ndarray, " panel_height panel_width"]:
        """Scale a map of probabilities, or of other values, to the panel."""
        return self._scaled(probability.astype(np.float32))

    def _scaled(self, array: np.ndarray) -> np.ndarray:
        shrinks = self.height < array.shape[0] or self.width < array.shape[1]
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(array, (self.width, self.height), interpolation=interpolation)


def paste(
    canvas: Image.Image,
    picture: UInt8[np.ndarray, " panel_height panel_width 3"] | None,
    box: tuple[int, int, int, int],
) -> None:
    """Set a picture into the middle of a box, the rest of which becomes light grey.

    Args:
        canvas: drawn upon.
        picture: at most as large as the box; None leaves the box empty.
        box: left, top, width, height, pixels.
    """
    left, top, width, height = box
    canvas.paste(BOX, (left, top, left + width, top + height))
    if picture is None:
        return
    panel_height, panel_width = picture.shape[:2]
    middle = (left + (width - panel_width) // 2, top + (height - panel_height) // 2)
    canvas.paste(Image.fromarray(picture), middle)

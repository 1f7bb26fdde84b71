"""Examples as W&B shows them: masks as layers over an image, switched on and off in the browser."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from refseg.visualization import Example
from refseg.visualization.grid import Panel

_SIDE = 512  # pixels at most of what is shown in a browser: 8 photographs are about 0.4 MB


def layered(examples: Sequence[Example]) -> dict[str, list[Any]]:
    """What `WandbLogger.log_image` takes of examples, as small files of one size.

    W&B colours a mask by its number: 1 is the prediction and 2 the truth.

    Args:
        examples: at least one; sizes may differ.

    Returns:
        The lists `images` (at most 512 pixels high or wide), `masks`, `caption` and `file_type`.

    Example:
        >>> image, mask = np.zeros((768, 1024, 3), np.uint8), np.ones((768, 1024), bool)
        >>> shown = layered([Example(image, "the sky", prediction=mask, iou=0.5)])
        >>> shown["images"][0].shape, shown["caption"], shown["masks"][0]["prediction"].keys()
        ((384, 512, 3), ['the sky (IoU 0.50)'], dict_keys(['mask_data', 'class_labels']))
    """
    panels = [_panel(example) for example in examples]
    images = [panel.image(example.image) for panel, example in zip(panels, examples, strict=True)]
    size = _largest(images)
    return {
        "images": [_padded(image, size) for image in images],
        "masks": [_layers(e, panel, size) for panel, e in zip(panels, examples, strict=True)],
        "caption": [
            e.expression if e.iou is None else f"{e.expression} (IoU {e.iou:.2f})" for e in examples
        ],
        "file_type": ["jpg"] * len(images),
    }


def of_one_size(images: Sequence[ndarray]) -> list[ndarray]:
    """Images with white margins on the right and below: W&B shows those of one size together.

    Args:
        images: at least one.
    """
    size = _largest(images)
    return [_padded(image, size) for image in images]


def _panel(example: Example) -> Panel:
    height, width = example.image.shape[:2]
    return Panel.fit(height, width, side=min(_SIDE, max(height, width)))


def _layers(example: Example, panel: Panel, size: tuple[int, int]) -> dict[str, dict[str, Any]]:
    masks = {"prediction": example.prediction, "truth": example.truth}
    return {
        name: {
            "mask_data": _padded(panel.mask(mask).astype(np.uint8) * number, size, margin=0),
            "class_labels": {0: "background", number: name},
        }
        for number, (name, mask) in enumerate(masks.items(), start=1)
        if mask is not None
    }


def _largest(images: Sequence[ndarray]) -> tuple[int, int]:
    return max(len(image) for image in images), max(image.shape[1] for image in images)


def _padded(image: ndarray, size: tuple[int, int], margin: int = 255) -> ndarray:
    padding = [(0, size[0] - image.shape[0]), (0, size[1] - image.shape[1]), (0, 0)]
    return np.pad(image, padding[: image.ndim], constant_values=margin)

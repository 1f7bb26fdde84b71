"""Masks as layers of W&B."""

import numpy as np

from refseg.training.callbacks.layers import layered
from refseg.visualization import Example


def test_masks_are_layers_over_images_of_one_size() -> None:
    prediction = np.zeros((1536, 2048), dtype=bool)
    truth = prediction.copy()
    prediction[:512], truth[:, 1024:] = True, True  # a third, and a half
    image = np.full((1536, 2048, 3), 200, dtype=np.uint8)
    small = Example(image[:30, :40], "a dot", prediction[:30, :40], truth[:30, :40])
    shown = layered([Example(image, "the sky", prediction, truth, iou=0.2), small])
    assert {picture.shape for picture in shown["images"]} == {(384, 512, 3)}
    assert (shown["images"][0] == 200).all()
    assert (shown["images"][1][:30, :40] == 200).all()
    assert (shown["images"][1] == 255).sum() == (384 * 512 - 30 * 40) * 3  # a margin
    assert shown["caption"] == ["the sky (IoU 0.20)", "a dot"]
    layers = shown["masks"][0]
    assert layers["prediction"]["class_labels"] == {0: "background", 1: "prediction"}
    assert layers["truth"]["class_labels"] == {0: "background", 2: "truth"}
    expected = np.zeros((384, 512), dtype=np.uint8)
    expected[:128] = 1
    assert (layers["prediction"]["mask_data"] == expected).all()
    assert layers["truth"]["mask_data"].mean() == 1  # 2 on one half
    assert shown["masks"][1]["prediction"]["mask_data"].sum() == 30 * 40

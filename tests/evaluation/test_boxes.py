"""Boxes, against pycocotools and torchvision."""

import numpy as np
import pytest
import torch
from pycocotools import mask as coco
from torchvision.ops import box_convert
from torchvision.ops import box_iou as torchvision_box_iou

from refseg.evaluation.boxes import box_figures, box_iou, extent


def test_the_extent_is_that_of_pycocotools() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        mask = random.random((9, 13)) > 0.93
        box = coco.toBbox(coco.encode(np.asfortranarray(mask.astype(np.uint8))))
        assert (extent(mask) or (0, 0, 0, 0)) == tuple(box)
    assert extent(np.zeros((3, 4), dtype=bool)) is None


def test_the_iou_is_that_of_torchvision() -> None:
    random = np.random.default_rng(0)
    boxes = np.concatenate([random.uniform(-5, 60, (40, 2)), random.uniform(0, 50, (40, 2))], 1)
    corners = box_convert(torch.tensor(boxes), "xywh", "xyxy")
    expected = torchvision_box_iou(corners, corners)
    found = [[box_iou(tuple(one), tuple(other)) for other in boxes] for one in boxes]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert 0 < expected[0].max() > expected[0].min() == 0


def test_half_is_a_hit() -> None:
    square = (0.0, 0.0, 1.0, 1.0)
    half, less = (box_iou((0.0, 0.0, width, 1.0), square) for width in (2.0, 2.01))
    assert half == 0.5 > less
    figures = box_figures([half, less, box_iou(None, None), box_iou(square, None)])
    assert figures["box_precision@0.5"] == 0.5
    assert figures["mean_box_iou"] == pytest.approx((1.5 + less) / 4)

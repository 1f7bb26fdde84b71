"""Boxes for the first stage of LSTM-CNN: the original's bounds, crops and places."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch

from refseg.errors import ConfigError
from refseg.geometry import Geometry
from refseg.losses import WeightedLogisticLoss
from refseg.models import BilinearDecoder, Segmenter
from refseg.models.backbones import SmallBackbone
from refseg.models.coordinates import box_coordinates
from refseg.models.fusion import ConcatFusion
from refseg.models.region_training import RegionTraining
from refseg.models.text_encoders import LSTMEncoder
from refseg.types import Batch

# Three objects in the first image, one in the second: left, top, right, bottom, inclusive.
OBJECTS = [(2, 20, 21, 33), (30, 18, 49, 41), (5, 36, 14, 45), (10, 25, 40, 40)]
IMAGE_INDEX = (0, 0, 0, 1)


@pytest.fixture
def batch(make_batch: Callable[..., Batch]) -> Batch:
    batch = make_batch((3, 2, 4, 1), IMAGE_INDEX)
    assert batch.masks is not None
    for mask, (left, top, right, bottom) in zip(batch.masks, OBJECTS, strict=True):
        mask[top : bottom + 1, left : right + 1] = True
    # Images twice as wide as high: rows 16 to 47 of the square.
    return replace(batch, geometries=(Geometry.letterbox(32, 64, 64),) * 2)


def boxes_of(places: torch.Tensor) -> torch.Tensor:
    """Back from places in an image of 64 × 32 pixels to pixels of the square, inclusive."""
    scale = torch.tensor([64.0, 32.0, 64.0, 32.0])
    return ((places[:, :4] + 1) / 2 * scale + torch.tensor([0, 16, 0, 16])).round().long()


def iou(first: torch.Tensor, second: tuple[int, int, int, int]) -> float:
    canvas = torch.zeros(2, 64, 64, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(canvas, (first.tolist(), second), strict=True):
        mask[top : bottom + 1, left : right + 1] = True
    return ((canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum()).item()


def test_positives_overlap_and_negatives_do_not(batch: Batch) -> None:
    torch.manual_seed(0)
    overlaps: list[float] = []
    for _ in range(50):
        regions = RegionTraining(crop_size=16).draw(batch)
        assert regions.labels.sum() == 4
        assert (~regions.labels).sum() + 1 >= 4  # the object of image 2 may have no other beside it
        boxes = boxes_of(regions.places)
        rows, columns = boxes[:, [1, 3]], boxes[:, [0, 2]]
        assert ((rows >= 16) & (rows < 48)).all()
        assert ((columns >= 0) & (columns < 64)).all()
        for box, expression, label in zip(boxes, regions.expression, regions.labels, strict=True):
            overlap = iou(box, OBJECTS[int(expression)])
            assert overlap > 0.6999 if label else overlap == 0  # float32
            if label:
                overlaps.append(overlap)
    assert min(overlaps) < 0.9 < max(overlaps) == 1  # shaken, and as they are


def test_negatives_are_other_objects_and_other_places(batch: Batch) -> None:
    torch.manual_seed(0)
    training = RegionTraining(crop_size=16)
    others = []
    for _ in range(30):
        regions = training.draw(batch)
        chosen = boxes_of(regions.places)[(regions.expression == 0) & ~regions.labels]
        others += [tuple(box) for box in chosen.tolist()]
    objects = sum(box in OBJECTS[1:3] for box in others)
    assert 5 < objects < 25


def test_crops_show_what_lies_in_the_box(batch: Batch) -> None:
    """Colour encodes the place; the mean colour of a crop is that of the middle of its box."""
    torch.manual_seed(0)
    row, column = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    image = torch.stack([3 * column, 3 * row, torch.full_like(row, 200)]).to(torch.uint8)
    other = image.clone()
    other[2] = 100
    regions = RegionTraining(crop_size=32).draw(replace(batch, images=torch.stack([image, other])))
    boxes = boxes_of(regions.places).float()
    middle = torch.stack([boxes[:, [0, 2]].mean(1), boxes[:, [1, 3]].mean(1)], dim=1)
    means = regions.crops.float().mean((2, 3))
    torch.testing.assert_close(means[:, :2], 3 * middle, rtol=0, atol=2.0)
    expected = torch.tensor([200.0, 200.0, 200.0, 100.0])[regions.expression]
    torch.testing.assert_close(means[:, 2], expected)


def test_places_are_those_in_the_image(batch: Batch) -> None:
    torch.manual_seed(0)
    training = RegionTraining(crop_size=8, least_iou=1.0, shake=0.001)
    regions = training.draw(batch)
    inside = torch.tensor(OBJECTS) - torch.tensor([0, 16, 0, 16])
    expected = box_coordinates(inside, width=64, height=32).float()
    assert torch.equal(regions.places[regions.labels], expected)


def test_every_part_but_the_upsampling_learns(batch: Batch) -> None:
    torch.manual_seed(0)
    segmenter = Segmenter(
        partial(SmallBackbone, width=8, image_dim=12, colour_dim=4),
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        partial(ConcatFusion, hidden_dim=5),
        BilinearDecoder,
        50,
    )
    training = RegionTraining(crop_size=16)
    training(segmenter, batch, WeightedLogisticLoss().of_masks).backward()
    assert all(p.grad is not None for p in segmenter.parameters() if p.requires_grad)
    assert batch.masks is not None
    empty = replace(batch, masks=torch.zeros_like(batch.masks))
    assert training(segmenter, empty, WeightedLogisticLoss().of_masks) == 0


def test_boxes_do_not_depend_on_the_precision(batch: Batch) -> None:
    """Half precision makes its type torch's default, whose places of pixels are multiples of 2."""
    drawn = []
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(0)
        torch.set_default_dtype(dtype)
        try:
            drawn.append(RegionTraining(crop_size=16).draw(batch))
        finally:
            torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(*drawn, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_boxes_are_learned_in_every_precision(batch: Batch, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    segmenter = Segmenter(
        partial(SmallBackbone, width=8, image_dim=12, colour_dim=4),
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        partial(ConcatFusion, hidden_dim=5),
        BilinearDecoder,
        50,
    )
    training, losses = RegionTraining(crop_size=16), []
    for network in (segmenter, segmenter.to(dtype)):
        torch.manual_seed(1)
        losses.append(training(network, batch, WeightedLogisticLoss().of_masks).item())
    assert losses[1] == pytest.approx(losses[0], abs=0.02)
    with torch.no_grad():
        segmenter.decoder.classifier.weight.fill_(3e4)  # their sum is beyond float16
    assert batch.masks is not None
    empty = replace(batch, masks=torch.zeros_like(batch.masks))
    assert training(segmenter, empty, WeightedLogisticLoss().of_masks) == 0


def test_shares_are_checked() -> None:
    with pytest.raises(ConfigError, match="least_iou"):
        RegionTraining(least_iou=0.0)

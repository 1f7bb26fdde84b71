"""What the first stage of LSTM-CNN learns from: boxes that show the object, and others."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torchvision.ops import box_iou, masks_to_boxes, roi_align

from refseg.errors import ConfigError
from refseg.geometry import Geometry
from refseg.models.coordinates import box_coordinates
from refseg.models.region import RegionModel
from refseg.models.segmenter import Segmenter
from refseg.precision import full_precision
from refseg.types import Batch

Boxes = Int64[Tensor, " boxes 4"]  # left, top, right, bottom pixel, the last two inclusive

_DISJOINT = 1e-6  # the original's bound on the IoU of negatives
_CANDIDATES = 50


class Regions(NamedTuple):
    """Boxes, and whether they show what an expression names.

    Args:
        crops: what they show.
        places: where they are in the image (`box_coordinates`).
        expression: which expression of the batch each box is asked about.
        labels: True where the box shows what the expression names.
    """

    crops: UInt8[Tensor, " boxes 3 size size"]
    places: Float[Tensor, " boxes 8"]
    expression: Int64[Tensor, " boxes"]
    labels: Bool[Tensor, " boxes"]


class RegionTraining:
    """Trains the parts of a segmenter to tell boxes apart, as many that match as others.

    The original takes its boxes from EdgeBox proposals, whose files are gone. Here, a positive is
    the box of the object or a shaken copy of it, and a negative is the box of another object of the
    image, or one of the size of some object of the batch at a place drawn by chance. The original's
    bounds hold: positives overlap the object's box with an IoU of at least 0.7, negatives do not
    overlap it at all. Crops are cut out of the image in network size. An object without room for
    another box beside it has no negative.

    Args:
        crop_size: side of the crops, pixels; 224 in the paper.
        least_iou: of a positive with the box of the object.
        shake: how far each side of a box may move, as a share of width or height.

    Raises:
        ConfigError: `least_iou` or `shake` is not in (0, 1].
    """

    def __init__(self, crop_size: int = 224, least_iou: float = 0.7, shake: float = 0.15) -> None:
        for name, value in (("least_iou", least_iou), ("shake", shake)):
            if not 0 < value <= 1:
                raise ConfigError(f"Expected {name} above 0 and at most 1, got {value}.")
        self.crop_size, self.least_iou, self.shake = crop_size, least_iou, shake

    def __call__(
        self, segmenter: Segmenter, batch: Batch, loss: Callable[[Tensor, Tensor], Tensor]
    ) -> Float[Tensor, ""]:
        """The loss of the boxes of a batch.

        Args:
            segmenter: what is trained.
            batch: with masks.
            loss: of logits and labels.
        """
        regions = self.draw(batch)
        tokens, token_mask = batch.tokens, batch.token_mask
        asked = regions.expression
        if not len(asked):  # no object is as large as a pixel
            return (
                torch.stack(
                    [full_precision(p).sum() for p in segmenter.parameters() if p.requires_grad]
                ).sum()
                * 0
            )
        every = torch.arange(len(asked), device=asked.device)
        scores = RegionModel(segmenter)(
            regions.crops, regions.places, tokens[asked], token_mask[asked], every
        )
        return loss(scores[:, None, None], regions.labels[:, None, None])

    def draw(self, batch: Batch) -> Regions:
        """Boxes for the expressions of a batch whose objects are visible in network size."""
        assert batch.masks is not None
        masks = batch.masks.cpu()
        named = masks.flatten(1).any(1).nonzero()[:, 0]
        objects = (
            masks_to_boxes(masks[named]).long()
            if len(named)
            else torch.zeros(0, 4, dtype=torch.int64)
        )
        image_index = batch.image_index.cpu()[named]
        rows: list[tuple[int, Tensor, bool]] = []
        for row, (expression, own) in enumerate(zip(named.tolist(), objects, strict=True)):
            geometry = batch.geometries[int(image_index[row])]
            neighbours = objects[image_index == image_index[row]]
            rows.append((expression, self._positive(own, geometry), True))
            negative = _negative(own, neighbours, objects, geometry)
            if negative is not None:
                rows.append((expression, negative, False))
        return self._regions(batch, rows)

    def _regions(self, batch: Batch, rows: list[tuple[int, Tensor, bool]]) -> Regions:
        assert batch.images is not None
        device = batch.images.device
        expression = torch.tensor([row[0] for row in rows], dtype=torch.int64)
        images = batch.image_index.cpu()[expression]
        places, corners = (torch.zeros(len(rows), n, dtype=torch.float32) for n in (8, 5))
        for row, (_, box, _) in enumerate(rows):
            image = int(images[row])
            geometry = batch.geometries[image]
            inside = box - torch.tensor([geometry.left, geometry.top] * 2)
            size = geometry.scaled_width, geometry.scaled_height
            places[row] = box_coordinates(inside[None], *size)[0].float()
            corners[row, 0], corners[row, 1:] = image, _edges(box[None])[0]
        pixels = roi_align(batch.images.float(), corners.to(device), self.crop_size, aligned=True)
        labels = torch.tensor([row[2] for row in rows], dtype=torch.bool, device=device)
        crops = pixels.round().clamp(0, 255).to(torch.uint8)
        return Regions(crops, places.to(device), expression.to(device), labels)

    def _positive(self, own: Tensor, geometry: Geometry) -> Tensor:
        """The box, or one of those that it was shaken to and that still show the object."""
        width, height = (own[2:] - own[:2] + 1).tolist()
        moves = (2 * _random(_CANDIDATES, 4) - 1) * self.shake
        moves *= torch.tensor([width, height, width, height])
        shaken = _inside((own + moves.round()).long(), geometry)
        enough = _iou(shaken, own) >= self.least_iou
        choices = torch.cat([own[None], shaken[enough][:4]])
        return choices[int(torch.randint(len(choices), ()))]


def _negative(
    own: Tensor, neighbours: Tensor, objects: Tensor, geometry: Geometry
) -> Tensor | None:
    """Another object of the image or, as often, a place with none of the object named."""
    others = neighbours[_iou(neighbours, own) < _DISJOINT]
    if len(others) and _random() < 0.5:
        return others[int(torch.randint(len(others), ()))]
    sizes = (objects[:, 2:] - objects[:, :2])[torch.randint(len(objects), (_CANDIDATES,))]
    room = torch.tensor([geometry.scaled_width, geometry.scaled_height])
    sizes = torch.minimum(sizes, room - 1)
    start = torch.tensor([geometry.left, geometry.top])
    corner = start + (_random(_CANDIDATES, 2) * (room - sizes)).long()
    moved = torch.cat([corner, corner + sizes], dim=1)
    moved = moved[_iou(moved, own) < _DISJOINT]
    if len(moved):
        return moved[0]
    return others[int(torch.randint(len(others), ()))] if len(others) else None


def _random(*shape: int) -> Tensor:
    """Evenly distributed in [0, 1), whatever type the trainer has made torch's default."""
    return torch.rand(shape, dtype=torch.float32)


def _inside(boxes: Tensor, geometry: Geometry) -> Tensor:
    """Boxes with at least one pixel, within the image."""
    right = geometry.left + geometry.scaled_width - 1
    bottom = geometry.top + geometry.scaled_height - 1
    first = torch.tensor([geometry.left, geometry.top])
    last = torch.tensor([right, bottom])
    start = torch.minimum(torch.maximum(boxes[:, :2], first), last)
    stop = torch.minimum(torch.maximum(boxes[:, 2:], start), last)
    return torch.cat([start, stop], dim=1)


def _edges(boxes: Tensor) -> Tensor:
    """Where the outermost pixels end."""
    return (boxes + torch.tensor([0, 0, 1, 1])).float()


def _iou(boxes: Tensor, own: Tensor) -> Tensor:
    return box_iou(_edges(boxes), _edges(own[None]))[:, 0]

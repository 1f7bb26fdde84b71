"""From logits in network size to masks and scores in the images' own sizes: the one place for it.

A rule says which pixels are foreground. `above_half` is that of the standard protocol; `dilated` is
that of both papers' code, and of networks whose images are scaled as there (`original` resampling).
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from refseg.errors import PredictionError
from refseg.geometry import Geometry, resize
from refseg.types import Batch

Rule = Callable[[Float[Tensor, " size size"], Geometry], Bool[Tensor, " _ _"]]
"""Which pixels are foreground: from the logits of one expression in network size (on the CPU), and
the geometry of its image, to a mask."""

# The smallest logit that the papers' evaluation calls foreground.
_DILATED_THRESHOLD = 1e-9


class Predictions(NamedTuple):
    """What a network predicts for some expressions, on the CPU.

    Args:
        masks: one per expression, in its image's own size.
        scores: the mean probability over each mask, 0 where it is empty.
    """

    masks: list[Bool[Tensor, " height width"]]
    scores: Float64[Tensor, " expressions"]


def above_half(
    logits: Float[Tensor, " size size"], geometry: Geometry
) -> Bool[Tensor, " height width"]:
    """Foreground where the logit, brought to the image's own size, is above 0 (p > 0.5)."""
    return torch.from_numpy(np.greater(geometry.to_own_size(logits.numpy()), 0))


def dilated(
    logits: Float[Tensor, " size size"], geometry: Geometry
) -> Bool[Tensor, " height width"]:
    """Foreground where any of the network's foreground pixels reaches: thresholded, then resized.

    The whole square is resized to the image's longer side, bilinearly and without antialiasing, and
    what lies above or left of the image is cut off; what is not exactly 0 is foreground. So masks
    come out dilated. (`resize_and_crop` of both papers' code; the threshold is 1e-9, and reached.)
    The square of a squashed image, which the papers do not have, is resized to the image's size.

    Example:
        >>> logits = torch.tensor([[-1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
        >>> dilated(logits, Geometry.letterbox(height=6, width=6, size=3)).int()[2]
        tensor([0, 1, 1, 1, 1, 0], dtype=torch.int32)
    """
    height, width, size = geometry.height, geometry.width, geometry.size
    longer = max(height, width)
    foreground = (logits >= _DILATED_THRESHOLD).float()
    # The square is cut as soon as one side has its size: all of it may be thousands of times as
    # large as a panorama.
    if geometry.fit == "squash":
        pass  # nothing lies beside the image
    elif width > height:
        top = (longer - height) // 2
        foreground = resize(foreground, longer, size)[top : top + height]
    else:
        left = (longer - width) // 2
        foreground = resize(foreground, size, longer)[:, left : left + width]
    return resize(foreground, height, width) > 0


def rule_of(geometry: Geometry) -> Rule:
    """The rule that belongs to the resampling by which an image was fitted into the square."""
    return dilated if geometry.resampling == "original" else above_half


def predict(
    batch: Batch, logits: Float[Tensor, " expressions size size"], rule: Rule | None = None
) -> Predictions:
    """The mask and the score of each expression of a batch.

    Each map is brought to the image's own size once, alone, and let go before the next one, so that
    memory does not depend on their number, and no other map changes a bit of the result.

    Args:
        batch: whose images were fitted into the network's square.
        logits: in network size, float32 or float64, on any device.
        rule: gives masks in the image's own size; None: `rule_of` each image.
    """
    images = batch.image_index.tolist()
    pairs = zip(logits.detach().cpu(), images, strict=True)
    return _joined(_predict(one, batch.geometries[image], rule) for one, image in pairs)


def predict_in_image(
    logits: Float[Tensor, " expressions size size"], geometry: Geometry, rule: Rule | None = None
) -> Predictions:
    """The same for several expressions about one image.

    Args:
        logits: in network size, float32 or float64, on any device.
        geometry: how the image was fitted into the network's square.
        rule: gives masks in the image's own size; None: `rule_of` the image.
    """
    return _joined(_predict(one, geometry, rule) for one in logits.detach().cpu())


def predict_masks(
    batch: Batch, logits: Float[Tensor, " expressions size size"], rule: Rule
) -> list[Bool[Tensor, " _ _"]]:
    """The masks alone, in the size in which a rule gives them.

    Args:
        batch: whose images were fitted into the network's square.
        logits: in network size, float32 or float64, on any device.
        rule: says what is foreground.
    """
    images = batch.image_index.tolist()
    pairs = zip(logits.detach().cpu(), images, strict=True)
    # A copy lies in the memory as any other map does: where it lies may change its last bit.
    return [rule(one.clone(), batch.geometries[image]) for one, image in pairs]


def predict_from_probabilities(
    probabilities: Float[Tensor, " expressions _ _"], geometry: Geometry | None
) -> Predictions:
    """The same for one image, from probabilities instead of logits (as DenseCRF gives them).

    Args:
        probabilities: of the foreground, on the CPU.
        geometry: how the image was fitted into the network's square, whose size the probabilities
            have; None: they have the image's own size.
    """
    if geometry is None:
        return _joined((one > 0.5, _mean(one[one > 0.5])) for one in probabilities)
    return _joined(
        _predict(one - 0.5, geometry, None, lambda values: values + 0.5) for one in probabilities
    )


def _predict(
    logits: Float[Tensor, " size size"],
    geometry: Geometry,
    rule: Rule | None,
    probability: Callable[[Tensor], Tensor] = torch.sigmoid,
) -> tuple[Bool[Tensor, " height width"], float]:
    rule = rule_of(geometry) if rule is None else rule
    values = geometry.to_own_size(logits.numpy())
    # `above_half` of these values, which need not be made twice.
    mask = np.greater(values, 0) if rule is above_half else rule(logits, geometry).numpy()
    inside = torch.from_numpy(values[mask])  # numpy chooses several times as fast as torch
    return torch.from_numpy(mask), _mean(probability(inside))


def _mean(probabilities: Float[Tensor, " pixels"]) -> float:
    return float(probabilities.sum(dtype=torch.float64)) / max(1, len(probabilities))


def _joined(found: Iterable[tuple[Bool[Tensor, " height width"], float]]) -> Predictions:
    masks, scores = [], []
    for mask, score in found:
        masks.append(mask)
        scores.append(score)
    return Predictions(masks, torch.tensor(scores, dtype=torch.float64))


def check_logits(batch: Batch, logits: Float[Tensor, " expressions size size"]) -> None:
    """Make sure that logits are numbers: NaN would count as an empty prediction.

    Args:
        batch: that the network was given.
        logits: its output, in network size.

    Raises:
        PredictionError: a logit is NaN or +∞; names the expression.
    """
    highest = logits.amax(dim=(-2, -1))  # NaN where any value is
    wrong = (~(highest < torch.inf)).nonzero()[:, 0].tolist()
    if not wrong:
        return
    first = wrong[0]
    image = batch.image_paths[int(batch.image_index[first])]
    record = f"{image} [{batch.expression_ids[first]}] " if image else ""
    raise PredictionError(
        f"Expected numbers from the network, got {highest[first].item()} for {record}"
        f"{batch.expressions[first]!r} ({len(wrong)} of {len(batch)} expressions of the batch): "
        "its weights are broken, or too large for the precision. Take an earlier checkpoint, or "
        "compute in 32 bit (--trainer.precision 32-true)."
    )

"""How other codes of the field count, by name: from logits to a pair of masks, and to figures.

The figures of two papers can differ by points because they were counted differently. `standard` is
how refseg counts; each of the others counts as the code that its name says did for its published
figures, whatever model the predictions come from. How an image gets into the network (squashed,
letterboxed) is the model's business and not part of a protocol; where mask and prediction meet is.

What no protocol can count again: codes that add up the overlapping polygons of an object and take
what is not 1 for background (`lavt`), and samples that a distributed sampler repeated (`cris`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from PIL import Image
from torch import Tensor

from refseg.evaluation.functional import mean_iou, overall_iou, precision_at
from refseg.evaluation.predictions import Rule, above_half, dilated
from refseg.geometry import Geometry

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)

ProtocolName = Literal["standard", "rmi", "text_objseg", "lavt", "cris", "rela", "mmdet"]

_OVERALL, _MEAN = "overall_iou", "mean_iou"
_PRECISIONS = tuple(f"precision@{threshold}" for threshold in THRESHOLDS)
_ACCURACIES = ("no_target_accuracy", "target_accuracy")


@dataclass(frozen=True)
class Protocol:
    """A way of counting.

    Args:
        name: as given to `--evaluation.protocol`.
        summary: what is particular about it, in a line.
        rule: which pixels count as foreground.
        reported: the figures that the code itself prints; the others are counted in its manner.
        side: of the square to which the true mask is squashed (nearest neighbour); None leaves it
            in the image's own size. `rule` gives the same size.
        empty: the IoU of an expression whose mask and prediction are both empty.
        strict: an IoU equal to the threshold is no hit (>), instead of one (≥).
        epsilon: added to every union in mean IoU and precision@X, pixels.
        float32_thresholds: the X of precision@X are float32: 0.7 is a little less there, 0.6 more.
        sentences: `all`, or the `first` one of each object.
        generalized: a mask that the model withdraws, because it says that nothing is meant, goes on
            counting in the union; and precision@X is over expressions that name something.
    """

    name: ProtocolName
    summary: str
    rule: Rule
    reported: tuple[str, ...] = (_OVERALL, _MEAN, *_PRECISIONS)
    side: int | None = None
    empty: float = 1.0
    strict: bool = False
    epsilon: float = 0.0
    float32_thresholds: bool = False
    sentences: Literal["all", "first"] = "all"
    generalized: bool = False

    def truth(self, mask: Bool[np.ndarray, " height width"]) -> Bool[np.ndarray, " rows columns"]:
        """The true mask as the predictions are compared with it.

        Args:
            mask: in the image's own size.
        """
        if self.side is None:
            return mask
        squashed = Image.fromarray(mask.astype(np.uint8)).resize(
            (self.side, self.side), Image.Resampling.NEAREST
        )
        return np.asarray(squashed) > 0

    def figures(
        self,
        intersections: Int64[Tensor, " expressions"],
        unions: Int64[Tensor, " expressions"],
        thresholds: Sequence[float] = THRESHOLDS,
        areas: Int64[Tensor, " expressions"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Overall IoU, mean IoU and precision@X by the rules of the protocol.

        Where all unions are empty, overall IoU is 0/0 in the other codes: NaN.

        Args:
            intersections: pixels.
            unions: pixels.
            thresholds: the X of precision@X, IoU in [0, 1].
            areas: pixels of the true masks, for what is about expressions that name something.

        Example:
            >>> lavt = PROTOCOLS["lavt"].figures(torch.tensor([1, 0]), torch.tensor([2, 0]), (0.5,))
            >>> {name: value.item() for name, value in lavt.items()}
            {'overall_iou': 0.5, 'mean_iou': 0.25, 'precision@0.5': 0.5}
            >>> cris = PROTOCOLS["cris"].figures(torch.tensor([1]), torch.tensor([2]), (0.5,))
            >>> cris["precision@0.5"].item()
            0.0
        """
        is_defined = bool((unions > 0).any()) or (self.empty == 1 and not self.generalized)
        overall = overall_iou(intersections, unions)
        found = {
            _OVERALL: overall if is_defined else torch.full_like(overall, math.nan),
            _MEAN: mean_iou(intersections, unions, self.empty, self.epsilon),
        }
        if self.generalized and areas is not None:
            intersections, unions = intersections[areas > 0], unions[areas > 0]
        for threshold in thresholds:
            found[f"precision@{threshold}"] = precision_at(
                intersections,
                unions,
                float(np.float32(threshold)) if self.float32_thresholds else threshold,
                self.empty,
                self.strict,
                self.epsilon,
            )
        return found


def above_half_squashed(
    logits: Float[Tensor, " size size"], geometry: Geometry
) -> Bool[Tensor, " side side"]:
    """Foreground where the logit is above 0, in a square into which the image is squashed."""
    return above_half(logits, geometry._replace(height=_LAVT_SIDE, width=_LAVT_SIDE))


def above_cubic(
    logits: Float[Tensor, " size size"], geometry: Geometry
) -> Bool[Tensor, " height width"]:
    """Foreground where the probability, brought to own size by cubic interpolation, is over 0.35.

    It is the probability that is resized, not the logit, and the letterbox's border takes part.
    """
    x = geometry.width / geometry.scaled_width
    y = geometry.height / geometry.scaled_height
    # Pixel centres on pixel centres, as the letterbox put them.
    forward = np.array(
        [
            [x, 0, (0.5 - geometry.left) * x - 0.5],
            [0, y, (0.5 - geometry.top) * y - 0.5],
        ]
    )
    if geometry.resampling == "cubic":  # CRIS's own way into the square has its own way back
        forward = cv2.invertAffineTransform(geometry.affine)
    probability = cv2.warpAffine(
        logits.sigmoid().cpu().numpy(),
        forward,
        (geometry.width, geometry.height),
        flags=cv2.INTER_CUBIC,
        borderValue=0.0,
    )
    return torch.from_numpy(probability > _CRIS_PROBABILITY)


_LAVT_SIDE = 480
_CRIS_PROBABILITY = np.float32(0.35)

STANDARD = Protocol(
    name="standard",
    summary="own size, logit > 0, every expression, empty union 1, ≥",
    rule=above_half,
    reported=(_OVERALL, _MEAN, *_PRECISIONS, *_ACCURACIES),
)

_PROTOCOLS = (
    STANDARD,
    Protocol(
        name="rmi",
        summary="own size, thresholded before resizing, any touched pixel (dilated), empty union 0",
        rule=dilated,
        reported=(_OVERALL, *_PRECISIONS),
        empty=0.0,
    ),
    # Counts as `rmi` does, pixel by pixel: the two codes share this part. Only the networks' sizes
    # differ, 512 and 320 pixels.
    Protocol(
        name="text_objseg",
        summary="as rmi",
        rule=dilated,
        reported=(_OVERALL, *_PRECISIONS),
        empty=0.0,
    ),
    Protocol(
        name="lavt",
        summary="mask squashed to 480 × 480 (nearest), logit > 0, empty union 0",
        rule=above_half_squashed,
        side=_LAVT_SIDE,
        empty=0.0,
    ),
    Protocol(
        name="cris",
        summary="own size, probability (cubic) > 0.35, I / (U + 1e-6) > X in float32",
        rule=above_cubic,
        reported=(_MEAN, *_PRECISIONS),
        empty=0.0,
        strict=True,
        epsilon=1e-6,
        float32_thresholds=True,
    ),
    Protocol(
        name="rela",
        summary="squashed to 480 × 480 (nearest), logit > 0, withdrawn masks stay in the union",
        rule=above_half_squashed,
        reported=(_OVERALL, _MEAN, *_PRECISIONS[2:], *_ACCURACIES),
        side=_LAVT_SIDE,
        generalized=True,
    ),
    Protocol(
        name="mmdet",
        summary="own size, logit > 0, the first expression of each object, empty union 0",
        rule=above_half,
        reported=(_OVERALL, _MEAN),
        empty=0.0,
        sentences="first",
    ),
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({p.name: p for p in _PROTOCOLS})
"""Name -> protocol.

* `rmi`: Liu et al., ICCV 2017; `main.py` of chenxi116/TF-phrasecut-public, without its DenseCRF.
  An empty union is 0/0 there, which reaches no threshold.
* `text_objseg`: Hu et al., ECCV 2016; `exp_test_referit_seg.py` of ronghanghu/text_objseg.
* `lavt`: Yang et al., CVPR 2022; `test.py` of yz93/LAVT-RIS, which reads every sentence. (Its
  validation in training reads one at random.)
* `cris`: Wang et al., CVPR 2022; `inference` in `engine/engine.py` of DerrickWang005/CRIS.pytorch,
  which reads every sentence. (Its validation in training reads the first.) Its thresholds are
  `torch.arange(0.5, 1.0, 0.1)`, float32, and its quotients float64: an IoU of exactly 0.7 or 0.9
  is a hit unless the union is tiny, one of 0.5, 0.6 or 0.8 is none.
* `rela`: Liu et al., CVPR 2023; `ReferEvaluator` of henghuiding/ReLA. Its cIoU is overall IoU, its
  gIoU mean IoU. Where a model wrongly says that nothing is meant, the mask that it withdraws still
  enlarges the union of cIoU. (It draws polygons at 480 × 480, which differ from a squashed mask at
  their outline; and what it calls recognised is said beside the mask, here by an empty one, too.)
* `mmdet`: `RefSegMetric` and `RefCOCODataset(text_mode="select_first")` of open-mmlab/mmdetection:
  the first sentence of the last reference to each object. (Its `concat` glues the sentences
  together, which is another input to the network.)
"""

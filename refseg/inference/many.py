"""Masks for many images, each of which the network sees once for all its expressions."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from refseg.errors import DataError
from refseg.inference.crf import CRFOptions
from refseg.inference.journal import Journal, KeptMask
from refseg.inference.pipeline import Pipeline, as_pixels
from refseg.inference.text_to_mask.base import TextToMaskModel
from refseg.masks import encode

AT_A_TIME = 32
"""Expressions of an image that are predicted together: their probabilities are in memory at once,
in the image's own size. An image with more of them is seen again."""


class Request(NamedTuple):
    """An image and what to segment in it.

    Args:
        name: what results call it.
        path: of the file.
        expressions: the sentences, each once.
    """

    name: str
    path: Path
    expressions: tuple[str, ...]


class Segmented(NamedTuple):
    """What was found in an image.

    Args:
        request: that asked for it.
        masks: by expression; none where the image cannot be read.
        is_new: whether any of them was made just now.
        error: why the image cannot be used; None: it can.
    """

    request: Request
    masks: Mapping[str, KeptMask]
    is_new: bool = False
    error: DataError | None = None


def segment_many(
    pipeline: Pipeline | TextToMaskModel,
    requests: Iterable[Request],
    journal: Journal,
    crf: CRFOptions | None = None,
) -> Iterator[Segmented]:
    """Segment images one after the other; what the journal has is not made again.

    An image that cannot be read is told in its result, and does not keep the others from theirs.

    Args:
        pipeline: that segments.
        requests: images, each with its sentences.
        journal: of what was made before; it is told what is made now.
        crf: refine the predictions by DenseCRF.

    Raises:
        PredictionError: a logit is not a number.
    """
    for request in requests:
        known = {text: journal.find(request.path, text) for text in request.expressions}
        masks = {text: mask for text, mask in known.items() if mask is not None}
        missing = [text for text in request.expressions if text not in masks]
        try:
            made = _segment(pipeline, request.path, missing, crf)
        except DataError as error:
            yield Segmented(request, {}, error=error)
            continue
        if made:
            journal.add(request.path, made)
        found = masks | made
        yield Segmented(request, {text: found[text] for text in request.expressions}, bool(made))


def _segment(
    pipeline: Pipeline | TextToMaskModel,
    image: Path,
    expressions: list[str],
    crf: CRFOptions | None,
) -> dict[str, KeptMask]:
    made: dict[str, KeptMask] = {}
    if not expressions:
        return made
    pixels = as_pixels(image)
    for start in range(0, len(expressions), AT_A_TIME):
        together = expressions[start : start + AT_A_TIME]
        for expression, (mask, score) in zip(
            together, pipeline.segment_all(pixels, together, crf), strict=True
        ):
            made[expression] = KeptMask(encode(mask), score)
    return made

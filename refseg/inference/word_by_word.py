"""How a model reads an expression, for pictures of it."""

import itertools
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from refseg.data import Tokenizer
from refseg.evaluation.predictions import check_logits
from refseg.models.segmenter import Segmenter
from refseg.types import Batch


class Reading(NamedTuple):
    """How a model reads an expression word by word.

    Args:
        words: as the tokenizer cuts the expression.
        probabilities: foreground after each word, in the image's own size.
        activations: mean over the channels of what the cells hold after each word, in the image's
            own size; of the mLSTM, the `mult_state` of the paper's code.
    """

    words: list[str]
    probabilities: Float[np.ndarray, " words height width"]
    activations: Float[np.ndarray, " words height width"]


@torch.no_grad()
def read(segmenter: Segmenter, batch: Batch, tokenizer: Tokenizer) -> Reading:
    """Let a network read one expression word by word.

    Args:
        segmenter: whose fusion reads word by word.
        batch: with one expression.
        tokenizer: that made the tokens of the batch.

    Raises:
        PredictionError: a logit is not a number.
        TypeError: the fusion reads the sentence at once.
    """
    (geometry,), (expression,) = batch.geometries, batch.expressions
    count = int(batch.token_mask.sum())  # the rest is padding
    steps = list(itertools.islice(segmenter.read(batch), count))
    fitted = torch.cat([step.logits for step in steps]).float()
    check_logits(batch, fitted.amax(dim=0, keepdim=True))
    logits = geometry.invert(fitted)
    activations = geometry.invert(torch.cat([step.activations for step in steps]).float())
    return Reading(
        tokenizer.words(expression), logits.sigmoid().cpu().numpy(), activations.cpu().numpy()
    )

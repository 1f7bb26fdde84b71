"""ReLA: LAVT's backbone and BERT, a grid of regions over Mask2Former's pixel decoder."""

from itertools import pairwise
from pathlib import Path

from . import lavt
from .system import System

_DIM, _REGIONS, _WORDS = 256, 100, 768
_SWIN = (128, 256, 512, 1024)  # channels of the stages
_NORM = 2 * _DIM
_ATTENTION = 4 * (_DIM**2 + _DIM)  # query, key, value, output


def small(folder: Path) -> list[str]:
    """LAVT's small models, and a decoder of two layers and nine regions."""
    return [
        *lavt.small(folder),
        "--model.decoder.hidden_dim=16",
        "--model.decoder.heads=2",
        "--model.decoder.layers=2",
        "--model.decoder.feedforward_dim=16",
        "--model.decoder.grid=3",
        "--model.decoder.pixel_layers=1",
        "--model.decoder.pixel_feedforward_dim=16",
    ]


def _mlp(*dims: int) -> int:
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(dims))


def _pixel_decoder() -> int:
    """Layer by layer, as its code makes them: three levels, eight heads, four points each."""
    numbers = 8 * 3 * 4
    layer = (
        _mlp(_DIM, 2 * numbers)  # where the points are
        + _mlp(_DIM, numbers)  # what they weigh
        + 2 * _mlp(_DIM, _DIM)  # values, output
        + _mlp(_DIM, 1024, _DIM)
        + 2 * _NORM
    )
    inputs = sum(_mlp(dim, _DIM) + _NORM for dim in _SWIN[1:])
    finest = _SWIN[0] * _DIM + _NORM + 9 * _DIM**2 + _NORM
    return inputs + 3 * _DIM + 6 * layer + finest + _mlp(_DIM, _DIM)


def _decoder() -> int:
    """Layer by layer: nine of them, and what comes before and after."""
    layer = 2 * (_ATTENTION + _NORM) + _mlp(_DIM, 2048, _DIM) + _NORM
    starts = 2 * _REGIONS * _DIM + 3 * _DIM
    words = _WORDS * _DIM + _ATTENTION + _NORM + 1
    heads = _NORM + _mlp(_DIM, _DIM, _DIM, _DIM) + _mlp(_DIM, 2) + _mlp(_DIM, _DIM, 2)
    return starts + words + 9 * layer + heads


# LAVT's decoder: six 3×3 convolutions with batch normalisation, and one of 1×1 to two classes.
_LAVT_DECODER = 9 * 512 * (1536 + 512 + 768 + 512 + 640 + 512) + 6 * 2 * 512 + 2 * 512 + 2

SYSTEM = System(
    small,
    lavt.full,
    published={
        "LAVT's `model` without its decoder and the last gate": (
            lavt.SYSTEM.published["model"] - _LAVT_DECODER - 2 * _SWIN[-1] ** 2
        ),
        "BERT without its pooler": lavt.SYSTEM.published["bert_model"],
        "pixel decoder (5.5 M)": _pixel_decoder(),
        "decoder (15.0 M)": _decoder(),
    },
    differences={},
    unused=lavt.UNUSED,
)

"""The transform and the data options that a checkpoint of unknown origin describes, checked."""

import os
from collections.abc import Collection, Mapping
from typing import Any

from refseg.checkpoint.allowed_classes import as_config, check_arguments
from refseg.checkpoint.config import section
from refseg.data.transforms import Transform
from refseg.errors import CheckpointError, RefsegError

LARGEST_IMAGE = 4096
"""Side of a network's square that a checkpoint may ask for, pixels; 512 in the papers."""

# The checkpoint has the vocabulary itself, and features are the user's to name.
_NOT_DATA = ("tokenizer", "vocabulary_from", "features")
_NOT_TAKEN = ("outside_files",)  # which files of this machine a table may name is the user's to say
_MOST_PIXELS = 2**28  # of a batch: 2,600 images of 320 × 320
_MOST_SHAPES = 100_000


def transform_of(state: object, source: object) -> Transform:
    """The transform of a checkpoint, with its image size checked.

    Raises:
        CheckpointError: it describes none, or one of pictures that no memory holds.
    """
    arguments = check_arguments(Transform, state, f"The transform in {source}")
    if arguments.get("image_size", 0) > LARGEST_IMAGE:
        raise CheckpointError(
            f"The transform in {source} asks for images of {arguments['image_size']:,} pixels a "
            f"side; expected at most {LARGEST_IMAGE:,}."
        )
    try:
        return Transform(**arguments)
    except (RefsegError, TypeError) as error:
        raise CheckpointError(f"The transform in {source} cannot be made: {error}") from None


def data_of(
    content: Mapping[str, Any], source: object, given: Collection[str] = ()
) -> dict[str, Any]:
    """The section `data` of a config of unknown origin, from which nothing but a folder is read.

    Args:
        content: the whole config.
        source: of it, for messages.
        given: names of its options that the user gives: they are left out.

    Raises:
        CheckpointError: as `config_of`.
    """
    from refseg.data.datamodule import ReferringDataModule  # needs Lightning, and what trains
    from refseg.data.streaming.storage import is_remote

    described_data = section(content, "data", source)
    left_out = {*_NOT_DATA, *_NOT_TAKEN, *given}
    described = {k: v for k, v in described_data.items() if k not in left_out}
    data: dict[str, Any] = dict.fromkeys(_NOT_DATA)
    data |= as_config(check_arguments(ReferringDataModule, described, source))
    stream = data.get("stream")
    if stream is not None and (is_remote(stream) or ":" in stream):
        raise CheckpointError(
            f"The data of {source} come from {stream}, which is not connected to unasked; if you "
            f"trust it, give --data.stream {stream}, or --data.root DIR for a folder of yours."
        )
    _check_sizes(data, source)
    if isinstance(data.get("num_workers"), int):  # processes are this machine's affair
        data["num_workers"] = min(data["num_workers"], os.cpu_count() or 1)
    return data


def _check_sizes(data: Mapping[str, Any], source: object) -> None:
    shapes = data.get("shapes") or {}
    side = data.get("image_size", 1)
    limits = {
        "image_size": (side, LARGEST_IMAGE),
        "batch_size": (data.get("batch_size", 1), max(1, _MOST_PIXELS // max(1, side * side))),
        "shapes.train_images": (shapes.get("train_images", 0), _MOST_SHAPES),
        "shapes.evaluation_images": (shapes.get("evaluation_images", 0), _MOST_SHAPES),
    }
    for name, (value, most) in limits.items():
        if value > most:
            raise CheckpointError(
                f"The config in {source} asks for data.{name} = {value:,}; expected at most "
                f"{most:,}. If it is meant, name the config yourself with --config."
            )

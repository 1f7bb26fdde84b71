"""What is taken from the config in a checkpoint: the model, the data, and nothing that writes."""

import os
from collections.abc import Collection, Mapping
from typing import Any

from lightning.pytorch import Trainer, seed_everything

from refseg.checkpoint.config import config_in
from refseg.checkpoint.described import as_config, check_arguments
from refseg.cli.config_bases import read_yaml, with_bases
from refseg.cli.config_files import find_config
from refseg.data import ReferringDataModule
from refseg.data.streaming.storage import is_remote
from refseg.errors import CheckpointError
from refseg.inference.restoring import LARGEST_IMAGE, described_model, model_config
from refseg.training.module import ReferringSegmentation

_TRAINER = "trainer/default.yaml"
_PRECISION = "precision"  # the only option of the trainer that figures depend on
# Beside what the checkpoint describes.
_MODEL = ("loss", "exact_evaluation", "decayed", "learning_rate_factors", "regions")
# The checkpoint has the vocabulary itself, and features are the user's to name.
_NOT_DATA = ("tokenizer", "vocabulary_from", "features")
_NOT_TAKEN = ("outside_files",)  # which files of this machine a table may name is the user's to say
_MOST_PIXELS = 2**28  # of a batch: 2,600 images of 320 × 320
_MOST_SHAPES = 100_000


def config_of(
    checkpoint: Mapping[str, Any], source: object, given: Collection[str] = ()
) -> dict[str, Any] | None:
    """A config for evaluating a checkpoint as it was trained; None where it holds none.

    Model and data are the checkpoint's. Where and what is written, which loggers and callbacks run,
    and on how many devices, is not: that is the default trainer's, and the user's options change
    it. Data are read where the checkpoint says, on this machine only.

    Args:
        checkpoint: as it was read.
        source: of it, for messages.
        given: names of options of `data` that the user gives: the checkpoint's do not count.

    Raises:
        CheckpointError: something is not of its type, names a foreign class, or an address of a
            network, or is too large to be meant.
    """
    content = config_in(checkpoint, source)
    if content is None:
        return None
    described = {k: v for k, v in _section(content, "model", source).items() if k in _MODEL}
    others = check_arguments(ReferringSegmentation, described, source)
    model = model_config({**described_model(checkpoint, source), **others})
    model.pop("vocab_size", None)  # linked from the data
    path = find_config(_TRAINER)
    trainer = with_bases(read_yaml(path), path.parent)
    precision = _section(content, "trainer", source, may_be_file=True).get(_PRECISION)
    taken = check_arguments(Trainer, {_PRECISION: precision}, source)
    seed = check_arguments(seed_everything, {"seed": content.get("seed_everything")}, source)
    return {
        "seed_everything": seed["seed"] if isinstance(seed["seed"], int) else True,
        "trainer": {**trainer, **taken},
        "model": model,
        "data": data_of(content, source, given),
    }


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
    section = _section(content, "data", source)
    described = {k: v for k, v in section.items() if k not in {*_NOT_DATA, *_NOT_TAKEN, *given}}
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


def _section(
    content: Mapping[str, Any], name: str, source: object, *, may_be_file: bool = False
) -> Mapping[str, Any]:
    section = content.get(name, {})
    if may_be_file and isinstance(section, str):
        return {}
    if not isinstance(section, Mapping):
        raise CheckpointError(
            f"The config in {source} has no options in `{name}`; name one with --config."
        )
    return section

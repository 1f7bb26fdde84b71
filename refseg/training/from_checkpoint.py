"""The model that a checkpoint describes: its network, and how it was trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refseg.checkpoint.allowed_classes import as_config, check_arguments, made
from refseg.inference.from_checkpoint import OF_LIGHTNING, described_network
from refseg.models.parts import PARTS
from refseg.training.module import ReferringSegmentation


def described_model(
    checkpoint: Mapping[str, Any], source: object, known: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The arguments of the module in a checkpoint, once they are known to be harmless.

    Args:
        checkpoint: as it was read.
        source: of it, for messages.
        known: paths of classes that the user has named already.

    Raises:
        CheckpointError: as `described_network`.
    """
    network = described_network(checkpoint, source, known)
    described = checkpoint["hyper_parameters"]
    others = {k: v for k, v in described.items() if k not in {*network, OF_LIGHTNING}}
    return {**network, **check_arguments(ReferringSegmentation, others, source, known)}


def model_config(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checked arguments of a model as the section `model` of a config has them."""
    return {name: as_config(value) for name, value in arguments.items()}


def build_module(
    checkpoint: Mapping[str, Any],
    path: str | Path,
    **others: Any,  # noqa: ANN401 - arguments of the constructor
) -> ReferringSegmentation:
    """The module of a checkpoint with its weights.

    Args:
        checkpoint: as it was read.
        path: of it, for messages.
        others: arguments of the module that a checkpoint does not describe, such as `loss`.

    Raises:
        CheckpointError: it names classes that are not refseg's, or the weights do not fit.
    """
    arguments = described_model(checkpoint, path)
    for name in (*PARTS, "vocab_size", "name_words", "segmenter", "lora"):
        if name in arguments:
            others[name] = made(arguments[name])
    module = ReferringSegmentation(**others)
    module.load_state_dict(checkpoint["state_dict"])
    return module

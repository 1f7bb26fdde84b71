"""The network that a checkpoint describes: checked, rehearsed, and made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refseg.checkpoint.described import check_arguments, made
from refseg.errors import CheckpointError
from refseg.models.comparison import PARTS
from refseg.models.rehearsal import rehearse
from refseg.models.segmenter import Segmenter

_PREFIX = "segmenter."


def described_network(
    checkpoint: Mapping[str, Any], source: object, known: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The arguments of the network in a checkpoint, once they are known to be harmless.

    Args:
        checkpoint: as it was read.
        source: of it, for messages.
        known: paths of classes that the user has named already.

    Returns:
        Name -> value, in which classes are `Part`s.

    Raises:
        CheckpointError: it names classes that are not refseg's or the user's, values that are not
            of their types, files, or a network that its weights do not fit.
    """
    names = (*PARTS, "vocab_size")
    described = checkpoint["hyper_parameters"]
    if isinstance(described, Mapping):
        described = {name: described[name] for name in names if name in described}
    arguments = check_arguments(Segmenter, described, source, known)
    missing = [name for name in names if name not in arguments]
    if missing:
        raise CheckpointError(f"{source} does not describe its model: it lacks {missing[0]}.")
    rehearse(lambda: _segmenter(arguments), _weights(checkpoint), source)
    return arguments


def build_segmenter(checkpoint: Mapping[str, Any], path: str | Path) -> Segmenter:
    """The network of a checkpoint with its weights.

    Raises:
        CheckpointError: it names classes that are not refseg's, or the weights do not fit.
    """
    segmenter = _segmenter(described_network(checkpoint, path))
    segmenter.load_state_dict(_weights(checkpoint))
    return segmenter


def _segmenter(arguments: Mapping[str, Any]) -> Segmenter:
    factories = {part: made(arguments[part]) for part in PARTS}
    return Segmenter(**factories, vocab_size=arguments["vocab_size"])


def _weights(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The weights by the network's names; what is not the network's keeps its own."""
    return {name.removeprefix(_PREFIX): weight for name, weight in checkpoint["state_dict"].items()}

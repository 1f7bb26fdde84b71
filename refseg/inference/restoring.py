"""The model that a checkpoint describes: checked, rehearsed, and made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refseg.checkpoint.described import as_config, check_arguments, made
from refseg.data import Transform
from refseg.errors import CheckpointError, RefsegError
from refseg.models.comparison import PARTS
from refseg.models.rehearsal import rehearse
from refseg.models.segmenter import Segmenter
from refseg.training.module import ReferringSegmentation

LARGEST_IMAGE = 4096
"""Side of a network's square that a checkpoint may ask for, pixels; 512 in the papers."""

_PREFIX = "segmenter."
_OF_LIGHTNING = "_instantiator"  # how Lightning would make it, from any class that stands there


def described_model(
    checkpoint: Mapping[str, Any], source: object, known: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The arguments of the model in a checkpoint, once they are known to be harmless.

    Args:
        checkpoint: as it was read.
        source: of it, for messages.
        known: paths of classes that the user has named already.

    Returns:
        Name -> value, in which classes are `Part`s.

    Raises:
        CheckpointError: it names classes that are not refseg's or the user's, values that are not
            of their types, files, or a model that its weights do not fit.
    """
    described = dict(checkpoint["hyper_parameters"])
    described.pop(_OF_LIGHTNING, None)
    arguments = check_arguments(ReferringSegmentation, described, source, known)
    missing = [name for name in (*PARTS, "vocab_size") if name not in arguments]
    if missing:
        raise CheckpointError(f"{source} does not describe its model: it lacks {missing[0]}.")
    weights = checkpoint["state_dict"]
    own = {n.removeprefix(_PREFIX): w for n, w in weights.items() if n.startswith(_PREFIX)}
    rehearse(lambda: _segmenter(arguments), {**own, **_others(weights)}, source)
    return arguments


def _segmenter(arguments: Mapping[str, Any]) -> Segmenter:
    factories = {part: made(arguments[part]) for part in PARTS}
    return Segmenter(**factories, vocab_size=arguments["vocab_size"])


def _others(weights: Mapping[str, Any]) -> dict[str, Any]:
    return {name: weight for name, weight in weights.items() if not name.startswith(_PREFIX)}


def model_config(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checked arguments of a model as the section `model` of a config has them."""
    return {name: as_config(value) for name, value in arguments.items()}


def build_module(checkpoint: Mapping[str, Any], path: str | Path) -> ReferringSegmentation:
    """The module of a checkpoint with its weights.

    Raises:
        CheckpointError: it names classes that are not refseg's, or the weights do not fit.
    """
    arguments = described_model(checkpoint, path)
    factories = {part: made(arguments[part]) for part in PARTS}
    module = ReferringSegmentation(**factories, vocab_size=arguments["vocab_size"])
    module.load_state_dict(checkpoint["state_dict"])
    return module


def transform_of(state: object, source: object) -> Transform:
    """The transform of a checkpoint, whose sizes are those of images.

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

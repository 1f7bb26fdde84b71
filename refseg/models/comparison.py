"""Is a checkpoint of this model, and if not, what differs?"""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from refseg.errors import CheckpointError
from refseg.models.parts import PARTS
from refseg.models.segmenter import Segmenter

_PREFIX = "segmenter."
_VOCABULARY = "text_encoder.embedding.weight"
_SHOWN = 3
_FILES = ("weights", "architecture", "pretrained", "vectors")
_FOLLOWS = ("normalization", "embedding_dim")  # from such a file, where nobody says it


def check_description(there: Mapping[str, Any], here: Mapping[str, Any], source: object) -> None:
    """Make sure that a checkpoint describes the model that is asked for.

    Lightning lets the description in the checkpoint prevail over the config, without a word.

    Args:
        there: the description in the checkpoint: classes and arguments of the parts.
        here: the same of the config.
        source: of the checkpoint, for the message.

    Raises:
        CheckpointError: a part has another class, or another value of an argument. Where a part
            once found its files does not matter.
    """
    parts = {
        part: (_described(there[part]), _described(here[part]))
        for part in (*PARTS, "segmenter", "lora")
        if there.get(part) is not None and here.get(part) is not None
    }
    found = [
        _of_class(part, one[0], other[0])
        for part, (one, other) in parts.items()
        if one[0] != other[0]
    ] or [
        f"{part}.{name} is {value} there and {other[1][name]} here"
        for part, (one, other) in parts.items()
        for name, value in one[1].items()
        if _differs(name, value, other[1].get(name, value))
    ]
    if found:
        raise CheckpointError(_message(source, found))


def _described(part: Any) -> tuple[str, Mapping[str, Any]]:  # noqa: ANN401 - nested YAML
    """The name of the class, and the arguments."""
    if isinstance(part, Mapping):
        arguments = part.get("init_args") or {}
        return str(part.get("class_path")).rpartition(".")[2], dict(arguments)
    return str(part).rpartition(".")[2], {}


def _of_class(part: str, there: str, here: str) -> str:
    return f"the {part.replace('_', ' ')} is a {there} there and a {here} here"


def _differs(name: str, there: object, here: object) -> bool:
    follows = name in _FOLLOWS and here is None
    return there != here and name not in _FILES and not follows


def check_model(checkpoint: Mapping[str, Any], segmenter: Segmenter, source: object) -> None:
    """Make sure that the weights of a checkpoint fit a segmenter, all of them and nothing else.

    Args:
        checkpoint: its content.
        segmenter: which is to be filled.
        source: of the checkpoint, for the message.

    Raises:
        CheckpointError: they do not; the message names the parts, widths or words that differ.
    """
    weights = {
        name.removeprefix(_PREFIX): weight
        for name, weight in checkpoint["state_dict"].items()
        if name.startswith(_PREFIX)
    }
    expected = segmenter.state_dict()
    if {name: weight.shape for name, weight in weights.items()} == {
        name: weight.shape for name, weight in expected.items()
    }:
        return
    described = checkpoint.get("hyper_parameters", {})
    found = [
        _of_class(part, there, here)
        for part in PARTS
        if part in described
        for there in [_described(described[part])[0]]
        for here in [type(getattr(segmenter, part)).__name__]
        if there != here
    ]
    raise CheckpointError(_message(source, found or [*_shapes(weights, expected)]))


def _message(source: object, differences: list[str]) -> str:
    shown = "; ".join(differences[:_SHOWN])
    more = len(differences) - _SHOWN
    return (
        f"{source} is of another model than this one: {shown}"
        f"{f'; and {more} more differences' if more > 0 else ''}. A checkpoint keeps its model: "
        "leave out the options or the --config that ask for another one, or train that from the "
        "beginning."
    )


def _shapes(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Iterator[str]:
    there, here = (group.get(_VOCABULARY) for group in (weights, expected))
    if there is not None and here is not None and len(there) != len(here):
        yield (
            f"it knows {len(there):,} words, and the data have {len(here):,} (take its words with "
            "--data.vocabulary_from CHECKPOINT)"
        )
    for name, weight in expected.items():
        other = weights.get(name)
        if other is None:
            yield f"it has no {name}"
        elif other.shape != weight.shape and name != _VOCABULARY:
            yield f"{name} is {_size(other)} there and {_size(weight)} here"
        elif other.shape[1:] != weight.shape[1:]:
            yield f"words have {other.shape[1]} numbers there and {weight.shape[1]} here"
    for name in weights:
        if name not in expected:
            yield f"only it has {name}"


def _size(weight: Tensor) -> str:
    return " × ".join(map(str, weight.shape)) or "one number"

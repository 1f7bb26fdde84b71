"""The network that a checkpoint describes: checked, rehearsed, and made."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from refseg.checkpoint.allowed_classes import check_arguments, made
from refseg.checkpoint.reading import WEIGHTS_PREFIX
from refseg.checkpoint.values import NotOfTypeError, plain
from refseg.errors import CheckpointError
from refseg.models.parts import PARTS, import_named_parts, import_parts
from refseg.models.rehearsal import rehearse
from refseg.models.segmenter import Segmenter, SegmenterFactory

OF_LIGHTNING = "_instantiator"
"""How Lightning would make the model, from any class that stands there: nobody here does."""

_OF_PARTS = (*PARTS, "vocab_size", "name_words")
_NETWORK = (*_OF_PARTS, "segmenter", "lora")
_SCHEDULES = "refseg.training.schedules."


class Description(NamedTuple):
    """What a checkpoint says of its model beside weights, tokenizer and transform.

    Args:
        source: of the checkpoint: a path, or a name on the hub.
        network: the arguments of the network, plain values, which the gate has let through.
        about: what stands in the checkpoint under `refseg`: version, config, fairness, origin.
        trained_steps: after which the weights were saved; None: not known.
    """

    source: str
    network: dict[str, Any]
    about: Mapping[str, Any]
    trained_steps: int | None


def description_of(checkpoint: Mapping[str, Any], source: str | Path) -> Description:
    """What a checkpoint says of its model, once `build_segmenter` has made its network.

    Args:
        checkpoint: as it was read.
        source: of it.
    """
    given = checkpoint["hyper_parameters"]
    steps = checkpoint.get("global_step")
    return Description(
        source=str(source),
        network={name: given[name] for name in _NETWORK if name in given},
        about=checkpoint.get("refseg", {}),
        trained_steps=steps if type(steps) is int and steps > 0 else None,
    )


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
    arguments = checked_network(checkpoint["hyper_parameters"], source, known)
    rehearse(lambda: _segmenter(arguments), _weights(checkpoint), source)
    return arguments


def checked_network(
    described: Any,  # noqa: ANN401 - of unknown origin
    source: object,
    known: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """As `described_network`, without a look at weights.

    Args:
        described: the hyper-parameters in a checkpoint.
        source: of them, for messages.
        known: paths of classes that the user has named already.

    Raises:
        CheckpointError: as `described_network`, but for the weights.
    """
    parts = described
    whole: dict[str, Any] = {}
    if isinstance(described, Mapping):
        others = {k: v for k, v in described.items() if k not in {*_NETWORK, OF_LIGHTNING}}
        check_arguments(_training, _without_schedule_of_ours(others), source, known)
        for name, types in (("segmenter", _whole), ("lora", _adapted)):
            if name in described:
                given = {name: described[name]}
                whole |= check_arguments(types(described[name]), given, source, known)
        parts = {name: described[name] for name in _OF_PARTS if name in described}
    import_named_parts(parts)
    try:
        arguments = check_arguments(Segmenter, parts, source, known)
    except CheckpointError:
        import_parts()  # so that the message names all that are known
        arguments = check_arguments(Segmenter, parts, source, known)
    arguments |= whole
    missing = [name for name in (*PARTS, "vocab_size") if name not in arguments]
    if missing:
        raise CheckpointError(f"{source} does not describe its model: it lacks {missing[0]}.")
    return arguments


def _whole(given: object) -> Callable[..., None]:
    """What a description says of the class of the network, for the types."""

    def whole(segmenter: SegmenterFactory) -> None: ...

    return whole


def _adapted(given: object) -> Callable[..., None]:
    """What a description says of adapters; these are imported where there are any."""

    def without(lora: None) -> None: ...

    if given is None:
        return without
    from refseg.models.lora import LoRAFactory

    def adapted(lora: LoRAFactory) -> None: ...

    return adapted


def _training(
    optimizer: Callable[..., Optimizer],
    lr_scheduler: Callable[..., LRScheduler] | None,
    decayed: Sequence[str] | None,
    learning_rate_factors: dict[str, float] | None,
) -> None:
    """What a description says beside the network, for the types: nothing is made of it here.

    It is checked all the same: a checkpoint in which something is wrong is refused as a whole.
    """


def _without_schedule_of_ours(described: Mapping[Any, object]) -> dict[Any, object]:
    """A description without its schedule, if that is named as one of ours, with plain arguments.

    The classes themselves are of the room above, where the training checks them.
    """
    given = described.get("lr_scheduler")
    path = given.get("class_path") if isinstance(given, Mapping) else given
    is_ours = isinstance(path, str) and path.removeprefix(_SCHEDULES).isidentifier()
    if is_ours and str(path).startswith(_SCHEDULES):
        try:
            plain(given.get("init_args") or {} if isinstance(given, Mapping) else {}, inert=True)
        except NotOfTypeError:
            return {**described}  # refused with the place and the value
        if not isinstance(given, Mapping) or set(given) <= {"class_path", "init_args"}:
            return {name: value for name, value in described.items() if name != "lr_scheduler"}
    return {**described}


def build_segmenter(checkpoint: Mapping[str, Any], path: str | Path) -> Segmenter:
    """The network of a checkpoint with its weights.

    Raises:
        CheckpointError: it names classes that are not refseg's, or the weights do not fit.
    """
    segmenter = _segmenter(described_network(checkpoint, path))
    segmenter.load_state_dict(_weights(checkpoint))
    return segmenter


def _segmenter(arguments: Mapping[str, Any]) -> Segmenter:
    arguments = {name: made(value) for name, value in arguments.items()}
    make: Callable[..., Segmenter] = arguments.pop("segmenter", Segmenter)
    lora: Callable[[Segmenter], object] | None = arguments.pop("lora", None)
    segmenter = make(**arguments)
    if lora is not None:
        lora(segmenter)
    return segmenter


def _weights(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The weights by the network's names; what is not the network's keeps its own."""
    return {
        name.removeprefix(WEIGHTS_PREFIX): weight
        for name, weight in checkpoint["state_dict"].items()
    }

"""Going on with other settings than a checkpoint's: which they are, and that they count."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from refseg.errors import CheckpointError, ConfigError
from refseg.models.parameters import parameter_groups
from refseg.models.parts import PARTS
from refseg.training.schedules import Schedule

MakeOptimizer = Callable[[Iterable[dict[str, Any]]], Optimizer]

# Which is checked by itself.
_NETWORK = tuple(
    f"model.{part}" for part in (*PARTS, "vocab_size", "name_words", "segmenter", "lora")
)
_KEPT = ("data.tokenizer", "data.image_size", "data.fill", "data.resampling", "data.geometry")
_NOT_NEEDED = ("model.start_from", "data.vocabulary_from")
_LONGEST = 60  # characters of a value


def changes(before: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - nested YAML
    """The options that differ between two configs: name, value before, value now.

    An option that only one of them has is one of another version. Of two classes in the same place,
    the options are not compared.

    Args:
        before: plain values, nested.
        now: of the same kind.
        name: of the option whose values they are.
    """
    before, now = _plain(before), _plain(now)
    is_part = isinstance(before, dict) and isinstance(now, dict)
    if is_part and before.get("class_path") == now.get("class_path"):
        for key in before:
            if key in now:
                inner = name if key == "init_args" else f"{name}.{key}".lstrip(".")
                yield from changes(before[key], now[key], inner)
    elif before != now:
        yield name, before, now


def _plain(value: object) -> Any:  # noqa: ANN401 - nested YAML
    """A value as YAML gives it back: lists instead of tuples, say."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def told_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """What is to be said of the options of a training that goes on; None if they are the same.

    Args:
        before: config of the run that the checkpoint is of.
        now: config of this run.

    Raises:
        ConfigError: an option has changed that goes with the checkpoint.
    """
    found = [one for one in changes(before, now) if not one[0].startswith(_NETWORK)]
    for name, there, here in found:
        if name.startswith(_KEPT):
            raise ConfigError(
                f"The training goes on with its own words and sizes of images; {name} is "
                f"{_shown(there)} there and {_shown(here)} here. Leave the option out, or start "
                "another training with the weights of this one (--model.start_from)."
            )
    if not found:
        return None
    listed = [
        f"{name} {_shown(there)} -> {_shown(here)}"
        + (" (not used: the checkpoint has its own)" if name in _NOT_NEEDED else "")
        for name, there, here in found
    ]
    return f"Going on with other settings than before: {'; '.join(listed)}"


def _shown(value: object) -> str:
    if isinstance(value, Mapping) and "class_path" in value:
        arguments = (value.get("init_args") or {}).items()
        values = ", ".join(f"{name}={_shown(one)}" for name, one in arguments if one is not None)
        return f"{str(value['class_path']).rpartition('.')[2]}({values})"
    text = "null" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def adapt(
    checkpoint: dict[str, Any],
    network: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler,
    settings: Mapping[str, Any],
    make_optimizer: MakeOptimizer,
) -> list[str]:
    """Let a checkpoint, which is about to be restored, have the settings of today.

    Restoring brings the settings of the checkpoint back, whatever was asked for. Where those of the
    optimizer and the schedule are what they were, the checkpoint is left alone. Otherwise learning
    rates are those that today's settings give for the next step, as if they had been in force from
    the beginning.

    Args:
        checkpoint: its content, which is changed.
        network: what is trained.
        optimizer: as today's settings make it.
        schedule: of that optimizer, before its first step, told the number of steps.
        settings: `optimizer`, `lr_scheduler`, `decayed` and `learning_rate_factors` of today, as a
            checkpoint has them among its hyper-parameters.
        make_optimizer: makes such an optimizer.

    Returns:
        What is to be said of it.

    Raises:
        CheckpointError: there is no state of an optimizer in it.
        ConfigError: the schedule is over before the training is.
    """
    if not checkpoint.get("optimizer_states") or not checkpoint.get("lr_schedulers"):
        raise CheckpointError(
            "Expected a checkpoint that training can go on from, got one of weights alone; start "
            "with them (--model.start_from and --data.vocabulary_from with its path)."
        )
    before = checkpoint.get("hyper_parameters", {})
    saved, rates = checkpoint["optimizer_states"][0], checkpoint["lr_schedulers"][0]
    names = ("optimizer", "lr_scheduler", "decayed", "learning_rate_factors")
    there = {**settings, "decayed": None, "learning_rate_factors": None, **before}
    changed = [n for n in names if _plain(there.get(n)) != _plain(settings.get(n))]
    total, planned = rates.get("total_steps"), getattr(schedule, "total_steps", None)
    if not changed and total == planned:
        return []
    done = int(rates.get("last_epoch", checkpoint["global_step"]))
    _advance(schedule, done)
    now = (settings, make_optimizer)
    state, told = _state(saved["state"], before, network, optimizer, *now)
    today = optimizer.state_dict()
    checkpoint["optimizer_states"][0] = {**today, "state": state}
    checkpoint["lr_schedulers"][0] = schedule.state_dict()
    if total is not None and planned is not None and total != planned:
        told.append(f"The schedule has {planned:,} steps now, and had {total:,}.")
    rate = float(optimizer.param_groups[0]["lr"])
    return [*told, f"After {done:,} steps the learning rate is {rate:.3g}."]


def _state(
    known: Mapping[int, Any],
    before: Mapping[str, Any],
    network: nn.Module,
    optimizer: Optimizer,
    settings: Mapping[str, Any],
    make_optimizer: MakeOptimizer,
) -> tuple[dict[int, Any], list[str]]:
    """The state of each parameter, by its place in today's groups, and what to say of it."""
    was, now = (_class_name(config.get("optimizer")) for config in (before, settings))
    if was != now:
        return {}, [f"The state of {was} means nothing to {now}, which begins without one."]
    kept = {name for one in known.values() for name in one}
    missing = _needed(make_optimizer) - kept if known else set()
    if missing:
        return {}, [
            f"The optimizer now keeps {', '.join(sorted(missing))}, which the checkpoint does not "
            "have; it begins without a state."
        ]
    named = before.get("decayed"), before.get("learning_rate_factors")
    groups = parameter_groups(network, *named)
    places = {id(p): place for place, p in enumerate(_flat([g["params"] for g in groups]))}
    trained = _flat([group["params"] for group in optimizer.param_groups])
    found = [(place, places.get(id(parameter), -1)) for place, parameter in enumerate(trained)]
    return {place: known[old] for place, old in found if old in known}, []


def _class_name(described: object) -> str:
    path = described.get("class_path") if isinstance(described, Mapping) else described
    return str(path).rpartition(".")[2]


def _needed(make_optimizer: MakeOptimizer) -> set[str]:
    """What an optimizer keeps of each parameter, found out by a step of one that is made alike."""
    parameter = nn.Parameter(torch.zeros(2, 2))
    parameter.grad = torch.zeros(2, 2)
    twin = make_optimizer([{"params": [parameter]}])
    twin.step(lambda: 0.0)
    return set(twin.state[parameter])


def _flat(groups: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    return [parameter for group in groups for parameter in group]


def _advance(schedule: LRScheduler, steps: int) -> None:
    """Bring a new schedule to where it is after some steps.

    Raises:
        ConfigError: it ends before that.
    """
    if steps == 0:
        return
    if isinstance(schedule, Schedule):  # which follows from the number of the step alone
        schedule.last_epoch, schedule._step_count = steps - 1, steps
        schedule.step()
        return
    with warnings.catch_warnings():
        # The optimizer has made no step yet in this process.
        warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before")
        try:
            for _ in range(steps):
                schedule.step()
        except ValueError as error:
            raise ConfigError(
                f"Expected a schedule of at least the {steps:,} steps that are done, got a "
                f"{type(schedule).__name__} that is over before; give it more with "
                "--model.lr_scheduler."
            ) from error


def check_length(schedule: LRScheduler, planned: int) -> None:
    """See that a schedule is not over before the training is.

    Args:
        schedule: that has a number of steps of its own, or none.
        planned: optimizer steps of the whole training.

    Raises:
        ConfigError: torch's `OneCycleLR` ends the training then, by an error.
    """
    if isinstance(schedule, OneCycleLR) and 0 < schedule.total_steps < planned:
        raise ConfigError(
            f"OneCycleLR is over after {schedule.total_steps:,} steps, and the training has "
            f"{planned:,}; give as many with --model.lr_scheduler.total_steps, or train for fewer."
        )

"""What a checkpoint describes: objects of known kinds, with plain arguments.

A description names classes, and to make an object of a class is to run its code. So each place of a
description has a role: the type that the constructor asks for there. A class may stand where a
constructor wants one (a `Fusion`, an `Optimizer`), and must be one of that role: of refseg, of
`torch.optim`, or of a package that the user has named. Everywhere else stand numbers and texts of
the type that is asked for. No name is looked up by importing it.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import torch

from refseg.checkpoint.packages import OPTION, is_own
from refseg.checkpoint.values import NotOfTypeError, alternatives, plain, shown, simple
from refseg.errors import CheckpointError

_TORCH = (torch.optim, torch.optim.lr_scheduler)
_OF_TORCH = (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler)
_NEVER_OWN = {"refseg", "torch", "lightning"}
_SPECIFICATION = {"class_path", "init_args", "dict_kwargs"}
_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Part(NamedTuple):
    """An object that may be made.

    Args:
        kind: its class.
        arguments: of the constructor; parts among them.
        is_factory: it is made later, with further arguments.
    """

    kind: type[Any]
    arguments: dict[str, Any]
    is_factory: bool

    def make(self) -> Any:  # noqa: ANN401 - of any kind
        """The object, or what makes it."""
        arguments = {name: made(value) for name, value in self.arguments.items()}
        kind: Callable[..., Any] = self.kind
        return partial(kind, **arguments) if self.is_factory else kind(**arguments)


def made(value: object) -> Any:  # noqa: ANN401 - of any kind
    """A checked value with its parts as objects."""
    if isinstance(value, Part):
        return value.make()
    return [made(item) for item in value] if isinstance(value, list) else value


def as_config(value: object) -> Any:  # noqa: ANN401 - nested YAML
    """A checked value as a config has it."""
    if isinstance(value, Part):
        path = f"{value.kind.__module__}.{value.kind.__qualname__}"
        return {"class_path": path, "init_args": as_config(value.arguments)}
    if isinstance(value, dict):
        return {name: as_config(item) for name, item in value.items()}
    return [as_config(item) for item in value] if isinstance(value, list) else value


def check_arguments(
    owner: Callable[..., Any],
    described: object,
    source: object,
    known: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The arguments of a constructor, each of the type that it asks for.

    Args:
        owner: whose arguments they are.
        described: names and values, as in a checkpoint.
        source: of the description, for the message.
        known: paths of classes that the user has named in another way already.

    Raises:
        CheckpointError: an argument is unknown, or is not of its type, or names a foreign class;
            the message says which, and names the option for classes of one's own.
    """
    return _Checker(source, known).arguments(owner, described, "", supplied=0)


class _Checker:
    def __init__(self, source: object, known: frozenset[str]) -> None:
        self.source, self.known = source, known

    def arguments(
        self, owner: Callable[..., Any], described: object, place: str, supplied: int
    ) -> dict[str, Any]:
        if not isinstance(described, Mapping) or not all(isinstance(n, str) for n in described):
            raise self.refused(place or "its description", "arguments by their names", described)
        types = _types(owner, supplied)
        unknown = [name for name in described if name not in types]
        if unknown and "**" not in types:
            raise CheckpointError(
                f"{self.source} gives {place or 'its description'} an argument that it does not "
                f"take, {shown(unknown[0])}; it was written by another version, or by hand."
            )
        return {
            name: self.value(types.get(name, Any), value, f"{place}.{name}".lstrip("."))
            for name, value in described.items()
        }

    def value(self, annotation: Any, value: object, place: str) -> Any:  # noqa: ANN401 - any type
        """A value as its annotation wants it."""
        for choice in alternatives(annotation):
            try:
                return self.choice(choice, value, place)
            except NotOfTypeError:
                continue
        raise self.refused(place, _in_words(annotation), value)

    def choice(self, annotation: Any, value: object, place: str) -> Any:  # noqa: ANN401 - any type
        is_factory = get_origin(annotation) is Callable or annotation is Callable
        if is_factory:
            supplied, result = get_args(annotation) or ((), None)
            count = 0 if supplied is Ellipsis else len(supplied)
            return self.part(_roles(result), value, place, count, is_factory=True)
        if get_origin(annotation) in (list, tuple) or _is_sequence(annotation):
            if not isinstance(value, list | tuple):
                raise NotOfTypeError
            item = [a for a in get_args(annotation) if a is not Ellipsis] or [Any]
            types = item if len(item) == len(value) else item[:1] * len(value)
            return [self.value(t, v, place) for t, v in zip(types, value, strict=True)]
        if isinstance(annotation, type) and is_dataclass(annotation) and isinstance(value, Mapping):
            return self.arguments(annotation, value, place, supplied=0)
        if get_origin(annotation) is dict and get_args(annotation) == (str, float):
            if not isinstance(value, dict):
                raise NotOfTypeError
            return {simple(str, name): simple(float, number) for name, number in value.items()}
        if isinstance(annotation, type) and issubclass(annotation, dict):
            return annotation(plain(value)) if isinstance(value, dict) else simple(None, value)
        bases = _roles(annotation)
        if bases:
            return self.part(bases, value, place, 0, is_factory=False)
        return simple(annotation, value)

    def part(
        self, bases: tuple[type, ...], value: object, place: str, supplied: int, is_factory: bool
    ) -> Part:
        """A part of the description: the name of a class, or that and its arguments."""
        given = {"class_path": value} if isinstance(value, str) else value
        if not isinstance(given, Mapping) or not bases or "class_path" not in given:
            raise NotOfTypeError
        path = given["class_path"]
        kind = next(self.named(bases, path), None) if isinstance(path, str) else None
        if kind is None:
            raise self.foreign(path, place, bases)
        more = given.get("dict_kwargs") or {}
        if not set(given) <= _SPECIFICATION or (more and "**" not in _types(kind, supplied)):
            raise self.refused(place, "a class with its arguments", value)
        described = {**(given.get("init_args") or {}), **more}
        arguments = self.arguments(kind, described, place, supplied)
        is_portable = getattr(kind, "is_portable", None)
        if is_portable is not None and not is_portable(arguments):
            raise CheckpointError(
                f"{self.source} wants files or a download for its {place} ({kind.__name__}), which "
                "no checkpoint of `refseg fit` does: it has the weights itself."
            )
        return Part(kind, arguments, is_factory)

    def named(self, bases: tuple[type, ...], path: str) -> Iterator[type]:
        """The classes of some kinds that a path means."""
        module, _, name = path.rpartition(".")
        if is_own(module):
            try:
                import_module(module)
            except ImportError:
                return
        for kind in dict.fromkeys(kind for base in bases for kind in _subclasses(base)):
            inside = module in {"", kind.__module__} or kind.__module__.startswith(f"{module}.")
            is_whole = not inspect.isabstract(kind) and kind not in _OF_TORCH
            is_meant = kind.__name__ == name and inside and is_whole
            if is_meant and (_is_ours(kind) or is_own(kind.__module__) or path in self.known):
                yield kind

    def foreign(self, path: object, place: str, bases: tuple[type, ...]) -> CheckpointError:
        known = sorted(
            {
                k.__name__
                for base in bases
                for k in _subclasses(base)
                if _is_ours(k) and k.__name__[0] != "_" and not inspect.isabstract(k)
            }
            - {base.__name__ for base in bases if base in _OF_TORCH}
        )
        package = str(path).partition(".")[0]
        if package == "refseg":
            return CheckpointError(
                f"{self.source} names {shown(path)} as {place}, which is no such class of this "
                f"version of refseg (known: {', '.join(known)}): it was written by another "
                "version, or by hand. Use that version, or train again."
            )
        is_own_path = "." in str(path) and package.isidentifier() and package not in _NEVER_OWN
        own = package if is_own_path else "PACKAGE"
        return CheckpointError(
            f"{self.source} names {shown(path)} as {place}, which is no such class of refseg or "
            f"torch.optim (known: {', '.join(known)}); what comes from elsewhere is not run "
            f"unasked. If it is yours and you trust it, name its package: {OPTION} {own[:60]} "
            "(in Python: import_packages)."
        )

    def refused(self, place: str, expected: str, value: object) -> CheckpointError:
        names = value.get("class_path") if isinstance(value, Mapping) else None
        got = f"the class {shown(names)}" if names is not None else shown(value)
        return CheckpointError(
            f"{self.source} is no checkpoint of refseg as it was written: expected {expected} as "
            f"{place}, got {got}."
        )


def _types(owner: Callable[..., Any], supplied: int) -> dict[str, Any]:
    """The arguments of a constructor and their types; `**` if it takes any others.

    Args:
        owner: a class or a function.
        supplied: so many of the first ones come from elsewhere.
    """
    found: dict[str, Any] = {}
    for kind in owner.__mro__ if isinstance(owner, type) else (owner,):
        function = vars(kind).get("__init__") if isinstance(kind, type) else kind
        if function is None or kind is object:
            continue
        try:
            hints = get_type_hints(function)
        except (NameError, TypeError, AttributeError):  # names that exist for type checkers only
            hints = {}
        parameters = [*inspect.signature(function).parameters.values()]
        if isinstance(kind, type):
            parameters = parameters[1:]
        if not found:
            parameters = parameters[supplied:]
        for parameter in parameters:
            if parameter.kind not in _OPEN:
                found.setdefault(parameter.name, hints.get(parameter.name, Any))
        if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters):
            found.pop("**", None)
            return found
        found["**"] = Any
    return found


def _roles(annotation: Any) -> tuple[type, ...]:  # noqa: ANN401 - any type
    """The classes that a type asks for, if they are kinds of parts: ours, or torch's."""
    kinds = alternatives(annotation)
    is_role = all(isinstance(kind, type) and _is_role(kind) for kind in kinds)
    return tuple(kinds) if is_role else ()


def _is_role(kind: type) -> bool:
    """Whether a class is a kind of part: ours or the user's, an optimiser or a schedule."""
    return _is_ours(kind) or is_own(kind.__module__) or issubclass(kind, _OF_TORCH)


def _is_ours(kind: type) -> bool:
    if any(vars(module).get(kind.__name__) is kind for module in _TORCH):
        return True
    return kind.__module__.partition(".")[0] == "refseg"


def _subclasses(kind: type) -> Iterator[type]:
    yield kind
    subclasses: list[type] = type.__subclasses__(kind)
    for subclass in subclasses:
        yield from _subclasses(subclass)


def _is_sequence(annotation: Any) -> bool:  # noqa: ANN401 - any type
    origin = get_origin(annotation)
    return isinstance(origin, type) and getattr(origin, "__name__", "") in {"Sequence", "Iterable"}


def _in_words(annotation: Any) -> str:  # noqa: ANN401 - any type
    kinds = [getattr(choice, "__name__", str(choice)) for choice in alternatives(annotation)]
    return " or ".join(kind.replace("NoneType", "null") for kind in kinds)

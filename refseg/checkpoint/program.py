"""The pickle of a file of `torch.save`, followed step by step without making anything.

`torch.load(weights_only=True)` executes no code of a pickle, but believes what it says: storages
that are larger than their records, dictionaries whose keys all collide (minutes for a few
megabytes), millions of steps. Here the same steps are followed with symbols in place of values.
"""

import pickletools
from collections.abc import Callable, Mapping
from io import BufferedIOBase
from typing import Any

_MOST_STEPS = 1_000_000  # a checkpoint with 10,000 tensors takes some 400,000
_MOST_KEY = 2**20  # integer keys below it have places of their own: they are numbers of parameters

_ITEM_SIZES = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2,
    "LongStorage": 8, "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1,
    "BoolStorage": 1, "UntypedStorage": 1,
}  # fmt: skip
_TENSORS = {"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"}
_MAPPINGS = {"collections.OrderedDict", "collections.Counter"}
_OTHERS = {"torch.Size", "torch.device", "_codecs.encode"}
_OPTIONS = "argparse.Namespace"  # of a command line: attributes, and nothing that runs
_LOCATIONS = ("cpu", "cuda", "mps", "xpu", "hpu", "npu", "tpu", "xla", "meta")
_CONSTANTS: dict[str, object] = {
    "NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (),
}  # fmt: skip
_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING",
}  # fmt: skip


class NotPlainError(ValueError):
    """A pickle holds more than plain tensors and values. The message says what."""


class _Named(str):
    """A function or class, by its full name."""

    __slots__ = ()


class _List:
    """A list, of whatever."""

    __slots__ = ()


class _Tensor:
    """A tensor."""

    __slots__ = ()


class _Other:
    """Any other value."""

    __slots__ = ()


class _Options:
    """The options of a command line."""

    __slots__ = ()


class _Mapping:
    """A dictionary, of which the keys that are texts are known."""

    __slots__ = ("is_ordered", "names")

    def __init__(self, is_ordered: bool = False) -> None:
        self.names: set[str] = set()
        self.is_ordered = is_ordered


def follow(
    program: BufferedIOBase, records: Mapping[str, int] | None = None, *, and_options: bool = False
) -> dict[str, int]:
    """Follow a pickle up to its end, and say how many bytes each of its storages has.

    Args:
        program: at the first byte of a pickle; it is left after the last one.
        records: bytes that there are for each storage; None: not known here.
        and_options: the options of a command line may be in it, too (`argparse.Namespace`).

    Returns:
        Key of a storage -> its size in bytes.

    Raises:
        NotPlainError: the pickle names something else than tensors and plain values, its storages
            are larger than their records, or it is made to take for ever.
    """
    run = _Run(records, and_options)
    try:
        operations = pickletools.genops(program)  # type: ignore[arg-type]  # as good as IO[bytes]
        for steps, (operation, argument, _) in enumerate(operations, start=1):
            if steps > _MOST_STEPS:
                raise NotPlainError(f"it takes more than {_MOST_STEPS:,} steps to read")
            run.step(operation.name, argument)
    except NotPlainError:
        raise
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise NotPlainError(f"it is damaged ({type(error).__name__})") from None
    return run.storages


class _Run:
    """The machine that a pickle is a program of."""

    def __init__(self, records: Mapping[str, int] | None, and_options: bool) -> None:
        self.records, self.storages = records, dict[str, int]()
        self.and_options = and_options
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:  # noqa: ANN401 - whatever a step carries
        stack = self.stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in {"BINGET", "LONG_BINGET"}:
            stack.append(self.memo[argument])
        elif name in {"BINPUT", "LONG_BINPUT"}:
            if not 0 <= argument <= len(self.memo):
                raise NotPlainError("it numbers its values at random")
            self.memo[argument] = stack[-1]
        elif name == "MARK":
            self.marks.append(stack)
            self.stack = []
        elif name in _STEPS:
            _STEPS[name](self)
        elif name == "GLOBAL":
            stack.append(_named(argument, self.and_options))
        elif name == "NEWOBJ" and self.and_options:
            self.new()
        elif not (name == "STOP" or (name == "PROTO" and argument == 2)):
            raise NotPlainError(f"it is not written by torch.save ({name})")

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def push(self, value: object) -> None:
        self.stack.append(value)

    def last(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def append(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], _List):
            raise NotPlainError(f"{len(items)} values are appended to what is no list")

    def set_items(self, items: list[Any]) -> None:
        mapping = self.stack[-1]
        if not isinstance(mapping, _Mapping) or len(items) % 2:
            raise NotPlainError("keys are set in what is no dictionary")
        for key in items[::2]:
            if type(key) is str:
                mapping.names.add(key)
            elif not (isinstance(key, int) and -_MOST_KEY < key < _MOST_KEY):
                raise NotPlainError("a key of a dictionary is no text and no small number")

    def new(self) -> None:
        """The options of a command line, still without any."""
        arguments, kind = self.stack.pop(), self.stack.pop()
        if not isinstance(kind, _Named) or kind != _OPTIONS or arguments != ():
            raise NotPlainError("it makes an object of a class")
        self.stack.append(_Options())

    def build(self) -> None:
        """The attributes of an ordered dictionary, which is what a state dict is; or options."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Options) and isinstance(state, _Mapping):
            return
        is_plain = isinstance(state, _Mapping) and state.names <= {"_metadata"}
        if not (is_plain and isinstance(target, _Mapping) and target.is_ordered):
            raise NotPlainError("it changes the attributes of a value")

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Named) or not isinstance(arguments, tuple):
            raise NotPlainError("it calls something")
        if function in _MAPPINGS:
            is_copy = function == "collections.Counter" and len(arguments) == 1
            if arguments and not (is_copy and isinstance(arguments[0], _Mapping)):
                raise NotPlainError(f"it makes a {function} of something else")
            self.stack.append(_Mapping(is_ordered=function == "collections.OrderedDict"))
        elif function in _TENSORS:
            self.stack.append(_Tensor())
        elif function == "_codecs.encode" and arguments[1:] not in ((), ("latin1",)):
            raise NotPlainError("it encodes texts")
        elif function in _OTHERS:
            self.stack.append(_Other())
        else:
            raise NotPlainError(f"it calls {str(function)[:80]!r}")

    def storage(self) -> None:
        kind, storage, key, location, count = self.stack.pop()[:5]
        name = storage.rpartition(".")[2]
        if kind != "storage" or not isinstance(storage, _Named) or name not in _ITEM_SIZES:
            raise NotPlainError("it refers to something outside of itself")
        if not isinstance(location, str) or not location.startswith(_LOCATIONS):
            raise NotPlainError("a tensor is on no known device")
        size = count * _ITEM_SIZES[name]
        there = None if self.records is None else self.records.get(key, -1)
        if type(count) is not int or count < 0 or there not in (None, size):
            raise NotPlainError(
                f"a tensor says that it has {size:,} bytes, and there are {max(0, there or 0):,}"
            )
        if self.storages.setdefault(key, size) != size:
            raise NotPlainError("two tensors share values, but do not agree on how many")
        self.stack.append(_Other())


_STEPS: dict[str, Callable[[_Run], None]] = {
    "EMPTY_LIST": lambda run: run.push(_List()),
    "EMPTY_DICT": lambda run: run.push(_Mapping()),
    "TUPLE": lambda run: run.push(tuple(run.since_mark())),
    "TUPLE1": lambda run: run.push(tuple(run.last(1))),
    "TUPLE2": lambda run: run.push(tuple(run.last(2))),
    "TUPLE3": lambda run: run.push(tuple(run.last(3))),
    "APPEND": lambda run: run.append(run.last(1)),
    "APPENDS": lambda run: run.append(run.since_mark()),
    "SETITEM": lambda run: run.set_items(run.last(2)),
    "SETITEMS": lambda run: run.set_items(run.since_mark()),
    "REDUCE": _Run.reduce,
    "BUILD": _Run.build,
    "BINPERSID": _Run.storage,
}


def _named(argument: str, and_options: bool) -> _Named:
    name = argument.replace(" ", ".")
    allowed = name in _TENSORS | _MAPPINGS | _OTHERS or (and_options and name == _OPTIONS)
    kind = name.rpartition(".")[2]
    if allowed or (kind in _ITEM_SIZES and name in {f"torch.{kind}", f"torch.storage.{kind}"}):
        return _Named(name)
    raise NotPlainError(f"it names {name[:80]!r}")

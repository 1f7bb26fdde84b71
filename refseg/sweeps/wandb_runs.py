"""The runs that W&B knows of: in the files that they wrote offline, or on its server."""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from refseg.errors import ConfigError

_HEADER = b":W&B"  # and three bytes more: a number and a version
_HEADER_LENGTH = 7
_BLOCK = 32 * 1024
_PIECE_HEADER = struct.Struct("<IHB")  # checksum, length, kind
_FULL, _FIRST, _LAST = 1, 2, 4


@dataclass
class LoggedRun:
    """What a run has told W&B.

    Args:
        identity: of the run, the same offline and on the server.
        name: of the run, for people.
        config: its values; those of a sweep by their dotted names.
        history: what was logged together, in order.
        is_finished: it came to its end, and without an error.
        folder: of W&B's files of the run; None where it was read from the server.
    """

    identity: str = ""
    name: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[Mapping[str, Any]] = field(default_factory=list)
    is_finished: bool = False
    folder: Path | None = None


def offline_files(folder: Path) -> list[Path]:
    """The files `run-*.wandb` below a folder, each once, by name.

    Args:
        folder: where to search.
    """
    found = {path.resolve(): path for path in sorted(folder.rglob("run-*.wandb"))}
    return list(found.values())


def read_offline(path: Path) -> LoggedRun:
    """Read the file in which W&B keeps all that a run has logged.

    W&B's library writes such files and has no reader for them. The file of a run that was killed is
    read as far as it goes.

    Args:
        path: of the file `run-*.wandb`.

    Raises:
        ConfigError: it is no such file, or W&B is not installed.
    """
    try:
        # Both are made by machine, without types.
        Record = import_module("wandb.proto.wandb_internal_pb2").Record  # noqa: N806 - a class
        damage = import_module("google.protobuf.message").DecodeError
    except ImportError as error:
        raise ConfigError(f"Reading {path} takes W&B's library: pip install wandb.") from error
    data = path.read_bytes()
    if not data.startswith(_HEADER):
        raise ConfigError(f"Expected a file of a W&B run, got {path}, which does not begin as one.")
    run = LoggedRun(folder=path.parent)
    for piece in _records(data):
        try:
            record = Record.FromString(piece)
        except damage:
            break
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.identity, run.name = record.run.run_id, record.run.display_name
            run.config |= _values(record.run.config.update)
        elif kind == "config":
            run.config |= _values(record.config.update)
        elif kind == "history":
            run.history.append(_values(record.history.item))
        elif kind == "exit":
            run.is_finished = record.exit.exit_code == 0
    return run


def read_remote(path: str) -> list[LoggedRun]:
    """Ask W&B's server for the runs of a sweep.

    Args:
        path: of the sweep: ENTITY/PROJECT/SWEEP_ID.

    Raises:
        ConfigError: W&B is not installed, does not answer, or knows no such sweep.
    """
    try:
        import wandb
    except ImportError as error:
        raise ConfigError(f"Reading {path} takes W&B's library: pip install wandb.") from error
    try:
        api: Any = wandb.Api()
        return [
            LoggedRun(
                identity=run.id,
                name=run.name,
                config=dict(run.config),
                history=list(run.scan_history()),
                is_finished=run.state == "finished",
            )
            for run in api.sweep(path).runs
        ]
    except (wandb.Error, ValueError, OSError) as error:
        raise ConfigError(
            f"Expected a folder, or a sweep on W&B as ENTITY/PROJECT/SWEEP_ID, got {path}, which "
            f"is no folder, and of which W&B says: {error}"
        ) from error


def _values(items: Iterable[Any]) -> dict[str, Any]:
    """Of the items of a config or of a row; nested ones by their names with slashes."""
    found = {}
    for item in items:
        nested: Sequence[str] = item.nested_key
        try:
            found["/".join(nested) or item.key] = json.loads(item.value_json)
        except ValueError:
            continue  # a value of a kind that W&B keeps elsewhere
    return found


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a log in blocks, as LevelDB writes them; a long one is in several pieces."""
    position, pieces = _HEADER_LENGTH, b""
    while position + _PIECE_HEADER.size <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < _PIECE_HEADER.size:  # too short for a header: filled up with zeros
            position += left
            continue
        _, length, kind = _PIECE_HEADER.unpack_from(data, position)
        begin = position + _PIECE_HEADER.size
        position = begin + length
        if kind in (_FULL, _FIRST):
            pieces = b""
        pieces += data[begin:position]
        if kind in (_FULL, _LAST) and position <= len(data):
            yield pieces

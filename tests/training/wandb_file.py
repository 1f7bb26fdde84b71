"""What a W&B run file holds, `run-*.wandb`, which its library (0.31) writes and does not read."""

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

_HEADER = b":W&B"  # and three bytes more: a number and a version
_BLOCK = 32 * 1024
_FULL, _FIRST, _LAST = 1, 2, 4


@dataclass
class RunFile:
    """A run as W&B would upload it.

    Args:
        name: of the run.
        group: of runs.
        config: of the run.
        history: what was logged together, in order.
        summary: what the table of runs shows.
        artifacts: by name, with type, aliases, metadata and the sizes of the files, by their names.
        files: that are uploaded beside the record.
        is_over: the run has ended, and nothing follows.
    """

    name: str = ""
    group: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    is_over: bool = False

    @property
    def names(self) -> set[str]:
        """What was logged, whenever."""
        return {name for row in self.history for name in row}


def read_finished(path: Path, seconds: float = 60.0) -> RunFile:
    """Read a run file when it is complete: another process writes it, and may be a little behind.

    Args:
        path: of the file.
        seconds: to wait at most.
    """
    until = time.monotonic() + seconds
    while not (run := read_run(path)).is_over:
        assert time.monotonic() < until, f"{path} is not finished"
        time.sleep(0.2)
    return run


def read_run(path: Path) -> RunFile:
    """Read a run file as far as it goes.

    Args:
        path: of the file.
    """
    run = RunFile()
    for data in _records(path.read_bytes()):
        record = Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.name, run.group = record.run.display_name, record.run.run_group
            run.config |= _values(record.run.config.update)
        elif kind == "config":
            run.config |= _values(record.config.update)
        elif kind == "history":
            run.history.append(_values(record.history.item))
        elif kind == "summary":
            _nest(run.summary, record.summary.update)
        elif kind == "artifact":
            artifact = record.artifact
            run.artifacts[artifact.name] = {
                "type": artifact.type,
                "aliases": sorted(artifact.aliases),
                "metadata": json.loads(artifact.metadata or "{}"),
                "files": {entry.path: entry.size for entry in artifact.manifest.contents},
            }
        elif kind == "exit":
            run.is_over = True
        elif kind == "files":
            run.files += [file.path for file in record.files.files]
    return run


def _values(items: Any) -> dict[str, Any]:  # noqa: ANN401 - of several kinds, all alike
    return {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}


def _nest(summary: dict[str, Any], items: Any) -> None:  # noqa: ANN401 - as above
    for item in items:
        *path, last = item.nested_key or [item.key]
        place = summary
        for part in path:
            place = place.setdefault(part, {})
        place[last] = json.loads(item.value_json)


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a log in blocks, as LevelDB writes them; a long one is in several pieces."""
    assert data.startswith(_HEADER)
    position, pieces = 7, b""
    while position + 7 <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < 7:  # too short for a header: filled up with zeros
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        piece = data[position + 7 : position + 7 + length]
        position += 7 + length
        if position > len(data):
            return  # it is being written
        if kind in (_FULL, _FIRST):
            pieces = b""
        pieces += piece
        if kind in (_FULL, _LAST):
            yield pieces

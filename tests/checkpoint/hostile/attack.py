"""What an attack is, through which doors it goes, and what it is after."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Content = dict[str, Any]
Write = Callable[[Content, Path], None]
Place = Callable[[Content, Any], None]

LOAD, SEGMENT, CONFIG, MODULE = "load", "segment", "config", "module"
TEST, FIT, FEATURES = "test", "fit", "features"


@dataclass(frozen=True)
class Attack:
    """A hostile checkpoint.

    Args:
        name: what it is.
        write: makes the file from the content of an honest one.
        entries: the doors that it is brought to.
        may_open: it is harmless where what it says is not listened to.
    """

    name: str
    write: Write
    entries: tuple[str, ...]
    may_open: bool = False


@dataclass(frozen=True)
class Ground:
    """What attackers would like to reach.

    Args:
        outside: a folder with `secret.txt`, `secret.ckpt` and the module `planted.py`.
        port: of this machine, on which nobody listens.
    """

    outside: Path
    port: int

    @property
    def secret(self) -> str:
        return str(self.outside / "secret.ckpt")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/shards"


def placed(place: Place, value: object) -> Write:
    def write(content: Content, path: Path) -> None:
        place(content, copy.deepcopy(value) if not isinstance(value, torch.Tensor) else value)
        torch.save(content, path)

    return write

"""Opens hostile checkpoints by all doors while an audit hook looks on: a program of its own.

Usage: besieged.py CHECKPOINT FOLDER OUTSIDE COUNT DOORS. Prints what happened as JSON. `siege.py`
runs it in a process of its own, because an audit hook cannot be taken out again.
"""

import contextlib
import copy
import io
import json
import os
import resource
import shutil
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
import hostile

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn",
          "pty.spawn", "socket.connect", "socket.bind", "socket.getaddrinfo", "webbrowser.open",
          "urllib.Request")  # fmt: skip
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.symlink", "os.link",
           "os.chmod", "os.chown", "shutil.rmtree", "shutil.move", "shutil.copyfile")  # fmt: skip
FOREIGN = ("this", "antigravity", "planted", "webbrowser", "torch.distributed.elastic", "torch.hub")


# `summary.json` names the commit of a checkout.
OWN_QUESTION = ["git", "-C", str(Path(__file__).parents[2]), "rev-parse", "HEAD"]


class Witness:
    """Remembers what a process does beyond its own files."""

    def __init__(self, inside: Path) -> None:
        own = (inside, os.environ["REFSEG_CACHE"])
        self.inside = tuple(f"{Path(path).resolve()}{os.sep}" for path in own)
        system = (
            sys.prefix,
            sys.base_prefix,
            sysconfig.get_path("stdlib"),
            str(Path(__file__).parents[2]),
        )
        self.readable = tuple(f"{Path(path).resolve()}{os.sep}" for path in system)
        self.readable += ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/")
        self.seen: list[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The hook: of Python's own events."""
        seen, self.seen = self.seen, None  # what it does itself is not seen
        if seen is None:
            return
        try:
            if event in STARTS:
                if len(arguments) > 1 and arguments[1] == OWN_QUESTION:
                    return
                seen.append(f"{event} {arguments[:2]!r}"[:200])
            elif event == "import" and self.is_foreign(str(arguments[0])):
                seen.append(f"import {arguments[0]}")
            elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
                path = os.path.realpath(os.fsdecode(arguments[0]))
                writes = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
                allowed = ("/dev/",) if writes else self.readable
                if not path.startswith((*self.inside, *allowed)):
                    seen.append(f"open {path}")
            elif event in CHANGES and isinstance(arguments[0], str | bytes | os.PathLike):
                path = os.path.realpath(os.fsdecode(arguments[0]))
                if not path.startswith(self.inside):
                    seen.append(f"{event} {path}")
        finally:
            self.seen = seen

    @staticmethod
    def is_foreign(module: str) -> bool:
        return any(module == name or module.startswith(f"{name}.") for name in FOREIGN)

    def watch(self, action: Callable[[], str]) -> tuple[str, list[str]]:
        """What an action ends in, and what was seen meanwhile."""
        self.seen = []
        try:
            ending = action()
        finally:
            seen, self.seen = self.seen, None
        return ending, seen


def controls(outside: Path) -> dict[str, Callable[[], object]]:
    """What the witness has to see, or it would see nothing of an attack either."""
    import socket

    def connect() -> None:
        with contextlib.suppress(OSError), socket.socket() as client:
            client.settimeout(1)
            client.connect(("127.0.0.1", 9))

    return {
        "process": lambda: os.system("true"),
        "import": lambda: __import__("planted"),
        "file": lambda: (outside / "secret.txt").read_text(),
        "writing": lambda: (outside / "written").write_text(""),
        "network": connect,
    }


def doors(folder: Path, photo: Path) -> dict[str, Callable[[Path], str]]:
    """The ways in which a checkpoint is opened, each of which says how it ended."""
    import refseg
    from refseg.__main__ import main
    from refseg.cli.trainer.command_line import with_config_of_checkpoint
    from refseg.errors import RefsegError
    from refseg.training.module import ReferringSegmentation

    def load(path: Path) -> str:
        try:
            refseg.load(path)
        except RefsegError as error:
            return f"refused: {error}"
        return "opened"

    def module(path: Path) -> str:
        try:
            ReferringSegmentation.load_from_checkpoint(path)
        except RefsegError as error:
            return f"refused: {error}"
        return "opened"

    def config(path: Path) -> str:
        try:
            with_config_of_checkpoint(["--ckpt_path", str(path)])
        except RefsegError as error:
            return f"refused: {error}"
        return "opened"

    def verb(*words: str) -> Callable[[Path], str]:
        def run(path: Path) -> str:
            output = folder / "out"
            shutil.rmtree(output, ignore_errors=True)
            told, said = io.StringIO(), io.StringIO()
            with contextlib.redirect_stderr(told), contextlib.redirect_stdout(said):
                code = main(
                    [str(path) if w == "CKPT" else str(output) if w == "OUT" else w for w in words]
                )
            return "opened" if code == 0 else f"refused: {told.getvalue()}"

        return run

    quiet = ("--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu")
    tiny = ("--config", str(folder / "config.yaml"), "--trainer.max_epochs=1", *quiet)
    return {
        hostile.LOAD: load,
        hostile.MODULE: module,
        hostile.CONFIG: config,
        hostile.SEGMENT: verb(
            "segment", str(photo), "red star", "--checkpoint", "CKPT", "--output", "OUT"
        ),
        hostile.TEST: verb("test", "--ckpt_path", "CKPT", "--output", "OUT", *quiet),
        hostile.FIT: verb("fit", *tiny, "--ckpt_path", "CKPT", "--output", "OUT"),
        hostile.FEATURES: verb("data", "features", "--ckpt_path", "CKPT", "--output", "OUT"),
    }


def _peak() -> int:
    """The most memory that this process has held so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(checkpoint: str, folder: str, outside: str, count: str, doors_to_try: str) -> None:
    """Try the attacks, and print what happened."""
    inside, ground = Path(folder), hostile.Ground(Path(outside), port=9)
    witness = Witness(inside)
    sys.addaudithook(witness)
    sys.path.append(outside)  # as a module would be that is installed
    warnings.simplefilter("ignore")
    honest = torch.load(checkpoint, weights_only=True)
    entries = doors(inside, inside / "photo.png")
    attacks = [*hostile.grammar(ground)]
    step = max(1, len(attacks) // int(count))
    report: dict[str, Any] = {"attacks": [], "all": len(attacks)}
    path = inside / "hostile.ckpt"
    doors_of = {name: name for name in entries}
    if int(count) < len(attacks):  # without the trainer, which takes seconds to open
        of_config = dict.fromkeys((hostile.TEST, hostile.FEATURES), hostile.CONFIG)
        doors_of |= {**of_config, hostile.FIT: hostile.LOAD, hostile.SEGMENT: hostile.LOAD}
    tried = doors_to_try.split()
    for name in dict.fromkeys(doors_of.values()):  # what is imported lazily is imported now
        torch.save(honest, path)
        ending = entries[name](path)
        if name != hostile.FEATURES:  # a backbone that is not frozen has none
            assert ending == "opened", (name, ending)
    for write in hostile.honest_architectures():
        write(copy.deepcopy(honest), path)
        entries[hostile.LOAD](path)
    for attack in attacks[::step]:
        if not {*attack.entries} & {*tried}:
            continue
        attack.write(copy.deepcopy(honest), path)
        for name in [entry for entry in attack.entries if entry in tried]:
            start, before = time.perf_counter(), _peak()
            is_state = name == hostile.FIT != doors_of[name]  # nobody looks at it there
            may_open = attack.may_open or is_state
            entry = entries[doors_of[name]]
            try:
                ending, seen = witness.watch(lambda entry=entry: entry(path))  # type: ignore[misc]
            except BaseException as error:
                ending, seen = f"{type(error).__name__}: {error}"[:300], ["a traceback"]
            report["attacks"].append(
                {"name": attack.name, "door": name, "ending": ending[:800], "seen": seen,
                 "seconds": round(time.perf_counter() - start, 2), "may_open": may_open,
                 "megabytes": _peak() - before}
            )  # fmt: skip
    report["megabytes"] = _peak()
    report["touched"] = (ground.outside / "touched").exists()
    report["controls"] = {
        name: bool(witness.watch(lambda action=action: str(action()))[1])  # type: ignore[misc]
        for name, action in controls(ground.outside).items()
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])

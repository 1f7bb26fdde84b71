"""One run, one folder: a lock while it runs, and no earlier run is overwritten unasked."""

import errno
import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from refseg.errors import ConfigError
from refseg.files import remove_leftovers, write_text
from refseg.training.going_on import RESUME_FILE, newest_checkpoint, resume_command

LOCK_FILE = ".run.lock"
OWNER_FILE = ".run.json"
LEFT_BY_TRAINING = (
    *(
        "config.yaml",
        "metrics.json",
        "RESUME.txt",
        "curve.jsonl",
        "examples.png",
        "checkpoints",
        "logs",
    ),
    *("test", "validate", "predict", "evaluate"),
)
"""What a training leaves in its folder, and what is written there about its checkpoints."""

_WRITTEN = (
    *(name for name in LEFT_BY_TRAINING if "." in name),
    *("results.parquet", "results_crf.parquet", "summary.json", "words.png", OWNER_FILE),
)

# Workers of a data loader look every five seconds whether the process that made them is there.
_PATIENCE = 15.0
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")

_log = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path, verb: str, is_new: bool = False) -> Iterator[None]:
    """Hold a folder against other processes; the lock ends with this process, however it ends.

    The first process of a distributed run holds it for all of them. What a process that was killed
    has left half-written in the folder is removed. A folder that is made for the
    lock and stays empty is removed again, with those above it.

    Args:
        folder: of the run.
        verb: what works in it, for the message that another process shows.
        is_new: the folder was made for this run.

    Raises:
        ConfigError: another process works in the folder, or it cannot be written to.
    """
    if not is_first_process():
        yield
        return
    with _made(folder, is_new), _acquired(folder):
        owner = {"verb": verb, "pid": os.getpid(), "host": socket.gethostname()}
        record = {**owner, "since": datetime.now().isoformat(" ", "seconds")}
        try:
            with suppress(OSError):  # for a message only
                write_text(folder / OWNER_FILE, json.dumps(record))
            for path in (*map(folder.joinpath, _WRITTEN), *folder.glob("predictions*.jsonl")):
                remove_leftovers(path)
            for path in folder.glob(".results*-*.arrow"):  # the rows of a process that was killed
                path.unlink(missing_ok=True)
            yield
        finally:
            for name in (OWNER_FILE, LOCK_FILE):  # removed while it is held, so that it is ours
                with suppress(OSError):
                    (folder / name).unlink()


def is_first_process() -> bool:
    """Whether this is the first process of a distributed run, or the only one."""
    return all(os.environ.get(name, "0") in {"", "0"} for name in _RANKS)


@contextmanager
def _made(folder: Path, is_new: bool) -> Iterator[None]:
    """Make the folder and those above it; remove at the end which of them are empty."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    new = new or ([folder, folder.parent] if is_new else [])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # the first one that is not empty
            for path in new:
                path.rmdir()


@contextmanager
def _acquired(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / LOCK_FILE)
    began = time.monotonic()
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            # Of a holder that has died, workers hold the lock until they find out. One without a
            # name has just begun, or only looks whether the folder is locked.
            patience = _PATIENCE if _has_died(folder) else 0.0 if _owner(folder) else 1.0
            if time.monotonic() - began > patience:
                raise ConfigError(_held_by(folder)) from None
            time.sleep(0.1)
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
                raise unwritable(folder, error) from error
            _log.warning("The file system of %s knows no locks: start one run in it only.", folder)
            yield
            return
    try:
        yield
    finally:
        lock.release()


def unwritable(folder: Path, error: Exception) -> ConfigError:
    """What to say of a folder of a run that cannot be made, or be written to."""
    reason = getattr(error, "strerror", None) or error
    return ConfigError(
        f"Cannot write to {folder}, the folder of the run ({reason}); choose another with --output."
    )


def _owner(folder: Path) -> dict[str, object]:
    try:
        found = json.loads((folder / OWNER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _has_died(folder: Path) -> bool:
    """Whether the process that took the lock has ended, so that only what it started holds it."""
    owner = _owner(folder)
    pid = owner.get("pid")
    is_here = owner.get("host") == socket.gethostname()
    return is_here and isinstance(pid, int) and not psutil.pid_exists(pid)


def _held_by(folder: Path) -> str:
    owner = _owner(folder)
    who = "another process"
    if owner:
        who = "`refseg {verb}`, process {pid} on {host} since {since}".format_map(
            {name: owner.get(name, "?") for name in ("verb", "pid", "host", "since")}
        )
    return f"Expected a folder without a run at work, got {folder}, in which works {who}; " + (
        "end what that process, which has died, has left running there."
        if _has_died(folder)
        else "wait for it, end it, or choose another --output."
    )


def check_vacant(
    folder: Path,
    verb: str,
    checkpoint: str | None,
    overwrite: bool = False,
    needed: Iterable[str | Path] = (),
) -> None:
    """Make sure that a run does not destroy what an earlier one left in its folder.

    Args:
        folder: of the run.
        verb: of the trainer.
        checkpoint: the run goes on with this one (a path, or a word such as `last`).
        overwrite: the user wants to start over.
        needed: values of the config, some of which name files that the run reads.

    Raises:
        ConfigError: it would; the message has the command that goes on.
    """
    is_finished = (folder / "metrics.json").is_file()
    # A name with a dot is that of a file that was never written to its end.
    is_training = (folder / "config.yaml").is_file() and any(folder.rglob("[!.]*.ckpt"))
    if verb in {"validate", "test"} and is_training:
        raise ConfigError(
            f"Expected a folder for the figures of `refseg {verb}`, got {folder}, which is that of "
            "a training with figures of its own; leave --output out, or choose another."
        )
    if verb != "fit" or not (is_finished or is_training):
        return
    # SLURM starts the same command again, and Lightning goes on with what it has saved for that.
    is_queued_again = SLURMEnvironment.detect() and any(folder.glob("hpc_ckpt_*.ckpt"))
    if overwrite:
        _check_removal(folder, checkpoint, needed)
    elif checkpoint is not None:
        _check_own(folder, checkpoint)
    elif is_finished or not is_queued_again:
        raise ConfigError(_occupied(folder, is_finished, is_training))


def _occupied(folder: Path, is_finished: bool, is_training: bool) -> str:
    what, remedy = "a run that was stopped", f"go on with it:\n  {_again(folder)}"
    if is_finished:
        what = "a finished run" if is_training else "the figures of an evaluation (metrics.json)"
        last = folder / "checkpoints" / "last.ckpt"
        more = resume_command(folder, last, ["--trainer.max_epochs", "MORE"])
        remedy = f"train on:\n  {more}" if is_training else "move it away."
    return (
        f"Expected a folder without a run, got {folder}, which holds {what}: it would be "
        f"overwritten. Choose another --output, start over with --overwrite, or {remedy}"
    )


def _again(folder: Path) -> str:
    """The command that goes on with a run, of several stages too."""
    with suppress(OSError, ValueError, IndexError):
        return (folder / RESUME_FILE).read_text(encoding="utf-8").splitlines()[-1]
    found = newest_checkpoint(folder)
    return resume_command(folder, Path("last") if found is None else found)


def _check_own(folder: Path, checkpoint: str) -> None:
    """A run that goes on in a folder goes on with what lies there, not with another run's state."""
    path = Path(checkpoint)
    if path.is_file() and not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(
            f"Expected --ckpt_path of the run in {folder}, got {checkpoint}, which is not in that "
            "folder, and would overwrite what is; choose another --output."
        )


def _check_removal(folder: Path, checkpoint: str | None, needed: Iterable[str | Path]) -> None:
    if checkpoint is not None:
        raise ConfigError("--overwrite starts over and --ckpt_path goes on; leave one of them out.")
    removed = [(folder / name).resolve() for name in LEFT_BY_TRAINING]
    for word in needed:
        with suppress(OSError, ValueError):  # a word that can be no path
            path = Path(word).resolve()
            if any(path.is_relative_to(other) for other in removed) and path.exists():
                raise ConfigError(
                    f"--overwrite would remove {word}, which this run reads; choose another "
                    "--output."
                )


def leftovers(folder: Path, overwrite: bool = False) -> list[Path]:
    """The files that must go before a training takes its first step.

    `metrics.json` is that of a finished run, and a run that trains on is not finished.

    Args:
        folder: of the run, before the run has written anything.
        overwrite: all that an earlier training has left; other files stay.
    """
    names = LEFT_BY_TRAINING if overwrite else ("metrics.json",)
    found = [path for name in names for path in (folder / name, *(folder / name).rglob("*"))]
    return [path for path in found if path.is_file() or path.is_symlink()]


def discard(folder: Path) -> None:
    """Remove what loggers have begun in a new folder whose training was refused, or never began.

    W&B's files stay, as its server knows of the run.

    Args:
        folder: of the run, which is locked.
    """
    for path in folder.iterdir():
        if path.is_dir() and path.name != "wandb":
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in {LOCK_FILE, OWNER_FILE, "wandb"}:
            path.unlink(missing_ok=True)


def remove(paths: Iterable[Path], folder: Path) -> None:
    """Remove files of a run, and the folders that are empty then.

    Args:
        paths: of the files.
        folder: of the run, which stays.
    """
    if gone := sorted({path.relative_to(folder).parts[0] for path in paths} - {"metrics.json"}):
        print(f"Starting over in {folder}; removed: {', '.join(gone)}", flush=True)
    for path in paths:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the first one that is not empty
            for above in path.parents[: len(path.relative_to(folder).parts) - 1]:
                above.rmdir()

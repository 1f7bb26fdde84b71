"""From which checkpoint a run goes on, and by which command."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from refseg.checkpoint.packages import OPTION, named_packages
from refseg.checkpoint.reading import check_file
from refseg.errors import ConfigError
from refseg.files import write_text

RESUME_FILE = "RESUME.txt"
"""In the folder of a run that is not finished: how to go on."""

# `last` is what `LastCheckpoint` writes, `interrupted` what earlier versions wrote when they were
# stopped, `hpc_ckpt` what Lightning writes for SLURM. `best` may be all there is.
_STATES = ("checkpoints/last*.ckpt", "checkpoints/interrupted.ckpt", "hpc_ckpt_*.ckpt")
_BEST = "checkpoints/best.ckpt"


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of a run with the most steps; None where there is none.

    Of several with as many steps, it is the one that was written last; the best one is taken where
    it alone has them.

    Args:
        folder: of the run. A file in it that is no checkpoint is passed over, with a line.
    """
    paths = [path for pattern in (*_STATES, _BEST) for path in folder.glob(pattern)]
    steps = {path: step for path in paths if (step := _steps(path)) is not None}

    def newness(path: Path) -> tuple[int, bool, int]:
        return steps[path], path.name != Path(_BEST).name, path.stat().st_mtime_ns

    return max(steps, key=newness, default=None)


def _steps(path: Path) -> int | None:
    try:
        check_file(path)
        # Mapped, not read: the weights stay on the disk.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return int(content["global_step"])
    except Exception as error:  # whatever the bytes of some other file make the reader stumble over
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        print(f"Passing over {path}, which cannot be read as a checkpoint: {reason}", flush=True)
        return None


def last_checkpoint(output: str | None) -> Path:
    """What `--ckpt_path last` means.

    Args:
        output: the folder of the run, as the user named it.

    Raises:
        ConfigError: there is nothing to go on from.
    """
    if output is None:
        raise ConfigError(
            "--ckpt_path last goes on with the run in the folder --output, and none is named; name "
            "it, or a checkpoint."
        )
    folder = Path(output).absolute()
    found = newest_checkpoint(folder)
    if found is None:
        raise ConfigError(
            f"Expected a run to go on with in {folder}, found no checkpoint in its folder "
            "`checkpoints`; leave out --ckpt_path to start one there, or name another --output."
        )
    return found


def is_queued_again(output: str | None) -> bool:
    """Whether SLURM runs a command for the second time, after Lightning had it queued again.

    Args:
        output: the folder of the run, as the user named it.
    """
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    was_stopped = output is not None and any(Path(output).glob("hpc_ckpt_*.ckpt"))
    return was_stopped and SLURMEnvironment.detect()


def resume_command(folder: Path, checkpoint: Path, options: Sequence[str] = ()) -> str:
    """The command line that goes on with a run, from whichever folder it is entered.

    What its config names by relative paths is meant relative to the folder that the run was
    started in, so the command goes there.

    Args:
        folder: of the run.
        checkpoint: to go on from.
        options: further words.
    """
    words = ["--config", str(folder / "config.yaml"), "--output", str(folder)]
    words += [f"{OPTION}={name}" for name in named_packages()]
    return entered_anywhere(["fit", *words, "--ckpt_path", str(checkpoint), *options])


def entered_anywhere(words: Sequence[str]) -> str:
    """A command of refseg as a line for the shell, that works in any folder.

    Args:
        words: after `refseg`.
    """
    program = ["refseg"] if shutil.which("refseg") else [sys.executable, "-m", "refseg"]
    return f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join([*program, *words])}"


class ResumeFile:
    """`RESUME.txt` of a run: which state was saved last, and the command that goes on from it.

    Args:
        folder: of the run.
        command: that goes on; None: the one of this run alone.
    """

    def __init__(self, folder: Path, command: str | None = None) -> None:
        self.path = folder / RESUME_FILE
        self._folder, self._command = folder, command

    def command(self, checkpoint: Path, options: Sequence[str] = ()) -> str:
        """The command that goes on from a checkpoint of this run, with further options."""
        if self._command is None:
            return resume_command(self._folder, checkpoint, options)
        return f"{self._command} {shlex.join(options)}".strip()

    def write(
        self, checkpoint: Path, step: int, remark: str = "", options: Sequence[str] = ()
    ) -> None:
        """Note that a state was saved, all or nothing.

        Args:
            checkpoint: with the state.
            step: whose state it is.
            remark: a sentence on what happened then.
            options: to go on with.
        """
        write_text(
            self.path,
            f"# The state after step {step} is in {checkpoint}. {remark}This goes on from it:\n"
            f"{self.command(checkpoint, options)}\n",
        )

    def remove(self) -> None:
        """The run is finished."""
        self.path.unlink(missing_ok=True)

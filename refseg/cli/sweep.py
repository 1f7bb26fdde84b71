"""`refseg sweep`: run a W&B sweep file on this machine, and compare."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from filelock import FileLock, Timeout
from rich.console import Console
from rich.text import Text

from refseg.cli.config_files import find_config
from refseg.errors import ConfigError
from refseg.sweeps import Run, Sweep, plan, read_sweep, summarise
from refseg.sweeps.execution import Failure, Interrupted, execute
from refseg.sweeps.figure import save_figure
from refseg.sweeps.results import save, table

DESCRIPTION = """\
Run every combination of a sweep file, each as a run of its own, and compare them: mean and standard
deviation over the seeds of each metric, parameters and training time, as a table, as files and as a
plot.

Press Ctrl-C at any time; the same command goes on where it stopped. A run is finished when its
folder has a metrics.json that was made by the same command; what did not finish starts anew, and
what the sweep file has changed since runs again. A run that is still at work, because its sweep was
killed, is waited for. To repeat a run, delete its folder."""

EPILOG = """\
examples:
  refseg sweep sweeps/fusion.yaml
  refseg sweep sweeps/fusion.yaml --output runs/quick -- --trainer.max_steps=50
  refseg sweep my_sweep.yaml --jobs 2

The same file is a W&B sweep, for as many machines as you like:
  wandb sweep configs/sweeps/fusion.yaml
  wandb agent SWEEP_ID"""


class _OverridesParser(argparse.ArgumentParser):
    """Keeps what follows `--` apart; argparse alone mixes it with options that come before."""

    def parse_known_args(  # type: ignore[override] # the overloads of typeshed add nothing here
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words = list(args or [])
        end = words.index("--") if "--" in words else len(words)
        parsed, unknown = super().parse_known_args(words[:end], namespace)
        parsed.overrides = words[end + 1 :]
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Add the remedy to the mistake that is made most."""
        hint = " (options for the runs go behind `--`)" if "unrecognized" in message else ""
        super().error(message + hint)


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    result = _OverridesParser(
        prog="refseg sweep",
        usage="refseg sweep [-h] [--output DIR] [--jobs N] SWEEP [-- OVERRIDE ...]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "sweep",
        metavar="SWEEP",
        help="the sweep file; a relative path is looked for in the working directory, then among "
        "the configs of the package",
    )
    result.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        help="folder of the sweep, with a folder per run (default: runs/sweeps/NAME OF THE FILE)",
    )
    result.add_argument(
        "--jobs", metavar="N", type=_positive, default=1, help="runs at a time (default: 1)"
    )
    return result


def run(arguments: argparse.Namespace) -> int:
    """Run the sweep and return the exit code: 0 done, 1 some runs failed, 130 interrupted.

    Args:
        arguments: as `parser` makes them.

    Raises:
        ConfigError: the sweep file or the folder cannot be used.
    """
    console = Console()
    sweep = read_sweep(find_config(arguments.sweep))
    output = arguments.output or Path("runs") / "sweeps" / sweep.path.stem
    runs = plan(sweep, output, arguments.overrides)
    output.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(output / ".lock", timeout=0):
            return _run_and_compare(sweep, runs, output, arguments.jobs, console)
    except Timeout as error:
        raise ConfigError(
            f"Another sweep is at work in {output}; wait for it, or choose another --output."
        ) from error
    except Interrupted:
        finished = sum(one.result() is not None for one in runs)
        again = shlex.join(_same_command(arguments))
        console.print(
            Text(f"Stopped with {finished} of {len(runs)} runs finished. To go on:\n  {again}"),
            soft_wrap=True,
        )
        return 130


def _run_and_compare(
    sweep: Sweep, runs: Sequence[Run], output: Path, jobs: int, console: Console
) -> int:
    waiting = [one for one in runs if one.result() is None]
    done = len(runs) - len(waiting)
    already = f", {done} finished already" if done else ""
    console.print(Text(f"{sweep.name}: {len(runs)} runs in {output}{already}"), soft_wrap=True)
    if sweep.early_terminate and waiting:
        console.print("early_terminate is W&B's business; here every run goes to its end.")
    failures = execute(waiting, done, jobs, console)
    groups = summarise(runs)
    paths = save(sweep, runs, groups, output)
    if any(group.results for group in groups):
        paths.append(save_figure(sweep, groups, output / "results.png"))
        console.print(table(sweep, groups, console.width))
    for path in paths:
        console.print(Text(str(path)), soft_wrap=True)
    for failure in failures:
        _show_failure(failure, console)
    return 1 if failures else 0


def _show_failure(failure: Failure, console: Console) -> None:
    lines = "\n".join(f"  {line}" for line in failure.lines) or "  (it printed nothing)"
    console.print(
        Text(
            f"{failure.run.name} failed: {failure.reason}. The end of {failure.run.log}:\n{lines}"
        ),
        soft_wrap=True,
    )


def _same_command(arguments: argparse.Namespace) -> list[str]:
    words = ["refseg", "sweep", arguments.sweep]
    if arguments.output is not None:
        words += ["--output", str(arguments.output)]
    if arguments.jobs != 1:
        words += ["--jobs", str(arguments.jobs)]
    return [*words, "--", *arguments.overrides] if arguments.overrides else words


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {value}")
    return value

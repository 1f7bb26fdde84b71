"""`refseg sweep`: run a W&B sweep file on this machine, and compare."""

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from filelock import FileLock, Timeout
from rich.console import Console
from rich.text import Text

from refseg.checkpoint.packages import OPTION
from refseg.cli.closing_report import closing_report
from refseg.cli.configs.files import find_config
from refseg.cli.configs.origin import origin
from refseg.cli.parsing.argument_types import Count, Folder, Natural, Option, Packages
from refseg.errors import ConfigError
from refseg.sweeps import Run, Sweep, plan, read_sweep
from refseg.sweeps.collection import collect as collect_runs
from refseg.sweeps.execution import Failure, Interrupted, execute, is_over
from refseg.sweeps.record import write_record
from refseg.sweeps.stopping import Referee
from refseg.sweeps.summary import show

Sources = Annotated[Sequence[str], Option(metavar="SOURCE")]
Overrides = Annotated[Sequence[str], Option(behind="--", metavar="OVERRIDE")]


def sweep(
    file: Annotated[str, Option(metavar="SWEEP")],
    /,
    *,
    output: Folder | None = None,
    jobs: Count = 1,
    seed: Natural = 0,
    collect: Sources = (),
    no_report: bool = False,
    packages: Packages = (),
    overrides: Overrides = (),
) -> int:
    """Run the combinations of a sweep file, each as a run of its own, and compare them.

    A grid has all of them. `method: random` draws `run_cap` of them, by --seed, from W&B's
    distributions, and so does `method: bayes` here: only W&B chooses each run after those before.
    `early_terminate: hyperband` stops a run that is not among the best 1/eta after min_iter
    validations, min_iter × eta, and so on; it counts as stopped, not as failed.

    Mean and standard deviation over the seeds of each metric, parameters and training time, as a
    table, as files and as a plot; of a search, also each metric against each parameter, and what
    the parameter explains of it: the square of the rank correlation, or, for values without an
    order, the correlation ratio of the ranks. A grid whose runs have left a row per
    expression ends with `report.html`, the page of `refseg report FOLDER`: all models with
    intervals and tests. `refseg compare FOLDER` has the same tables on the terminal.

    Press Ctrl-C at any time; the same command goes on where it stopped. A run is finished when its
    folder has a metrics.json that was made by the same command. What was stopped goes on from its
    last state, where the command, the contents of its config files and refseg's version are the
    same; what failed starts anew, and what the sweep file has changed since runs again. A run that
    is still at work, because its sweep was killed, is waited for. To repeat a run, delete its
    folder.

    The exit code is 1 if some runs failed, and 130 after an interruption. The same file is a W&B
    sweep, for as many machines as you like: `wandb sweep FILE`, then `wandb agent SWEEP_ID`.

    Args:
        file: the sweep file; a relative path is looked for in the working directory, then among
            the configs of the package
        output: folder of the sweep, with a folder per run; default: runs/sweeps/NAME OF THE FILE
        jobs: runs at a time
        seed: of the values that are drawn; the same one draws the same runs
        collect: run nothing; show the runs of this folder with those of others: folders, with runs
            of `refseg sweep` or with W&B's files (offline-run-*), or a sweep on W&B as
            ENTITY/PROJECT/SWEEP_ID
        no_report: leave out the page that compares all models at the end
        packages: import a package of your own in each run; may be repeated. One in the working
            directory, whose classes configs name, needs no such option
        overrides: behind `--`, those of `refseg fit`, for all runs

    Examples:
        refseg sweep sweeps/fusion.yaml
        refseg sweep sweeps/fusion.yaml --output runs/quick -- --trainer.max_steps=50
        refseg sweep sweeps/tuning.yaml --jobs 2 --seed 1
        refseg sweep sweeps/tuning.yaml --collect me/refseg/abc12345 runs
    """
    console = Console()
    read = read_sweep(find_config(file), seed)
    folder = output or Path("runs") / "sweeps" / read.path.stem
    imported = [f"{OPTION}={name}" for name in packages]
    runs = plan(read, folder, [*imported, *overrides], origin)
    folder.mkdir(parents=True, exist_ok=True)
    if collect:
        found = collect_runs(read, runs, collect, [*imported, *overrides])
        for note in found.notes:
            console.print(Text(note), soft_wrap=True)
        show(found.sweep, found.runs, folder, console, is_search=True)
        return 0
    try:
        with FileLock(folder / ".lock", timeout=0):
            code = _run_and_compare(read, runs, folder, jobs, console)
        line = None if no_report else closing_report(read, runs, folder, packages)
        if line is not None:
            console.print(Text(line), soft_wrap=True)
        return code
    except Timeout as error:
        raise ConfigError(
            f"Another sweep is at work in {folder}; wait for it, or choose another --output."
        ) from error
    except Interrupted:
        finished = sum(one.result() is not None for one in runs)
        again = shlex.join(_same_command(file, output, jobs, seed, imported, overrides))
        console.print(
            Text(f"Stopped with {finished} of {len(runs)} runs finished. To go on:\n  {again}"),
            soft_wrap=True,
        )
        return 130


def _run_and_compare(
    sweep: Sweep, runs: Sequence[Run], output: Path, jobs: int, console: Console
) -> int:
    waiting = [one for one in runs if not is_over(one)]
    done = len(runs) - len(waiting)
    already = f", {done} finished already" if done else ""
    console.print(Text(f"{sweep.name}: {len(runs)} runs in {output}{already}"), soft_wrap=True)
    if sweep.method == "bayes":
        console.print(
            "method: bayes is a random search here: only W&B chooses each run after those before.",
            soft_wrap=True,
        )
    record = partial(write_record, sweep, runs, output)
    record()
    failures = execute(
        waiting, done, jobs, console, when_ended=record, referee=Referee(sweep, runs)
    )
    show(sweep, runs, output, console, is_search=sweep.drawn is not None)
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


def _same_command(
    file: str,
    output: Path | None,
    jobs: int,
    seed: int,
    imported: Sequence[str],
    overrides: Sequence[str],
) -> list[str]:
    words = ["refseg", "sweep", file, *imported]
    if output is not None:
        words += ["--output", str(output)]
    if jobs != 1:
        words += ["--jobs", str(jobs)]
    if seed:
        words += ["--seed", str(seed)]
    return [*words, "--", *overrides] if overrides else words

"""Running the runs of a sweep, some at a time, in sight of the user."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from refseg.progress import Pace, duration
from refseg.sweeps.interruption import Interruption
from refseg.sweeps.processes import RunningRun, last_lines, stop
from refseg.sweeps.runs import Run
from refseg.sweeps.stopping import Referee
from refseg.sweeps.survivors import Survivor, is_running

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Failure:
    """A run that did not finish.

    Args:
        run: which one.
        reason: in words, with the exit code.
        lines: the last ones of its log.
    """

    run: Run
    reason: str
    lines: Sequence[str]


class Interrupted(Exception):  # noqa: N818 - an event, not an error
    """The user has stopped the sweep; its processes have ended."""


class _Display:
    """The progress bar and a line per running run: its name, time and last word."""

    def __init__(self, console: Console, done: int, total: int) -> None:
        self.progress = Progress(
            TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self.task = self.progress.add_task("runs", completed=done, total=total)
        self.running: Sequence[RunningRun | Survivor] = ()

    def __rich__(self) -> Group:
        """Drawn anew a few times per second."""
        lines = Table.grid(padding=(0, 1), expand=True)
        lines.add_column(no_wrap=True)
        lines.add_column(justify="right", no_wrap=True)
        lines.add_column(
            no_wrap=True, overflow="ellipsis", style="dim", ratio=1
        )  # what is left over
        for one in self.running:
            last = last_lines(one.run.log, 1)
            lines.add_row(
                Text(one.run.name), duration(one.seconds), Text(last[0].strip() if last else "…")
            )
        return Group(self.progress, lines)


def execute(
    waiting: Sequence[Run],
    done: int,
    jobs: int,
    console: Console,
    when_ended: Callable[[], None] = lambda: None,
    referee: Referee | None = None,
) -> Sequence[Failure]:
    """Run what is not finished, and go on when a run fails.

    Args:
        waiting: the runs to make, in order.
        done: how many of the sweep's runs are finished already, for the display.
        jobs: how many to run at a time.
        console: where to show progress; one that is no terminal gets a line per finished run, and
            each minute one per running run.
        when_ended: called each time that a run has ended, however it did.
        referee: says which runs to stop early; None: none.

    Raises:
        Interrupted: the user pressed Ctrl-C; all processes have been ended.
    """
    # What is at work already comes first, whatever its number.
    queue = deque(sorted(waiting, key=lambda run: not is_running(run)))
    running, failures = list[RunningRun | Survivor](), list[Failure]()
    total = done + len(waiting)
    display = _Display(console, done, total)
    live = Live(display, console=console, refresh_per_second=4, transient=True)
    pace = Pace()
    with Interruption() as interruption, live if console.is_terminal else nullcontext():
        try:
            while queue or running:
                while queue and (len(running) < jobs or is_running(queue[0])):
                    running.append(_start(queue.popleft(), console))
                display.running = tuple(running)
                interruption.sleep(POLL_SECONDS)
                if not console.is_terminal and pace.is_due():
                    _tell(running, f"[{done}/{total}]", console)
                if interruption.count:
                    console.print(Text("Stopping … (Ctrl-C again to kill)", style="yellow"))
                    raise Interrupted
                if referee is not None:
                    _stop_early(referee, running, interruption)
                for ended in [one for one in running if one.poll() is not None]:
                    running.remove(ended)
                    if isinstance(ended, Survivor) and not is_over(ended.run):
                        how = "goes on" if ended.run.can_go_on() else "starts anew"
                        console.print(Text(f"{ended.run.name} ended unfinished; it {how}"))
                        queue.appendleft(ended.run)
                        continue
                    done += 1
                    display.progress.update(display.task, completed=done)
                    failures += _report(ended, f"[{done}/{total}]", console)
                    when_ended()
        finally:  # also when a program cannot be started while others run
            stop(running, interruption)
    return failures


def is_over(run: Run) -> bool:
    """Whether a run needs no process any more: it is finished, or was stopped early."""
    return run.result() is not None or run.stopped() is not None


def _stop_early(
    referee: Referee, running: Sequence[RunningRun | Survivor], interruption: Interruption
) -> None:
    """Stop the runs that the referee names; one of another machine is out of reach."""
    at_work = {one.run.name: one for one in running if one.poll() is None and one.pid is not None}
    for name, verdict in referee.to_stop([one.run for one in at_work.values()]).items():
        at_work[name].run.note_stop(verdict)
        stop([at_work[name]], interruption)


def _start(run: Run, console: Console) -> RunningRun | Survivor:
    """Start a run, unless it is at work: two processes would overwrite each other's files."""
    if not is_running(run):
        if run.can_go_on():
            console.print(Text(f"{run.name} goes on where it was stopped"))
        return RunningRun(run)
    survivor = Survivor(run)
    who = f" (process {survivor.pid})" if survivor.pid else ""
    console.print(
        Text(f"{run.name} is at work already{who}, though its sweep has ended; waiting for it")
    )
    return survivor


def _tell(running: Sequence[RunningRun | Survivor], place: str, console: Console) -> None:
    """A line for each run that is at work: its time, and its last word."""
    for one in running:
        last = "".join(last_lines(one.run.log, 1)).strip()
        at_work = f"{place} {one.run.name}: at work for {duration(one.seconds)}"
        console.print(Text(f"{at_work}; {last}" if last else at_work), soft_wrap=True)


def _report(ended: RunningRun | Survivor, place: str, console: Console) -> list[Failure]:
    """Print how a run ended; the failure, if it is one."""
    run, code = ended.run, ended.poll()
    time_taken = duration(ended.seconds)
    if code == 0 and run.result() is not None:
        console.print(Text(f"{place} {run.name}: done in {time_taken}"))
        return []
    verdict = run.stopped()
    if verdict is not None:
        console.print(
            Text(
                f"{place} {run.name}: stopped after {time_taken} ({verdict.value:.4g} after "
                f"{verdict.bracket} validations; to go on it took {verdict.threshold:.4g})"
            )
        )
        return []
    reason = f"exit code {code}" if code else "it left no complete metrics.json"
    run.note_failure(reason)
    console.print(Text(f"{place} {run.name}: failed after {time_taken} ({reason})", style="red"))
    return [Failure(run, reason, last_lines(run.log, 15))]

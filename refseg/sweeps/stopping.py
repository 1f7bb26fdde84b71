"""Stopping the runs of a sweep that are not worth going on with."""

import time
from collections.abc import Sequence

from refseg.sweeps.curves import read_curve
from refseg.sweeps.definition import Sweep
from refseg.sweeps.hyperband import Verdict
from refseg.sweeps.runs import Run

CHECK_SECONDS = 1.0


class Referee:
    """Looks from time to time how the runs of a sweep are doing.

    Args:
        sweep: what is run.
        runs: all of its runs, with which those at work are compared.
    """

    def __init__(self, sweep: Sweep, runs: Sequence[Run]) -> None:
        self._sweep = sweep
        self._runs = runs
        self._checked = 0.0

    def to_stop(self, running: Sequence[Run]) -> dict[str, Verdict]:
        """Which runs to stop, by their names; nothing until it is time to look again.

        Args:
            running: the runs at work.
        """
        stopping, metric = self._sweep.stopping, self._sweep.metric
        now = time.monotonic()
        if stopping is None or metric is None or now - self._checked < CHECK_SECONDS:
            return {}
        self._checked = now
        curves = {run.name: read_curve(run.folder, metric) for run in self._runs}
        return stopping.to_stop(curves, [run.name for run in running], self._sweep.maximize)

"""Sweeps on this machine: a W&B sweep file, its grid of runs, and the comparison at the end."""

from refseg.sweeps.definition import Sweep, read_sweep
from refseg.sweeps.results import Group, summarise
from refseg.sweeps.runs import Run, plan

__all__ = ["Group", "Run", "Sweep", "plan", "read_sweep", "summarise"]

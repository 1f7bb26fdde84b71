"""The page that a sweep ends with, which compares all of its models."""

from collections.abc import Sequence
from pathlib import Path

from refseg.errors import RefsegError
from refseg.sweeps import Run, Sweep
from refseg.sweeps.results import model_name

_PAGE = "report.html"


def closing_report(
    sweep: Sweep, runs: Sequence[Run], folder: Path, packages: Sequence[str] = ()
) -> str | None:
    """Write the page of a sweep whose runs have left a row per expression, as `refseg report` does.

    A page that is newer than all rows stays as it is.

    Args:
        sweep: what was run; of a search, whose models are too many to compare, there is no page.
        runs: all of its runs.
        folder: of the sweep.
        packages: of your own, whose classes the checkpoints may name.

    Returns:
        A line that names the page, or says why there is none; None where there are no two models to
        compare, or no rows.
    """
    finished = [run for run in runs if run.result() is not None]
    models = {model_name(sweep, run.combination) for run in finished}
    if sweep.drawn is not None or len(models) < 2:
        return None
    rows = [path for run in finished for path in run.folder.glob("*/results.parquet")]
    if not rows:
        return None
    page = folder / _PAGE
    if page.is_file() and page.stat().st_mtime > max(path.stat().st_mtime for path in rows):
        return f"{page}: the report of all {len(models)} models, from before"
    from refseg.analysis.report.page import report  # imports torch

    try:
        report([str(folder)], page, import_packages=packages)
    except RefsegError as error:
        return f"There is no report of all {len(models)} models: {error}"
    return f"{page}: the report of all {len(models)} models"

"""`refseg compare`: is one model better than another, where, and is it more than chance?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from refseg.cli.options import Comparison, Draws, Runs
from refseg.cli.parsing.argument_types import Natural


def compare(
    runs: Runs,
    /,
    *,
    by: Sequence[Literal["length", "size", "category", "distractors", "words", "rivals"]] = (),
    comparison: Comparison = Comparison(),  # noqa: B008 - it is frozen
    resamples: Draws = 10_000,
    examples: Natural = 5,
    json: Path | None = None,
    csv: Path | None = None,
) -> None:
    """Compare runs on the same expressions.

    Figures have 95 % intervals (bootstrap over images); the difference of the first model and each
    other has its interval and p-value (paired permutation test); then come where it comes from, and
    the expressions with the largest gain and loss.

    RUN is a folder in which `refseg test` has left results.parquet, or the folder of its training.
    One alone gets its intervals and breakdowns; of three and more, all others are compared with the
    first, and every two with each other; p-values are corrected for their number. NAME=RUN gives a
    model its name; runs of one name are seeds of one model. The folder of a sweep stands for its
    finished runs: each of its settings is a model, with its seeds.

    Lengths are grouped as in the RMI paper, sizes by share of the image; p-values of groups are
    corrected by Holm's method. "More than elsewhere" is the difference in a group minus that in all
    other groups: the hunch that a model helps there most of all.

    Args:
        runs: path of a run, or NAME=PATH; or the folder of a sweep
        by: break figures down by length of the expression, size of the object, category, number of
            distractors (other objects of the category; once called rivals), or kinds of words
        comparison: which expressions are compared, in which groups
        resamples: draws of images, and swaps of models
        examples: largest gains, and losses, to show; of more than three models, json has them
        json: also write all that was found
        csv: also write all figures, in rows

    Examples:
        refseg compare runs/rmi runs/lstm_cnn
        refseg compare runs/rmi runs/lstm_cnn --by size        does it help small objects?
        refseg compare runs/rmi --by length category
        refseg compare runs/rmi runs/lstm_cnn runs/lavt        the first and each other
        refseg compare runs/sweeps/fusion --by length words    all models of a sweep
        refseg compare runs/rmi-0 runs/rmi-1 --against runs/lstm-0 runs/lstm-1
        refseg compare crf=RUN/test/results_crf.parquet plain=RUN/test    what does DenseCRF change?
        refseg compare rmi=runs/a rmi=runs/b lstm=runs/c lstm=runs/d --json comparison.json
    """
    from rich.console import Console

    from refseg.analysis.export import write_csv, write_json
    from refseg.analysis.tables import tables_of

    found = comparison.compare(runs, by, resamples, examples)
    console = Console()
    for table in tables_of(found, console.width):
        console.print(table)
    if json is not None:
        write_json(json, found)
        print(json)
    if csv is not None:
        write_csv(csv, found)
        print(csv)

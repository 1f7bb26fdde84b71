"""`refseg report`: what a run, or several, came to, as a page to look at and to send around."""

from pathlib import Path

from refseg.cli.options import Comparison, Draws, Runs
from refseg.cli.parsing.argument_types import Folder, Natural, Packages


def report(
    runs: Runs,
    /,
    *,
    output: Path | None = None,
    cases: Natural = 8,
    strips: Natural = 4,
    comparison: Comparison = Comparison(),  # noqa: B008 - it is frozen
    resamples: Draws = 2_000,
    root: Folder | None = None,
    device: str = "cpu",
    packages: Packages = (),
) -> None:
    """Write one HTML page about runs, which needs no network.

    It has the verdict in one sentence, figures with 95 % intervals, the curve of precision over
    thresholds, breakdowns, a gallery of cases with the outlines of their masks, a filter by word
    and category, word-by-word strips, and what was run with what.

    RUN is a folder in which `refseg test` has left results.parquet, or the folder of its training.
    The first of several is compared with the others. NAME=RUN gives a model its name; runs of one
    name are seeds of one model. The folder of a sweep stands for its finished runs: each of its
    settings is a model, with its seeds.

    Masks are those that `refseg test --save_masks true` has left; without them the cases that are
    shown are predicted once more from the checkpoint. The truth comes from the data of the run's
    config.

    Args:
        runs: path of a run, or NAME=PATH; or the folder of a sweep
        output: the page; default: report.html beside the results; of a sweep, in its folder; of
            several runs, in this one
        cases: pictures of each kind in the gallery
        strips: sentences that are shown word by word
        comparison: which expressions are compared, in which groups
        resamples: draws of images, and swaps of models
        root: folder of the data, if they lie elsewhere now
        device: cpu, cuda, …
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated

    Examples:
        refseg report runs/rmi
        refseg report runs/rmi runs/lstm_cnn --output comparison.html
        refseg report rmi=runs/rmi-0 rmi=runs/rmi-1 lstm=runs/lstm-0 lstm=runs/lstm-1
        refseg report runs/sweeps/fusion --baseline concat
        refseg report runs/rmi --splits val --cases 12
    """
    from refseg.analysis.breakdowns import BREAKDOWNS
    from refseg.analysis.report.page import report as write_report

    found = comparison.compare(runs, BREAKDOWNS, resamples, examples=0)
    path = write_report(
        found,
        output,
        cases=cases,
        strips=strips,
        root=root,
        device=device,
        import_packages=packages,
    )
    for sentence in found.rankings or found.verdicts:
        print(sentence)
    print(path)

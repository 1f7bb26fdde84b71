"""`refseg report`: what a run, or several, came to, as a page to look at and to send around."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.checkpoint import import_packages
from refseg.cli.command_line import add_import_option
from refseg.cli.options import add_comparison_options, add_run_options, number_from
from refseg.errors import ConfigError

if TYPE_CHECKING:
    from refseg.analysis.runs import Contenders

DESCRIPTION = """\
Write one HTML page, which needs no network: the verdict in one sentence, figures with 95 %
intervals, the curve of precision over thresholds, breakdowns, a gallery of cases with the outlines
of their masks, a filter by word and category, word-by-word strips, and what was run with what.

RUN is a folder in which `refseg test` has left results.parquet, or the folder of its training. The
first of several is compared with the others. NAME=RUN gives a model its name; runs of one name are
seeds of one model."""

EPILOG = """\
examples:
  refseg report runs/rmi
  refseg report runs/rmi runs/lstm_cnn --out comparison.html
  refseg report rmi=runs/rmi-0 rmi=runs/rmi-1 lstm=runs/lstm-0 lstm=runs/lstm-1
  refseg report runs/rmi --split val --cases 12

Masks are those that `refseg test --save_masks true` has left; without them the cases that are shown
are predicted once more from the checkpoint. The truth comes from the data of the run's config."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg report",
        usage="refseg report RUN [RUN ...] [--out FILE] [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_run_options(options)
    options.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="the page (default: report.html beside the results; of several runs, in this folder)",
    )
    options.add_argument(
        "--cases",
        metavar="N",
        type=number_from(0),
        default=8,
        help="pictures of each kind in the gallery (default: 8)",
    )
    options.add_argument(
        "--strips",
        metavar="N",
        type=number_from(0),
        default=4,
        help="sentences that are shown word by word (default: 4)",
    )
    add_comparison_options(options, resamples=2_000)
    options.add_argument(
        "--root", metavar="DIR", type=Path, help="folder of the data, if they lie elsewhere now"
    )
    options.add_argument("--device", default="cpu", help="cpu, cuda, …; default: cpu")
    add_import_option(options)
    return options


def run(arguments: argparse.Namespace) -> int:
    """Find everything out, and write the page."""
    from refseg.analysis.breakdowns import BREAKDOWNS
    from refseg.analysis.findings import find
    from refseg.analysis.report.page import write_report
    from refseg.analysis.runs import read_contenders

    import_packages(arguments.packages)
    contenders = read_contenders(arguments.runs, arguments.against)
    found = find(
        contenders,
        by=BREAKDOWNS,
        splits=arguments.split,
        metric=arguments.metric,
        lengths=arguments.lengths,
        sizes=arguments.sizes,
        categories=arguments.categories,
        only_shared=arguments.only_shared,
        resamples=arguments.resamples,
        seed=arguments.seed,
        examples=0,
    )
    path = arguments.out or _default_path(contenders)
    try:
        write_report(
            path,
            contenders,
            found,
            only_shared=arguments.only_shared,
            resamples=arguments.resamples,
            seed=arguments.seed,
            cases=arguments.cases,
            strips=arguments.strips,
            root=arguments.root,
            device=arguments.device,
        )
    except OSError as error:  # what reads files has errors of its own
        raise ConfigError(f"Cannot write {path} ({error}); name another file with --out.") from None
    for sentence in found.verdicts:
        print(sentence)
    print(path)
    return 0


def _default_path(contenders: "Contenders") -> Path:
    runs = [results for found in contenders.values() for results in found]
    return runs[0].path.parent / "report.html" if len(runs) == 1 else Path("report.html")

"""The options of a comparison, which `refseg compare` and `refseg report` share."""

import argparse
from collections.abc import Callable


def add_run_options(options: argparse.ArgumentParser) -> None:
    """Add which runs are looked at, and which of them are seeds of one model.

    Args:
        options: of the verb.
    """
    options.add_argument("runs", metavar="RUN", nargs="+", help="path of a run, or NAME=PATH")
    options.add_argument(
        "--against",
        metavar="RUN",
        nargs="+",
        default=[],
        help="seeds of the other model; the runs before are then seeds of the first",
    )


def add_comparison_options(options: argparse.ArgumentParser, resamples: int) -> None:
    """Add what says which expressions are compared, in which groups, and how many draws there are.

    Args:
        options: of the verb.
        resamples: default number of draws.
    """
    options.add_argument("--split", metavar="NAME", nargs="+", help="default: all that runs share")
    options.add_argument(
        "--metric",
        default="overall_iou",
        help="of breakdowns and verdict: overall_iou (default), mean_iou or precision@X",
    )
    options.add_argument(
        "--lengths",
        default="auto",
        choices=["auto", "gref", "unc", "referit", "shapes"],
        help="groups of lengths; auto (default) takes those of the data set",
    )
    options.add_argument(
        "--sizes",
        default="share",
        choices=["share", "fine", "coco"],
        help="groups of sizes: borders at 3 and 10 %% of the image (share, default); at 1, 3, 10 "
        "and 30 %% (fine); at 32² and 96² pixels (coco)",
    )
    options.add_argument(
        "--categories",
        metavar="N",
        type=number_from(1),
        default=15,
        help="most frequent (default: 15)",
    )
    options.add_argument(
        "--only_shared",
        action="store_true",
        help="leave out expressions that a run lacks, rather than refuse",
    )
    options.add_argument(
        "--resamples",
        metavar="N",
        type=number_from(100),
        default=resamples,
        help=f"draws of images, and swaps of models (default: {resamples})",
    )
    options.add_argument(
        "--seed",
        metavar="N",
        type=number_from(0),
        default=0,
        help="of draws and swaps (default: 0)",
    )


def number_from(least: int) -> Callable[[str], int]:
    """A type for whole numbers.

    Args:
        least: the least that is allowed.
    """

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least}, got '{text}'"
            ) from None
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a number from {least}, got {value}")
        return value

    return read

"""Reading photographs, as `refseg bench data` measures and shows it."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.bench.spread_tables import figure_table, spread_text

if TYPE_CHECKING:
    from refseg.benchmarks.loading import LoadingFigures

_BASE = ("--config", "rmi.yaml", "--data.image_size=320")  # which options change
_PER_IMAGE = 7.2  # expressions of an image of RefCOCO


def read_photos(
    options: Sequence[str], images: int, rounds: int, say: Callable[[str], None]
) -> "LoadingFigures":
    """Measure how photographs are read: those of a data set, or some that are made by code.

    Args:
        options: of `refseg fit`, for data; none: photographs are made.
        images: that are read, at most.
        rounds: of measuring.
        say: called with what is done next.

    Raises:
        RefsegError: the data set cannot be read.
    """
    from refseg.benchmarks.generated_photos import generated_photos
    from refseg.benchmarks.loading import measure_loading
    from refseg.cli.trainer.prepared import prepare_run
    from refseg.data import Transform, WordTokenizer

    if options:
        say("Opening the data set")
        data = prepare_run([*_BASE, *options]).data
        references = data.training[0].references
        return measure_loading(references, data.tokenizer, data.transform, images, rounds, say)
    with tempfile.TemporaryDirectory(prefix="refseg-bench-") as folder:
        say(f"Making {images} photographs")
        references = generated_photos(Path(folder), images, round(_PER_IMAGE * images))
        tokenizer = WordTokenizer()
        tokenizer.build(references.expressions.to_pylist())
        return measure_loading(references, tokenizer, Transform(320), images, rounds, say)


def show_loading(figures: "LoadingFigures") -> None:
    """A table on the terminal.

    Args:
        figures: of `read_photos`.
    """
    from rich.console import Console

    console = Console(highlight=False)
    table = figure_table("reading", "expressions\nper second", "reference / ours", "ours / limit")
    speedup, to_limit = spread_text(figures.speedup), spread_text(figures.to_limit)
    for name, seconds, *ratios in (
        ("ours", figures.ours, speedup, to_limit),
        ("reference", figures.usual),
        ("limit", figures.decoding),
    ):
        table.add_row(name, f"{figures.expressions / seconds.median:,.0f}", *ratios)
    console.print(
        f"\nImages: {figures.images}, expressions: {figures.expressions:,}; one process, seconds "
        "of computing.\nReference: one sentence per item; limit: decoding alone. Median of the "
        "rounds, in brackets the least and the most\n"
    )
    console.print(table)

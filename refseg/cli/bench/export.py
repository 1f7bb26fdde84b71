"""`refseg bench export`: an exported model beside the same model here."""

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refseg.cli.bench.spread_tables import as_json, figure_table, milliseconds, spread_text
from refseg.cli.parsing.argument_types import Count, Option, Packages

if TYPE_CHECKING:
    pass


def bench_export(
    checkpoints: Annotated[Sequence[Path], Option(metavar="CKPT")] = (),
    /,
    *,
    sentences: Count = 10,
    words: Count = 4,
    repeats: Count = 7,
    threads: Count = 1,
    json: Path | None = None,
    packages: Packages = (),
) -> None:
    """Show sizes and times of checkpoints as ONNX, beside the same networks here.

    Both answer the same sentences about one picture in turns, and times are compared within a
    round: shown is the median of the rounds, with the least and the most.

    Args:
        checkpoints: what `refseg fit` wrote; default: that of the newest finished run in runs/
        sentences: about the picture
        words: of each sentence
        repeats: rounds of measuring
        threads: that both compute with
        json: write all figures here
        packages: import a package of your own, whose classes the checkpoints may then name; may be
            repeated

    Examples:
        refseg bench export best.ckpt
        refseg bench export runs/*/checkpoints/best.ckpt --sentences 1
    """
    from rich.console import Console

    from refseg.benchmarks.exported_models import measure_export
    from refseg.cli.newest_run import default_checkpoint
    from refseg.files import write_text
    from refseg.inference.pipeline import load

    progress, console = Console(stderr=True, highlight=False), Console(highlight=False)
    table = figure_table("fusion", "size", "here", "onnxruntime", "ratio", "apart")
    rows = []
    for checkpoint in checkpoints or [default_checkpoint()]:
        progress.print(f"Opening {checkpoint} …")
        pipeline = load(checkpoint, import_packages=packages)
        found = measure_export(
            pipeline, sentences, words, repeats, threads, lambda text: progress.print(f"{text} …")
        )
        name = type(pipeline.segmenter.fusion).__name__
        table.add_row(
            name,
            f"{sum(found.sizes.values()) / 1e6:.1f} MB",
            milliseconds(found.eager),
            milliseconds(found.exported),
            spread_text(found.ratio),
            f"{found.largest_difference:.0e}",
        )
        rows.append({"checkpoint": str(checkpoint), "fusion": name, **as_json(found)})
    console.print(
        f"Sentences about one picture: {sentences}, of {words} words; threads: {threads}; "
        f"rounds: {repeats}\n"
    )
    console.print(table)
    if json is not None:
        write_text(json, dumps(rows, indent=1) + "\n")
        print(f"figures: {json}")

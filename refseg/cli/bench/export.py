"""`refseg bench export`: an exported model beside the same model here."""

from collections.abc import Sequence
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refseg.cli.parsing.argument_types import Count, Option, Packages

if TYPE_CHECKING:
    from refseg.benchmarks.turns import Spread


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
    from rich.table import Table

    from refseg.benchmarks.export import measure_export
    from refseg.cli.newest_run import default_checkpoint
    from refseg.files import write_text
    from refseg.inference.pipeline import load

    progress, console = Console(stderr=True, highlight=False), Console(highlight=False)
    table = Table(box=None)
    table.add_column("fusion", overflow="fold")
    for head in ("features", "logits", "here", "onnxruntime", "ratio", "apart"):
        table.add_column(head, justify="right", no_wrap=True)
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
            *(f"{size / 1e6:.1f} MB" for size in found.sizes.values()),
            _milliseconds(found.eager),
            _milliseconds(found.exported),
            f"{found.ratio.median:.2f} ({found.ratio.least:.2f}–{found.ratio.most:.2f})",
            f"{found.largest_difference:.0e}",
        )
        rows.append({"checkpoint": str(checkpoint), "fusion": name, **_as_json(asdict(found))})
    console.print(
        f"Sentences about one picture: {sentences}, of {words} words; threads: {threads}; "
        f"rounds: {repeats}\n"
    )
    console.print(table)
    if json is not None:
        write_text(json, dumps(rows, indent=1) + "\n")
        print(f"figures: {json}")


def _as_json(figures: dict[str, object]) -> dict[str, object]:
    from refseg.benchmarks.turns import Spread

    return {
        name: value._asdict() if isinstance(value, Spread) else value
        for name, value in figures.items()
    }


def _milliseconds(seconds: "Spread") -> str:
    return f"{1000 * seconds.median:.1f} ms"

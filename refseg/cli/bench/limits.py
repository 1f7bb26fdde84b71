"""`refseg bench limits`: how near computations come to what the hardware allows."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from refseg.cli.bench.machine import Machine
from refseg.cli.bench.spread_tables import as_json, figure_table, milliseconds, spread_text
from refseg.cli.parsing.argument_types import Count, Option
from refseg.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from refseg.benchmarks.limits import Comparison, LimitFigures
    from refseg.benchmarks.network_limits import NetworkSize
    from refseg.benchmarks.plain_mlstm import PaperSize

Case = Literal["mlstm", "lengths", "early", "one_by_one"]


def bench_limits(
    cases: Sequence[Case] = (),
    /,
    *,
    words: Count = 20,
    expressions: Count = 16,
    images: Count = 4,
    grid: Count = 40,
    dim: Count = 1000,
    hidden_dim: Count = 500,
    image_size: Annotated[int, Option(least=32)] = 320,
    expressions_per_image: Annotated[float, Option(least=1)] = 7.2,
    at_once: Count | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    rounds: Count = 3,
    machine: Machine = Machine(),  # noqa: B008 - it is frozen
    json: Path | None = None,
) -> None:
    """Compare computations with the plain way to do them, and with a limit, all in turns.

    mlstm: the fusion of RMI on one sentence, forward, and with backward. The reference tiles,
    concatenates and convolves in each step; the limit is the matrix products alone.

    lengths: the same on a batch with RefCOCO's lengths of sentences, padded to the most words, with
    backward. The reference reads the padding, too; at full size it takes minutes.

    early: LAVT's fusion in a Swin-T, forward. The reference computes the backbone for each
    sentence; the limit is each part alone, stem and first stage for each image.

    one_by_one: the forward passes of an evaluation of RMI on ResNet-101. The reference computes the
    backbone for each sentence; the limit is the backbone for each image, and the fusion's products.

    Weights are random, and nothing is read. The results of both ways are compared, too. Shown are
    medians of the rounds, with the least and the most. By default sizes are those of the paper.

    Args:
        cases: which of them; default: all
        words: steps: of the sentence (mlstm), of the padded batch (lengths)
        expressions: of the batch of lengths
        images: of all batches
        grid: rows and columns of the image's map
        dim: of an image's and a word's vectors
        hidden_dim: channels of the mLSTM's state
        image_size: pixels of a side, for early and one_by_one
        expressions_per_image: for early and one_by_one; RefCOCO has 7.2
        at_once: expressions of lengths that are read together; default: 1 on a CPU, whose cache
            holds that, all on a GPU
        precision: of matrix products
        rounds: of measuring
        machine: that computes
        json: write all figures here

    Examples:
        refseg bench limits
        refseg bench limits mlstm --words 10
        refseg bench limits lengths --grid 20 --rounds 5
        refseg bench limits --device cuda --precision bfloat16 --json figures.json
    """
    import torch
    from rich.console import Console

    from refseg.benchmarks.limits import measure_limits
    from refseg.benchmarks.network_limits import NetworkSize
    from refseg.benchmarks.plain_mlstm import PaperSize

    machine.check()
    if expressions < images:
        raise ConfigError(
            f"Expected at least one expression for each image, got {expressions} expressions of "
            f"{images} images; lower --images."
        )
    progress = Console(stderr=True, highlight=False)
    size = PaperSize(grid, dim, dim, hidden_dim, words, expressions, images)
    network = NetworkSize(
        image_size, images, max(images, round(images * expressions_per_image)), dim, hidden_dim
    )
    together = at_once or (1 if machine.device == "cpu" else None)
    figures = []
    for comparison in _comparisons(
        cases or get_args(Case), size, network, together, machine.device, getattr(torch, precision)
    ):
        say = _saying(progress.print, comparison.name)
        figures.append(measure_limits(comparison, rounds, machine.threads, machine.device, say))
    _show(figures)
    settings = {
        "size": size._asdict(),
        "network": network._asdict(),
        "at_once": together,
        "precision": precision,
        "rounds": rounds,
    }
    machine.write(json, settings, "cases", [as_json(row) for row in figures])


def _comparisons(
    cases: Sequence[str],
    size: "PaperSize",
    network: "NetworkSize",
    at_once: int | None,
    device: str,
    dtype: "torch.dtype",
) -> "Iterator[Comparison]":
    """One after the other, so that the networks are not in memory together."""
    from refseg.benchmarks.network_limits import compare_early_fusion, compare_one_by_one
    from refseg.benchmarks.plain_mlstm import compare_batch, compare_sentence

    for case in dict.fromkeys(cases):
        if case == "mlstm":
            yield from compare_sentence(size, device, dtype)
        elif case == "lengths":
            yield compare_batch(size, at_once, device, dtype)
        elif case == "early":
            yield compare_early_fusion(network, device, dtype)
        else:
            yield compare_one_by_one(network, device, dtype)


def _saying(say: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda text: say(f"{name}: {text[0].lower()}{text[1:]} …")


def _show(figures: "Sequence[LimitFigures]") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    times = figure_table("case", "ours", "reference", "limit")
    shares = figure_table("case", "reference / ours", "ours / limit", "results differ by")
    sizes = figure_table(
        "case", "parameters", "GFLOP", "of\nreference", "peak\nmemory", "of\nreference"
    )
    for row in figures:
        times.add_row(row.name, *map(milliseconds, (row.ours, row.reference, row.limit)))
        ratios = spread_text(row.speedup), spread_text(row.to_limit)
        shares.add_row(row.name, *ratios, f"{row.difference:.0e}")
        flops = f"{row.flops / 1e9:,.1f}", f"{row.reference_flops / 1e9:,.1f}"
        memory = _megabytes(row.memory), _megabytes(row.reference_memory)
        sizes.add_row(row.name, f"{row.parameters:,}", *flops, *memory)
    console.print("Median of the rounds, in brackets the least and the most\n\nTime")
    console.print(times)
    console.print("\nTimes of the same round; the largest difference between results")
    console.print(shares)
    console.print("\nSize; operations; memory without weights and inputs")
    console.print(sizes)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"

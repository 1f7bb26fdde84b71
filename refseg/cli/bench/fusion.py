"""`refseg bench fusion`: what each fusion costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refseg.cli.bench.machine import Machine
from refseg.cli.bench.spread_tables import as_json, figure_table, milliseconds, spread_text
from refseg.cli.parsing.argument_types import Count, Option

if TYPE_CHECKING:
    from rich.console import Console

    from refseg.benchmarks.fusion import Case, FusionFigures

_COMPARED = "compared"  # the package's configs with one of each fusion
_FUSION = "class_path"  # a config with it is that of a fusion alone


def bench_fusion(
    configs: Annotated[Sequence[str], Option(metavar="CONFIG")] = (),
    /,
    *,
    base: Annotated[str, Option(metavar="CONFIG")] = "rmi.yaml",
    images: Count = 5,
    expressions_per_image: Annotated[float, Option(least=1)] = 7.2,
    words: Count | None = None,
    repeats: Count = 7,
    machine: Machine = Machine(),  # noqa: B008 - it is frozen
    json: Path | None = None,
    options: Annotated[Sequence[str], Option(rest=("--data", "--model"))] = (),
) -> None:
    """Show what each fusion costs: weights, operations, memory, time, and images seen once.

    Each network is built as `refseg fit --config BASE --config CONFIG` builds it. Images and
    sentences are generated; no data set is needed. Fusions compute in turns, and times are
    compared within a round, because machines are now faster, now slower: shown is the median of
    the rounds, with the least and the most.

    Most fusions let the backbone see an image once, however many sentences ask about it. An early
    fusion speaks inside of the backbone, and computes what follows anew for each sentence. The last
    table shows what sharing an image saves. How near the mLSTM and an early fusion come to what the
    hardware allows, `refseg bench limits` says.

    Args:
        configs: of fusions, or of all that differs from the base; default: one of each fusion
        base: config that each one changes
        images: in a batch
        expressions_per_image: RefCOCO has 7.2
        words: of each sentence; default: as in RefCOCO, 3.5 on average and 12 at most
        repeats: rounds of measuring
        machine: that computes
        json: write all figures here
        options: --data.image_size 320, --model.backbone FILE and other options of `refseg fit` for
            data and model, which change all networks

    Examples:
        refseg bench fusion
        refseg bench fusion fusion/concat.yaml fusion/mlstm.yaml --words 20
        refseg bench fusion --device cuda --data.image_size 320 --json figures.json
    """
    from rich.console import Console

    from refseg.benchmarks.fusion import measure_fusions

    machine.check()
    progress = Console(stderr=True, highlight=False)
    expressions = max(images, round(images * expressions_per_image))
    cases = []
    for name, config in _named(configs or _all_fusions()).items():
        progress.print(f"Building {name} …")
        words_of_fit = ["--config", base, *config, *options]
        cases.append(_case(name, words_of_fit, images, expressions, words))
    figures = measure_fusions(
        cases, repeats, machine.threads, machine.device, lambda text: progress.print(f"{text} …")
    )
    size = cases[0].batch.size[0]
    settings = {
        "base": base,
        "images": images,
        "expressions": expressions,
        "words": words,
        "image_size": size,
        "rounds": repeats,
    }
    console = Console(highlight=False)
    said = "as in RefCOCO" if words is None else f"words: {words}"
    console.print(
        f"{base}, {size} pixels; images: {images}; expressions: {expressions}, {said}; "
        + ("on a GPU" if machine.device == "cuda" else f"threads: {machine.threads}")
    )
    console.print(f"Median of the rounds ({repeats}), in brackets the least and the most\n")
    _show_sizes(figures, console)
    _show_times(figures, console)
    _show_sharing(figures, expressions / images, console)
    machine.write(json, settings, "fusions", [as_json(row) for row in figures])


def _all_fusions() -> list[str]:
    """One config of each fusion, as the package has them."""
    from refseg.cli.configs.files import PACKAGE_CONFIGS

    return [
        f"{_COMPARED}/{path.name}" for path in sorted((PACKAGE_CONFIGS / _COMPARED).glob("*.yaml"))
    ]


def _named(configs: Sequence[str]) -> dict[str, list[str]]:
    """The options of `refseg fit` for each config, by the name of its row.

    A fusion's own file takes the place of the base's fusion, any other one changes the base.
    """
    from refseg.cli.configs.bases import read_yaml
    from refseg.cli.configs.files import find_config

    stems = [Path(config).stem for config in dict.fromkeys(configs)]
    named = {}
    for config, stem in zip(dict.fromkeys(configs), stems, strict=True):
        is_fusion = _FUSION in read_yaml(find_config(config))
        name = stem if stems.count(stem) == 1 else config
        named[name] = [f"--model.fusion={config}" if is_fusion else f"--config={config}"]
    return named


def _case(
    name: str, options: Sequence[str], images: int, expressions: int, words: int | None
) -> "Case":
    from refseg.benchmarks.fusion import Case
    from refseg.benchmarks.generated_data import GeneratedData, generated_batch
    from refseg.cli.trainer.prepared import prepare_run

    # A published set has to have a folder, from which nothing is read here.
    module, data, _ = prepare_run(["--data.root=.", *options], data=GeneratedData)
    batch = generated_batch(data, images, expressions, words)
    return Case(name, module, batch, generated_batch(data, expressions, expressions, words))


def _show_sizes(figures: "Sequence[FusionFigures]", console: "Console") -> None:
    table = figure_table(
        "fusion",
        "parameters",
        "of fusion\nand decoder",
        "MFLOP per\nexpression",
        "peak memory\nof training",
    )
    for row in figures:
        table.add_row(
            row.name,
            f"{row.parameters:,}",
            f"{row.fusion_parameters:,}",
            _millions(row.flops),
            f"{_millions(row.memory)} MB",
        )
    console.print("Size; operations of a forward pass; memory of a step, without the weights")
    console.print(table)


def _show_times(figures: "Sequence[FusionFigures]", console: "Console") -> None:
    first, *_ = figures
    table = figure_table("fusion", "forward", f"to {first.name}", "training", f"to {first.name}")
    for row in figures:
        table.add_row(
            row.name,
            milliseconds(row.forward, 2),
            "1" if row is first else spread_text(row.forward_ratio),
            milliseconds(row.training, 2),
            "1" if row is first else spread_text(row.training_ratio),
        )
    console.print("\nTime per expression: a forward pass; forward and backward with the loss")
    console.print(table)


def _show_sharing(
    figures: "Sequence[FusionFigures]", expressions_per_image: float, console: "Console"
) -> None:
    several = f"{expressions_per_image:g} per\nimage"
    table = figure_table("fusion", several, "1 per\nimage", "ratio", "MFLOP at\n1 per image")
    for row in figures:
        table.add_row(
            f"{row.name} (early)" if row.sites else row.name,
            milliseconds(row.forward, 2),
            milliseconds(row.one_per_image, 2),
            spread_text(row.one_per_image_ratio),
            _millions(row.one_per_image_flops),
        )
    console.print("\nForward pass per expression: several share an image, or each has its own")
    console.print(table)
    if any(row.sites for row in figures):
        console.print(
            "\nearly: the backbone hears the words, and its later stages run per expression"
        )


def _millions(number: float | int) -> str:
    return f"{number / 1e6:,.1f}"

"""`refseg bench train`: how fast systems train, and where the time goes."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refseg.cli.bench.machine import Machine
from refseg.cli.bench.spread_tables import as_json, figure_table, milliseconds, spread_text
from refseg.cli.parsing.argument_types import Count, Option

if TYPE_CHECKING:
    from refseg.benchmarks.training import TrainingCase, TrainingFigures

_SYSTEMS = ("paper/rmi_r_refcoco.yaml", "paper/lstm_r_refcoco.yaml")
_RANDOM = "--model.backbone.weights=null"  # the same speed, without a download


def bench_train(
    configs: Annotated[Sequence[str], Option(metavar="CONFIG")] = (),
    /,
    *,
    images: Count = 2,
    expressions_per_image: Annotated[float, Option(least=1)] = 4.0,
    words: Count | None = None,
    rounds: Count = 3,
    machine: Machine = Machine(),  # noqa: B008 - it is frozen
    json: Path | None = None,
    options: Annotated[Sequence[str], Option(rest=("--data", "--model"))] = (),
) -> None:
    """Measure steps of training: expressions per second, and the shares of the parts.

    Each system is built as `refseg fit --config CONFIG` builds it. Sentences are generated, and so
    are the photographs, of 480×640 pixels, that are loaded. Step and parts are measured in turns.

    Shares are of one process that loads and trains. Workers load beside the training: the last
    column says how many of them keep up with it (`--data.num_workers`).

    Args:
        configs: of systems; default: RMI and its LSTM baseline in the paper's size, on ResNet-101
            with random weights
        images: in a batch
        expressions_per_image: in a batch, whatever the config says
        words: of each sentence; default: as in RefCOCO, 3.5 on average and 12 at most
        rounds: of measuring
        machine: that computes
        json: write all figures here
        options: --data.image_size 320, --model.backbone FILE and other options of `refseg fit` for
            data and model, which change all systems

    Examples:
        refseg bench train
        refseg bench train rmi.yaml lstm_cnn.yaml --images 8
        refseg bench train paper/rmi_d_refcoco.yaml --model.backbone.weights null --device cuda
    """
    from rich.console import Console

    from refseg.benchmarks.training import measure_training

    machine.check()
    progress = Console(stderr=True, highlight=False)
    expressions = max(images, round(images * expressions_per_image))
    chosen = [*options] if configs else [_RANDOM, *options]
    figures = []
    for config in dict.fromkeys(configs or _SYSTEMS):
        with tempfile.TemporaryDirectory(prefix="refseg-bench-") as folder:
            progress.print(f"Building {config} …")
            case = _case(config, chosen, Path(folder), images, expressions, words)
            say = _saying(progress.print, case.name)
            figures.append(measure_training(case, rounds, machine.threads, machine.device, say))
    _show(figures, images, expressions)
    settings = {"images": images, "expressions": expressions, "words": words, "rounds": rounds}
    machine.write(json, settings, "systems", [as_json(row) for row in figures])


def _case(
    config: str,
    options: Sequence[str],
    folder: Path,
    images: int,
    expressions: int,
    words: int | None,
) -> "TrainingCase":
    from refseg.benchmarks.generated_data import GeneratedData, generated_batch
    from refseg.benchmarks.generated_photos import generated_photos
    from refseg.benchmarks.training import TrainingCase
    from refseg.cli.trainer.prepared import prepare_run
    from refseg.data import ReferringDataset, collate
    from refseg.data.transforms import Transform

    # A published set has to have a folder, from which nothing is read here.
    chosen = ["--data.root=.", "--config", config, *options]
    module, data, _ = prepare_run(chosen, data=GeneratedData)
    batch = generated_batch(data, images, expressions, words)
    transform = Transform(**data.transform.state_dict(), augmentation=data.augmentation)
    photos = generated_photos(folder, images, expressions)
    dataset = ReferringDataset(photos, transform, "all", max_expressions=expressions)

    def load() -> object:
        return collate([dataset[number] for number in range(len(dataset))], data.tokenizer)

    return TrainingCase(Path(config).stem, module, batch, load)


def _saying(say: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda text: say(f"{name}: {text[0].lower()}{text[1:]} …")


def _show(figures: "Sequence[TrainingFigures]", images: int, expressions: int) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    speed = figure_table(
        "system", "expressions\nper second", "step", "loading", "workers\nthat keep up"
    )
    shares = figure_table("system", "backbone", "fusion", "loading", "rest")
    sizes = figure_table("system", "parameters", "trained", "GFLOP per\nexpression", "peak memory")
    for row in figures:
        times = milliseconds(row.step, 0), milliseconds(row.loading, 0)
        speed.add_row(row.name, spread_text(row.per_second), *times, f"{row.workers.median:.2f}")
        parts = row.backbone_share, row.fusion_share, row.loading_share, row.rest_share
        shares.add_row(row.name, *(f"{100 * part.median:.0f} %" for part in parts))
        numbers = f"{row.parameters:,}", f"{row.trained:,}", f"{row.flops / 1e9:,.1f}"
        sizes.add_row(row.name, *numbers, f"{row.memory / 1e6:,.0f} MB")
    console.print(
        f"A batch: images: {images}, expressions: {expressions}. Median of the rounds, in brackets "
        "the least and the most\n"
    )
    console.print(speed)
    console.print("\nShares of the time of one process that loads and trains")
    console.print(shares)
    console.print("\nSize; operations and memory of a step, the latter without the weights")
    console.print(sizes)

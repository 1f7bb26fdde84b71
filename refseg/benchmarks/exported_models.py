"""How fast an exported model answers, beside the same model here, measured in turns."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from refseg.benchmarks.generated_data import generated_sentences
from refseg.benchmarks.turns import Spread, computing_threads
from refseg.errors import ConfigError
from refseg.geometry import Geometry
from refseg.inference.export import export
from refseg.inference.pipeline import Pipeline
from refseg.types import Batch

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@dataclass(frozen=True)
class ExportFigures:
    """Sizes and seconds of an exported model; seconds are for one picture and all sentences.

    Args:
        sizes: bytes of each file of a graph.
        export_seconds: what the writing took.
        eager: seconds here: both halves of the network.
        exported: seconds of both graphs in onnxruntime.
        features: of them, the first graph, which later sentences do not need again.
        ratio: of `exported` to `eager`, within a round.
        largest_difference: of the logits, between both.
    """

    sizes: dict[str, int]
    export_seconds: float
    eager: Spread
    exported: Spread
    features: Spread
    ratio: Spread
    largest_difference: float


def measure_export(
    pipeline: Pipeline,
    sentences: int = 10,
    words: int = 4,
    rounds: int = 7,
    threads: int = 1,
    say: Callable[[str], None] = lambda text: None,
) -> ExportFigures:
    """Export a model to ONNX, and let both answer sentences about one picture in turns.

    Args:
        pipeline: the model, on the CPU.
        sentences: about the picture.
        words: of each.
        rounds: in each of which both have their turn.
        threads: that both compute with.
        say: called with what is done next.

    Raises:
        ConfigError: onnxruntime is absent, or the model cannot be exported.
    """
    try:
        from onnxruntime import InferenceSession, SessionOptions
    except ImportError as error:
        raise ConfigError(
            'Expected onnxruntime, which this Python lacks; run `pip install "refseg[export]"`.'
        ) from error
    batch = _batch(pipeline, sentences, words)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "exported"
        say("Exporting")
        started = time.perf_counter()
        described = export(pipeline, folder)
        taken = time.perf_counter() - started
        options = SessionOptions()
        options.intra_op_num_threads = threads
        files = {name: folder / graph["file"] for name, graph in described["graphs"].items()}
        sessions = {name: InferenceSession(path, options) for name, path in files.items()}
        sizes = {name: path.stat().st_size for name, path in files.items()}
    with computing_threads(threads), torch.inference_mode():
        difference = float((_eager(pipeline, batch) - _exported(sessions, batch)[0]).abs().max())
        eager, exported, features = [], [], []
        for number in range(rounds):
            say(f"Measuring, round {number + 1} of {rounds}")
            started = time.perf_counter()
            _eager(pipeline, batch)
            eager.append(time.perf_counter() - started)
            started = time.perf_counter()
            _, first = _exported(sessions, batch)
            exported.append(time.perf_counter() - started)
            features.append(first)
    ratios = [one / other for one, other in zip(exported, eager, strict=True)]
    return ExportFigures(
        sizes=sizes,
        export_seconds=taken,
        eager=Spread.of(eager),
        exported=Spread.of(exported),
        features=Spread.of(features),
        ratio=Spread.of(ratios),
        largest_difference=difference,
    )


def _batch(pipeline: Pipeline, sentences: int, words: int) -> Batch:
    """One picture of noise, and sentences about it."""
    generator, size = np.random.default_rng(0), pipeline.image_size
    pixels = torch.from_numpy(generator.integers(0, 256, (1, 3, size, size), np.uint8))
    texts = generated_sentences(pipeline.tokenizer, [words] * sentences, generator)
    tokens, token_mask = map(torch.from_numpy, pipeline.tokenizer.encode(texts))
    index = torch.zeros(sentences, dtype=torch.int64)
    geometry = Geometry.letterbox(size, size, size)
    return Batch(pixels, tokens, token_mask, index, None, (), (), (), (geometry,), ())


def _eager(pipeline: Pipeline, batch: Batch) -> Tensor:
    return pipeline.segmenter(batch).segmentation()


def _exported(sessions: "dict[str, InferenceSession]", batch: Batch) -> tuple[Tensor, float]:
    """The logits, and the seconds of the first graph."""
    assert batch.images is not None
    started = time.perf_counter()
    maps = sessions["features"].run(None, {"images": batch.images.numpy()})
    first = time.perf_counter() - started
    given = {f"map_{number}": each for number, each in enumerate(maps)}
    for name in ("tokens", "token_mask", "image_index"):
        given[name] = getattr(batch, name).numpy()
    heard = {each.name for each in sessions["logits"].get_inputs()}
    (logits,) = sessions["logits"].run(
        None, {name: each for name, each in given.items() if name in heard}
    )
    return torch.from_numpy(logits), first

"""Evaluates a checkpoint in some number of processes and writes what each expression counted.

A program of its own, as Lightning starts it once more for each further process.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import distributed
from torch.utils.data import DataLoader

from refseg.checkpoint import read_checkpoint
from refseg.cli.trainer.quiet import quieten
from refseg.data import ReferringDataModule
from refseg.data.loaders import loader_options
from refseg.data.shapes import ShapesOptions
from refseg.evaluation import PROTOCOLS
from refseg.training.from_checkpoint import build_module
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch

Counts = dict[str, list[list[int]]]  # protocol -> columns of the counts


class Observer(Callback):
    """Keeps the logits of each expression, as bytes, and in the end all counts."""

    def __init__(self) -> None:
        self.logits: dict[int, bytes] = {}
        self.counts: Counts = {}

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, *_: int
    ) -> None:
        assert isinstance(pl_module, ReferringSegmentation)
        assert pl_module.logits is not None
        for expression_id, logits in zip(batch.expression_ids, pl_module.logits, strict=True):
            self.logits[expression_id] = logits.numpy().tobytes()

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, ReferringSegmentation)
        for name, metrics in pl_module._metrics.items():
            (counts,) = metrics.counts().values()
            self.counts[name] = [column.tolist() for column in counts]


class Shuffled(ReferringDataModule):
    """Evaluates in a random order."""

    def _evaluation_loader(self, splits: Sequence[str]) -> DataLoader[Batch]:
        ordered = super()._evaluation_loader(splits)
        options = loader_options(self.tokenizer, self.batch_size, self.num_workers)
        return DataLoader(ordered.dataset, shuffle=True, **options)


def evaluate(
    checkpoint: Path,
    processes: int = 1,
    batch_size: int = 8,
    num_workers: int = 0,
    max_expressions: int = 16,
    shuffle: bool = False,
    exact: bool = True,
) -> Observer:
    """Validate under all protocols at once; `max_expressions` of 1 reads sentence by sentence."""
    quieten()  # as the command line
    module = build_module(read_checkpoint(checkpoint), checkpoint)
    torch.manual_seed(0)
    for parameter in module.parameters():  # seconds of training leave all masks empty
        parameter.data += 0.3 * torch.randn_like(parameter)
    module.protocols, module.exact_evaluation = [*PROTOCOLS.values()], exact
    data = (Shuffled if shuffle else ReferringDataModule)(
        shapes=ShapesOptions(train_images=12, evaluation_images=4),
        batch_size=batch_size,
        num_workers=num_workers,
        max_expressions=max_expressions,
        image_size=48,
        vocabulary_from=checkpoint,
    )
    observer = Observer()
    trainer = Trainer(
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[observer],
    )
    trainer.validate(module, data, verbose=False)
    return observer


if __name__ == "__main__":
    checkpoint, processes, batch_size, output = sys.argv[1:]
    counts = evaluate(Path(checkpoint), int(processes), int(batch_size)).counts
    if distributed.get_rank() == 0:
        Path(output).write_text(json.dumps(counts), encoding="utf-8")

"""The data of a run as Lightning sees it: splits, loaders, the tokenizer and the transform."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Int64
from lightning import LightningDataModule
from lightning.fabric.utilities.seed import pl_worker_init_function
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from refseg.checkpoint import read_checkpoint
from refseg.data.collate import Collate
from refseg.data.dataset import ReferringDataset
from refseg.data.readers import OnBadRecord, read_references
from refseg.data.references import SPLIT_UNIONS, References
from refseg.data.shapes import ShapesOptions, prepare_shapes
from refseg.data.tokenizers import Tokenizer, WordTokenizer, tokenizer_from_state
from refseg.data.transforms import Augmentation, Transform
from refseg.errors import ConfigError, DataError
from refseg.types import Batch

_DEFAULT_SHAPES = ShapesOptions()


class ReferringDataModule(LightningDataModule):
    """Images with expressions, from the built-in set or from any folder in REFER layout.

    The vocabulary is built from the training splits and from nothing else. Tokenizer and transform
    are stored in every checkpoint and restored from it, so that a checkpoint is complete.

    Evaluation sees every expression. With several processes, Lightning's distributed sampler
    repeats a few images so that all processes have equally many; metrics count by expression id, so
    that no sampler of our own is needed.

    Args:
        root: the folder with the data set's annotations and images; none for the built-in set.
        dataset: `shapes` (the built-in set), or the name of the folder with the annotations under
            `root`, such as `refcoco+`.
        split_by: who made the splits (`unc`, `google`, `umd`, …); may be left out where there is
            only one partition.
        train_splits: splits to train on.
        val_splits: splits to validate on during training, taken together.
        test_splits: splits to test on, each for itself; none means all but those of training.
        image_size: side of the square that the network sees, pixels; 320 in the papers.
        batch_size: images per batch (each with its expressions); 1 in the papers.
        num_workers: processes that read and transform images.
        expressions_per_image: drawn anew at each visit of an image in training, or `all`;
            evaluation always takes all.
        max_expressions: an image with more expressions is split over several items when all are
            taken, so that memory stays bounded.
        tokenizer: from sentences to ids; words of the training splits by default. It must suit
            the text encoder.
        augmentation: random changes in training; none by default.
        fill: value of the border around images that are not square, 0–255.
        on_bad_record: `error` stops at the first bad record of the annotations, `skip` leaves bad
            records out and says how many.
        shapes: what the built-in set contains.
        vocabulary_from: a checkpoint whose tokenizer is used instead of building one.
    """

    def __init__(
        self,
        root: Path | None = None,
        dataset: str = "shapes",
        split_by: str | None = None,
        train_splits: Sequence[str] = ("train",),
        val_splits: Sequence[str] = ("val",),
        test_splits: Sequence[str] | None = None,
        image_size: int = 320,
        batch_size: int = 8,
        num_workers: int = 2,
        expressions_per_image: int | Literal["all"] = "all",
        max_expressions: int = 16,
        tokenizer: Tokenizer | None = None,
        augmentation: Augmentation | None = None,
        fill: int = 0,
        on_bad_record: OnBadRecord = "error",
        shapes: ShapesOptions = _DEFAULT_SHAPES,
        vocabulary_from: Path | None = None,
    ) -> None:
        super().__init__()
        if root is None and dataset != "shapes":
            raise ConfigError(
                f"The data set '{dataset}' needs a folder: give it with --data.root (only the "
                "built-in set 'shapes' does without)."
            )
        for name, value, least in (("batch_size", batch_size, 1), ("num_workers", num_workers, 0)):
            if value < least:
                raise ConfigError(f"Expected {name} of at least {least}, got {value}.")
        self.root = root
        self.dataset = dataset
        self.split_by = split_by
        self.train_splits = list(train_splits)
        self.val_splits = list(val_splits)
        self.test_splits = None if test_splits is None else list(test_splits)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.expressions_per_image = expressions_per_image
        self.max_expressions = max_expressions
        self.tokenizer: Tokenizer = WordTokenizer() if tokenizer is None else tokenizer
        self.transform = Transform(image_size, fill=fill)
        self.augmentation = augmentation
        self.on_bad_record: OnBadRecord = on_bad_record
        self.shapes = shapes
        self.vocabulary_from = vocabulary_from
        self._references: References | None = None
        self._vocabulary_is_ready = False

    @property
    def references(self) -> References:
        """All splits, read when they are first needed."""
        if self._references is None:
            root = self.root
            if root is None:
                root = prepare_shapes(self.shapes)
            self._references = read_references(
                root, self.dataset, self.split_by, self.on_bad_record
            )
        return self._references

    @property
    def vocab_size(self) -> int:
        """Number of token ids; the text encoder's width follows from it."""
        self._prepare_vocabulary()
        return self.tokenizer.vocab_size

    @property
    def split_names(self) -> list[str]:
        """The names of the splits that `test_dataloader` gives, in its order."""
        if self.test_splits is not None:
            return self.test_splits
        parts = (part for name in self.train_splits for part in SPLIT_UNIONS.get(name, ()))
        trained = {*self.train_splits, *parts}
        names = [name for name in self.references.splits if name not in trained]
        if not names:
            raise DataError(
                f"{self.references.source} has no split besides those of training; name one with "
                "--data.test_splits."
            )
        return names

    def expression_ids(self, splits: Sequence[str]) -> Int64[np.ndarray, " expressions"]:
        """The ids of all expressions of some splits: what an evaluation of them has to count."""
        return self.references.split(splits).table["expression_id"].to_numpy()

    def prepare_data(self) -> None:
        """Draw the built-in set, once per machine."""
        if self.root is None:
            prepare_shapes(self.shapes)

    def setup(self, stage: str) -> None:
        """Read the annotations, and make the vocabulary unless a checkpoint brought it."""
        self._prepare_vocabulary()
        wanted = {
            "fit": [*self.train_splits, *self.val_splits],
            "validate": self.val_splits,
            "test": self.split_names if stage == "test" else [],
            "predict": self.split_names if stage == "predict" else [],
        }
        self.references.split(wanted[stage])  # an unknown name is found before training starts

    def train_dataloader(self) -> DataLoader[Batch]:
        """The training splits, shuffled."""
        transform = Transform(self.transform.image_size, self.augmentation, self.transform.fill)
        dataset = ReferringDataset(
            self.references.split(self.train_splits),
            transform,
            self.expressions_per_image,
            self.max_expressions,
        )
        return self._loader(dataset, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The validation splits together, every expression once."""
        return self._evaluation_loader(self.val_splits)

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """One loader for each of `split_names`, every expression once."""
        return [self._evaluation_loader([name]) for name in self.split_names]

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """As for the test."""
        return self.test_dataloader()

    def state_dict(self) -> dict[str, Any]:
        """Tokenizer and transform, as plain numbers and texts."""
        self._prepare_vocabulary()
        return {
            "tokenizer": self.tokenizer.state_dict(),
            "transform": self.transform.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take tokenizer and transform from a checkpoint: the weights were trained with them."""
        self.tokenizer = tokenizer_from_state(state_dict["tokenizer"])
        self._vocabulary_is_ready = True
        restored = Transform.from_state(state_dict["transform"])
        if restored.state_dict() != self.transform.state_dict():
            rank_zero_info(
                f"Using the transform of the checkpoint, {restored.state_dict()}, instead of the "
                f"config's, {self.transform.state_dict()}."
            )
        self.transform = restored

    def _prepare_vocabulary(self) -> None:
        if self._vocabulary_is_ready:
            return
        if self.vocabulary_from is not None:
            state = read_checkpoint(self.vocabulary_from)["ReferringDataModule"]
            self.tokenizer = tokenizer_from_state(state["tokenizer"])
        elif self.tokenizer.needs_building:
            try:
                training = self.references.split(self.train_splits)
            except DataError as error:
                raise DataError(
                    f"{error} The vocabulary is built from the training splits; to take it from a "
                    "trained model instead, give --data.vocabulary_from CHECKPOINT."
                ) from None
            self.tokenizer.build(training.expressions.to_pylist())
        self._vocabulary_is_ready = True

    def _evaluation_loader(self, splits: Sequence[str]) -> DataLoader[Batch]:
        dataset = ReferringDataset(
            self.references.split(splits), self.transform, "all", self.max_expressions
        )
        return self._loader(dataset, shuffle=False)

    def _loader(self, dataset: ReferringDataset, *, shuffle: bool) -> DataLoader[Batch]:
        self._prepare_vocabulary()
        return DataLoader(
            dataset,  # type: ignore[arg-type]  # collate makes batches of its samples
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.num_workers,
            collate_fn=Collate(self.tokenizer),
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            worker_init_fn=_start_worker,
        )


def _start_worker(worker_id: int) -> None:
    """Keep OpenCV to one thread per worker, and seed as Lightning would have done."""
    cv2.setNumThreads(0)
    if int(os.environ.get("PL_SEED_WORKERS", "0")):
        pl_worker_init_function(worker_id)

"""The data sets of a run, the splits to train on and to evaluate, and the rows of each."""

import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from lightning.pytorch.utilities import rank_zero_only

from refseg.data.mixtures import (
    DataSource,
    Mixture,
    Training,
    choose_training,
    describe,
    is_built_in,
    protected_parts,
    read_mixture,
    sources_of,
)
from refseg.data.objects import Objects, read_objects
from refseg.data.readers import OnBadRecord
from refseg.data.shapes import ShapesOptions, prepare_shapes
from refseg.data.statistics.expression_columns import ExpressionColumns
from refseg.data.streaming.source import open_stream
from refseg.data.tokenizers import Tokenizer
from refseg.data.tokenizers.cuts import describe_cuts
from refseg.errors import ConfigError, DataError
from refseg.files import as_path


class Splits:
    """The data sets of a run and their splits, read when they are first needed.

    What a `ReferringDataModule` holds to know which rows to train on and which to evaluate. Knows
    neither loaders nor checkpoints.

    Args:
        root: as for `ReferringDataModule`, like all others.
        dataset: name, or list of several.
        split_by: who made the splits.
        train_splits: to train on.
        val_splits: to validate on.
        test_splits: to test on; none means all but those of training.
        on_bad_record: what becomes of a bad record.
        outside_files: take files outside of its folder that a table of one's own names.
        shapes: what the built-in set contains.
        train_on_evaluation_images: train on the images of evaluation splits too.
        protected_datasets: data sets whose evaluation images are left out of training.
        stream: folder or URL of shards.

    Raises:
        ConfigError: a data set has no folder, or a stream is joined with other data.
    """

    def __init__(
        self,
        *,
        root: Path | str | None,
        dataset: list[DataSource | str] | str,
        split_by: str | None,
        train_splits: Sequence[str],
        val_splits: Sequence[str],
        test_splits: Sequence[str] | None,
        on_bad_record: OnBadRecord,
        outside_files: bool,
        shapes: ShapesOptions,
        train_on_evaluation_images: bool,
        protected_datasets: Sequence[str] | None,
        stream: str | None,
    ) -> None:
        self.sources = sources_of(dataset, split_by)
        if stream is not None and (root is not None or len(self.sources) > 1):
            raise ConfigError(
                "A stream is a whole data set of its own; leave out data.root and the list of "
                "data sets, or leave out data.stream."
            )
        for source in self.sources if stream is None else ():
            if root is None and source.root is None and source.name != "shapes":
                raise ConfigError(
                    f"The data set '{source.name}' needs a folder: give it with --data.root (only "
                    "the built-in set 'shapes' does without)."
                )
        self.root = None if root is None else as_path(root)
        self.train_splits = list(train_splits)
        self.val_splits = list(val_splits)
        self.test_splits = None if test_splits is None else list(test_splits)
        self.on_bad_record: OnBadRecord = on_bad_record
        self.outside_files = outside_files
        self.shapes = shapes
        self.train_on_evaluation_images = train_on_evaluation_images
        self.protected_datasets = protected_datasets
        self.stream = stream
        self._mixture: Mixture | None = None
        self._told: set[str] = set()
        self._training: list[Training] | None = None
        self._objects: dict[tuple[Path, str], Objects | None] = {}

    @property
    def is_mixture(self) -> bool:
        """Whether there are several data sets."""
        return len(self.sources) > 1

    @property
    def mixture(self) -> Mixture:
        """All splits of all data sets, read when they are first needed."""
        if self._mixture is None and self.stream is not None:
            self._mixture = open_stream(self.stream, self.sources[0])
        if self._mixture is None:
            self._mixture = read_mixture(
                self.sources, self.root, self.on_bad_record, self.shapes, self.outside_files
            )
            for part in self._mixture.parts:
                for line in (part.skipped, part.notes):
                    if line:
                        announce(line)
        return self._mixture

    @property
    def training(self) -> list[Training]:
        """What is trained on of each data set, chosen when it is first needed."""
        if self._training is None:
            protected, problems = protected_parts(
                self.mixture,
                self.root,
                self.protected_datasets,
                self.on_bad_record,
                self.outside_files,
            )
            self._training = choose_training(
                self.mixture,
                self.train_splits,
                [*self.val_splits, *(self.test_splits or ())],
                protected,
                keep_evaluation_images=self.train_on_evaluation_images,
            )
            for problem in problems:
                announce(problem)
            for part, _, shared in self._training:
                if shared.images or not self.mixture.is_single:
                    announce(describe(part.title, shared, self.train_on_evaluation_images))
        return self._training

    @property
    def split_names(self) -> list[str]:
        """The full names of the splits to test on, in their order."""
        if self.test_splits is not None:
            return self.mixture.full_names(self.test_splits)
        names = self.mixture.other_splits(self.train_splits)
        if not names:
            raise DataError(
                f"{self.mixture.title} has no split besides those of training; name one with "
                "--data.test_splits."
            )
        return names

    @property
    def val_groups(self) -> list[list[str]]:
        """The full names of the splits to validate on; those taken together are in one list."""
        return self.mixture.together(self.val_splits)

    def expression_ids(self, splits: Sequence[str]) -> Int64[np.ndarray, " expressions"]:
        """The ids of all expressions of some splits, which an evaluation of them has to count."""
        tables = self.mixture.rows(splits)
        return np.concatenate([table.table["expression_id"].to_numpy() for table in tables])

    def expression_columns(self, splits: Sequence[str]) -> ExpressionColumns:
        """The columns about the expressions of some splits of one data set that need no model.

        Args:
            splits: by their full names.
        """
        (references,) = self.mixture.rows(splits)
        ((part, _), *_) = self.mixture.find(splits[0])
        source = part.source
        root = source.root or self.root
        if root is None or is_built_in(source, self.root, len(self.sources)):
            root = prepare_shapes(self.shapes)
        place = root, source.name
        if place not in self._objects:  # `instances.json` is long: once for all splits
            self._objects[place] = read_objects(*place)
        return ExpressionColumns(references, self._objects[place], part.references)

    def fingerprint(self, splits: Sequence[str]) -> str:
        """A hash of the content of some splits, the same wherever their files lie.

        Args:
            splits: by their full names.
        """
        prints = [table.fingerprint() for table in self.mixture.rows(splits)]
        return prints[0] if len(prints) == 1 else sha256("".join(prints).encode()).hexdigest()

    def first_expression_ids(self, splits: Sequence[str]) -> Int64[np.ndarray, " objects"]:
        """The ids of one expression of each object: the first one of its last reference."""
        tables = self.mixture.rows(splits)
        return np.concatenate([table.first_expression_ids() for table in tables])

    def draw(self) -> None:
        """Draw the built-in set, if it is one of the data sets and not there yet."""
        if self.stream is not None:
            return
        if any(is_built_in(source, self.root, len(self.sources)) for source in self.sources):
            prepare_shapes(self.shapes)

    def build_vocabulary(self, tokenizer: Tokenizer) -> None:
        """Make the vocabulary of what is trained on, and of nothing else.

        Args:
            tokenizer: that needs one.

        Raises:
            DataError: there is nothing to train on.
        """
        try:
            self.mixture.train_splits(self.train_splits)
        except DataError as error:
            raise DataError(
                f"{error} The vocabulary is built from the training splits; to take it from a "
                "trained model instead, give --data.vocabulary_from CHECKPOINT."
            ) from None
        tables = [training.references for training in self.training]
        tokenizer.build([text for table in tables for text in table.expressions.to_pylist()])

    @rank_zero_only
    def tell_cuts(self, tokenizer: Tokenizer, splits: Sequence[str], *, trains: bool) -> None:
        """Print how many sentences are too long for the tokenizer, unless it was printed before.

        Args:
            tokenizer: that reads them.
            splits: those that are evaluated.
            trains: also look at what is trained on.
        """
        tables = [training.references for training in self.training] if trains else []
        tables += self.mixture.rows(splits)
        line = describe_cuts(
            tokenizer, [text for table in tables for text in table.expressions.to_pylist()]
        )
        if line is not None and line not in self._told:
            announce(line)
            self._told.add(line)


@rank_zero_only
def announce(line: str) -> None:
    """Print a line to standard error, on the main process only.

    Args:
        line: what to tell.
    """
    print(line, file=sys.stderr)

"""The data of a run as Lightning sees it: splits, loaders, the tokenizer and the transform."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning import LightningDataModule
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from refseg.checkpoint import read_checkpoint
from refseg.data.dataset import PerImage, ReferringDataset, annotated_images
from refseg.data.features import FeatureStore
from refseg.data.loaders import make_loader, share_with_workers
from refseg.data.mixtures import DataSource, Mixture, Training, training_dataset
from refseg.data.readers import OnBadRecord
from refseg.data.references import References
from refseg.data.resuming import ResumableLoader, resumable_loader
from refseg.data.shapes import ShapesOptions
from refseg.data.splits import Splits, announce
from refseg.data.streaming.source import cache_advice, shard_order
from refseg.data.tokenizers import Tokenizer, WordTokenizer, tokenizer_from_state
from refseg.data.transforms import Augmentation, Transform
from refseg.errors import ConfigError
from refseg.files import as_path
from refseg.geometry import Fit, Resampling
from refseg.types import Batch

_DEFAULT_SHAPES = ShapesOptions()


class ReferringDataModule(LightningDataModule):
    """Images with expressions: of the built-in set, of a data set in a folder, or of several.

    In a mixture, the splits of a set are called `refcoco/val`; `val` means those of all sets that
    have one. An epoch sees each image of each set once, or, where the sets have shares, as many
    images as the sets have together, in those proportions. Each split is evaluated for itself.

    Images of evaluation splits are left out of training, and a line says how many; a photograph of
    COCO counts as the same in every data set. Any split is one of evaluation unless it is named
    in `train_splits` or called `train…`; a split that is validated or tested is one in any case.

    The vocabulary is built from what is trained on and from nothing else. Tokenizer and transform
    are stored in every checkpoint and restored from it, so that a checkpoint is complete.

    What an epoch sees, and in which order, follows from the seed of Lightning's `seed_everything`
    (0 without it) and the epoch, not from the number of workers. Training goes on exactly where a
    checkpoint in the middle of an epoch left it.

    Evaluation sees every expression. With several processes, Lightning's distributed sampler
    repeats a few images so that all processes have equally many; metrics count by expression id, so
    that no sampler of our own is needed.

    Args:
        root: the folder with the data set's annotations and images; none for the built-in set.
        dataset: `shapes` (the built-in set), or the name of the folder with the annotations under
            `root`, such as `refcoco+`. Several as a list: `[refcoco:unc, refcocog:umd]`, or
            `[{name: refcoco, share: 0.7}, {name: refcocog, split_by: umd, share: 0.3}]`.
        split_by: who made the splits (`unc`, `google`, `umd`, …); may be left out where there is
            only one partition. In a list, of the sets that name none.
        train_splits: splits to train on.
        val_splits: splits to validate on during training, taken together (in a mixture, each for
            itself; `val/…` is then their mean, and chooses the best checkpoint).
        test_splits: splits to test on, each for itself; none means all but those of training.
        image_size: side of the square that the network sees, pixels; 320 in the papers.
        batch_size: images per batch (each with its expressions); 1 in the papers.
        num_workers: processes that read and transform images.
        expressions_per_image: drawn anew at each visit of an image in training, or `all`; with
            `one_per_reference` an epoch visits each object (reference) instead, and draws one of
            its expressions. Evaluation always takes all.
        max_expressions: an image with more expressions is split over several items when all are
            taken, so that memory stays bounded.
        tokenizer: from sentences to ids; words of the training splits by default. It must suit
            the text encoder.
        augmentation: random changes in training; none by default.
        fill: value of the border around images that are not square, 0–255.
        resampling: how images and masks are scaled, there and back: `antialiased`, or, for parity
            with published models, `original` as in the code of RMI and LSTM-CNN, `pillow` as in
            that of LAVT and ReLA, or `cubic` as in that of CRIS.
        geometry: how an image that is not square gets into the network's square: `letterbox` keeps
            the shape of things and leaves a border, `squash` fills the square and scales height and
            width by factors of their own, as LAVT, ReLA and others do. Masks are evaluated in the
            image's own size in any case.
        on_bad_record: `error` stops at the first bad record of the annotations, `skip` leaves bad
            records out and says how many.
        outside_files: take files that lie outside of the folder of a table of one's own
            (`../photo.jpg`, an absolute path), too; by default they are bad records.
        shapes: what the built-in set contains.
        vocabulary_from: a checkpoint whose tokenizer is used instead of building one.
        train_on_evaluation_images: train on the images of evaluation splits too. Checkpoint and
            results say so ever after.
        protected_datasets: data sets (`NAME` or `NAME:SPLIT_BY`) under `root` whose evaluation
            images are left out of training although they are not evaluated here. By default a
            mixture keeps clear of all sets of COCO images under `root`; a single set of its own
            evaluation images only, as the field's figures for single sets do.
        stream: folder or URL (`file://`, `http(s)://`, `s3://`, …) of shards that `refseg data
            shards` packed, read while training instead of `root`. The environment variable
            REFSEG_STREAM_CACHE_GB bounds what is kept on disk.
        features: folder that `refseg data features` filled, read in place of the images: a frozen
            backbone need not see the same image again and again. Of augmentations only flips go
            with it, as the folder then has features of mirror images, too, and of no others.
    """

    def __init__(
        self,
        root: Path | str | None = None,
        dataset: list[DataSource | str] | str = "shapes",
        split_by: str | None = None,
        train_splits: Sequence[str] = ("train",),
        val_splits: Sequence[str] = ("val",),
        test_splits: Sequence[str] | None = None,
        image_size: int = 320,
        batch_size: int = 8,
        num_workers: int = 2,
        expressions_per_image: PerImage = "all",
        max_expressions: int = 16,
        tokenizer: Tokenizer | None = None,
        augmentation: Augmentation | None = None,
        fill: int = 0,
        resampling: Resampling = "antialiased",
        geometry: Fit = "letterbox",
        on_bad_record: OnBadRecord = "error",
        outside_files: bool = False,
        shapes: ShapesOptions = _DEFAULT_SHAPES,
        vocabulary_from: Path | str | None = None,
        train_on_evaluation_images: bool = False,
        protected_datasets: Sequence[str] | None = None,
        stream: str | None = None,
        features: Path | str | None = None,
    ) -> None:
        super().__init__()
        self.splits = Splits(
            root=root,
            dataset=dataset,
            split_by=split_by,
            train_splits=train_splits,
            val_splits=val_splits,
            test_splits=test_splits,
            on_bad_record=on_bad_record,
            outside_files=outside_files,
            shapes=shapes,
            train_on_evaluation_images=train_on_evaluation_images,
            protected_datasets=protected_datasets,
            stream=stream,
        )
        for name, value, least in (("batch_size", batch_size, 1), ("num_workers", num_workers, 0)):
            if value < least:
                raise ConfigError(f"Expected {name} of at least {least}, got {value}.")
        if augmentation is not None and augmentation.changes_nothing:
            augmentation = None
        if features is not None and stream is not None:
            raise ConfigError(
                "Features are of images that lie on this machine; leave out data.features or "
                "data.stream."
            )
        self.features = None if features is None else FeatureStore.open(as_path(features))
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.expressions_per_image = expressions_per_image
        self.max_expressions = max_expressions
        self.tokenizer: Tokenizer = WordTokenizer() if tokenizer is None else tokenizer
        self.transform = Transform(image_size, fill=fill, resampling=resampling, geometry=geometry)
        self.augmentation = augmentation
        self.vocabulary_from = vocabulary_from
        self.trained_on_evaluation_images: bool | None = train_on_evaluation_images
        self._vocabulary_is_ready = False
        self._training_loader: ResumableLoader | None = None
        self._where_stopped: Mapping[str, Any] | None = None

    @property
    def split_names(self) -> list[str]:
        """The full names of the splits that `test_dataloader` gives, in its order."""
        return self.splits.split_names

    @property
    def val_groups(self) -> list[list[str]]:
        """The full names of the splits of each loader that `val_dataloader` gives, in its order."""
        return self.splits.val_groups

    @property
    def mixture(self) -> Mixture:
        """All splits of all data sets, read when they are first needed."""
        return self.splits.mixture

    @property
    def training(self) -> list[Training]:
        """What is trained on of each data set, chosen when it is first needed."""
        return self.splits.training

    @property
    def flipped(self) -> list[References]:
        """What is trained on that is read mirrored, too, where flips are the only augmentation."""
        augmentation = self.augmentation
        if augmentation is None or not augmentation.only_flips or self.splits.stream is not None:
            return []
        return [training.references for training in self.training]

    @property
    def vocab_size(self) -> int:
        """Number of token ids; the text encoder's width follows from it."""
        self._prepare_vocabulary()
        return self.tokenizer.vocab_size

    def prepare_data(self) -> None:
        """Draw the built-in set, once per machine."""
        self.splits.draw()

    def setup(self, stage: str) -> None:
        """Read the annotations, and make the vocabulary unless a checkpoint brought it.

        Raises:
            ConfigError: features are to be read, and images to be changed otherwise than by flips.
        """
        self._prepare_vocabulary()
        if stage == "fit":
            if (
                self.features is not None
                and self.augmentation is not None
                and not self.augmentation.only_flips
            ):
                raise ConfigError(
                    "The features of images are read (data.features), and augmentation would "
                    "change the images: turn it off with --data.augmentation null, leave nothing "
                    "but its flips (brightness, contrast, saturation and hue 0), or leave "
                    "data.features out."
                )
            _ = self.training  # says what is left out
        evaluated = self._evaluated(stage)
        self.mixture.full_names(evaluated)  # an unknown name is found before training starts
        self.splits.tell_cuts(self.tokenizer, evaluated, trains=stage == "fit")

    def train_dataloader(self) -> DataLoader[Batch]:
        """A loader of the shuffled training splits, which resumes the epoch of a checkpoint."""
        self._prepare_vocabulary()
        seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))  # the same on all processes
        trainer = self.trainer
        share = (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)
        transform = Transform(**self.transform.state_dict(), augmentation=self.augmentation)
        if self.num_workers:
            share_with_workers(transform)
        dataset, order = training_dataset(
            self.training,
            transform,
            self.expressions_per_image,
            self.max_expressions,
            seed,
            *share,
            features=self.features,
        )
        if (stream := self.splits.stream) is not None:
            assert isinstance(dataset, ReferringDataset)  # of one data set
            order = shard_order(dataset.image_paths(), seed, *share)
            if advice := cache_advice(stream, share[0]):
                announce(advice)
        tables = [training.references for training in self.training]
        self._training_loader = resumable_loader(
            dataset, tables, order, self.tokenizer, self.batch_size, self.num_workers, trainer
        )
        if self._where_stopped is not None:
            self._training_loader.load_state_dict(self._where_stopped)
            self._where_stopped = None
        return self._training_loader

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """One loader of all validation splits, or one per split if there are several data sets."""
        loaders = [self._evaluation_loader(splits) for splits in self.val_groups]
        return loaders[0] if self.mixture.is_single else loaders

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """One loader for each of `split_names`, every expression once."""
        return [self._evaluation_loader([name]) for name in self.split_names]

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """The loaders of `test_dataloader`."""
        return self.test_dataloader()

    def check_features(self, stage: str) -> None:
        """Check that all images of a stage have features, where features are read.

        Args:
            stage: `fit`, `validate`, `test` or `predict`.

        Raises:
            DataError: an image has none.
        """
        if self.features is None:
            return
        tables = self.mixture.rows(self._evaluated(stage))
        flipped = self.flipped if stage == "fit" else []
        if stage == "fit":
            tables += [training.references for training in self.training]
        for each, are_mirrored in ((tables, False), (flipped, True)):
            images = (zip(*annotated_images(table), strict=True) for table in each)
            different = dict.fromkeys(image for of_table in images for image in of_table)
            paths, sizes = [path for path, _ in different], [size for _, size in different]
            self.features.check(paths, sizes, are_mirrored)

    def state_dict(self) -> dict[str, Any]:
        """Tokenizer, transform, what was trained on and how far, as plain numbers and texts."""
        self._prepare_vocabulary()
        loader = self._training_loader
        where_stopped = None if loader is None else loader.state_dict()
        return {
            "tokenizer": self.tokenizer.state_dict(),
            "transform": self.transform.state_dict(),
            "trained_on_evaluation_images": self.trained_on_evaluation_images,
            "where_stopped": where_stopped,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take tokenizer and transform from a checkpoint: the weights were trained with them."""
        self.tokenizer = tokenizer_from_state(state_dict["tokenizer"])
        self._vocabulary_is_ready = True
        self._where_stopped = state_dict.get("where_stopped")
        before = state_dict.get("trained_on_evaluation_images")  # None: nobody has checked
        is_evaluating = self.trainer is not None and self.trainer.state.fn != "fit"
        self.trained_on_evaluation_images = (
            before if is_evaluating else self.splits.train_on_evaluation_images or before
        )
        restored = Transform.from_state(state_dict["transform"])
        if restored.state_dict() != self.transform.state_dict():
            rank_zero_info(
                f"Using the transform of the checkpoint, {restored.state_dict()}, instead of the "
                f"config's, {self.transform.state_dict()}."
            )
        self.transform = restored

    def _evaluated(self, stage: str) -> list[str]:
        return self.splits.val_splits if stage in {"fit", "validate"} else self.split_names

    def _prepare_vocabulary(self) -> None:
        if self._vocabulary_is_ready:
            return
        if self.vocabulary_from is not None:
            state = read_checkpoint(self.vocabulary_from)["ReferringDataModule"]
            self.tokenizer = tokenizer_from_state(state["tokenizer"])
        elif self.tokenizer.needs_building:
            self.splits.build_vocabulary(self.tokenizer)
        self._vocabulary_is_ready = True

    def _evaluation_loader(self, splits: Sequence[str]) -> DataLoader[Batch]:
        self._prepare_vocabulary()
        if self.num_workers:
            share_with_workers(self.transform)
        (references,) = self.mixture.rows(splits)
        dataset = ReferringDataset(
            references, self.transform, "all", self.max_expressions, self.features
        )
        return make_loader(dataset, self.tokenizer, self.batch_size, self.num_workers)

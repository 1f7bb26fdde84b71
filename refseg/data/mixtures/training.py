"""The rows that are trained on, without evaluation images, and the shares of the data sets."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch.utils.data import ConcatDataset, Dataset

from refseg.data.dataset import PerImage, ReferringDataset
from refseg.data.features import FeatureStore
from refseg.data.mixtures.leakage import SharedImages, describe, find_shared, without
from refseg.data.mixtures.mixture import Mixture, Part
from refseg.data.references import References
from refseg.data.samplers import Order, ProportionalOrder, ShuffledOrder
from refseg.errors import DataError
from refseg.types import Sample


class Training(NamedTuple):
    """The training rows of one data set.

    Args:
        part: the data set.
        references: the rows.
        shared: what its training splits share with evaluation splits.
    """

    part: Part
    references: References
    shared: SharedImages


def choose_training(
    mixture: Mixture,
    train_splits: Sequence[str],
    evaluated: Sequence[str],
    protected: Sequence[Part] = (),
    keep_evaluation_images: bool = False,
) -> list[Training]:
    """The training rows of each set, without the images of any evaluation split of any set.

    Args:
        mixture: the data sets.
        train_splits: as `val` or `refcoco/val`.
        evaluated: splits that count as evaluation splits even if they are trained on.
        protected: further data sets whose evaluation images are not trained on.
        keep_evaluation_images: count the shared images, and train on them nevertheless.

    Raises:
        DataError: a name of `train_splits` means no split, or nothing remains of a set.
    """
    trained = mixture.train_splits(train_splits)
    named = [pair for name in evaluated for pair in mixture.find(name)]
    images: dict[str, set[str]] = {}
    for part in mixture.parts:
        own = [split for owner, split in named if owner is part]
        images[part.title] = part.evaluation_images(trained[part.name], own)
    for part in protected:
        images.setdefault(part.title, set()).update(part.evaluation_images())
    result = []
    for part in mixture.parts:
        if not trained[part.name]:
            continue
        references = part.references.split(trained[part.name])
        shared, rows = find_shared(references, part.source.name, images)
        if not keep_evaluation_images:
            references = without(references, rows)
        if not len(references):
            raise DataError(
                f"Nothing to train on is left: {describe(part.title, shared, are_kept=False)}"
            )
        result.append(Training(part, references, shared))
    if not result:
        raise DataError(
            f"None of the splits {', '.join(train_splits)} is of a data set with a share; change "
            "the shares, or name another split with --data.train_splits."
        )
    return result


def training_dataset(
    chosen: Sequence[Training],
    transform: Callable[[Sample], Sample],
    expressions_per_image: PerImage,
    max_expressions: int,
    seed: int = 0,
    processes: int = 1,
    process: int = 0,
    features: FeatureStore | None = None,
) -> tuple[Dataset[Sample], Order]:
    """The data sets end to end, and the order in which they are visited.

    Without shares an epoch sees each image of each set once.

    Args:
        chosen: at least one.
        transform: as for `ReferringDataset`, like the next two.
        expressions_per_image: per visit of an image.
        max_expressions: per item, when all are taken.
        seed: as for `Order`, like the next two.
        processes: how many share the work.
        process: the number of this one.
        features: read in place of the images.
    """
    datasets = [
        ReferringDataset(
            training.references, transform, expressions_per_image, max_expressions, features
        )
        for training in chosen
    ]
    sizes = [len(dataset) for dataset in datasets]
    shares = [training.part.source.share for training in chosen]
    order: Order = ShuffledOrder(sum(sizes), seed, processes, process)
    if len(datasets) > 1 and all(share is not None for share in shares):
        order = ProportionalOrder(
            sizes, [share or 0.0 for share in shares], seed, processes, process
        )
    return datasets[0] if len(datasets) == 1 else ConcatDataset(datasets), order

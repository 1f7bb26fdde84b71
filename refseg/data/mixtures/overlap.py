"""How many images each training split shares with each evaluation split, as tables."""

from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.table import Table

from refseg.data.mixtures.leakage import (
    SharedImages,
    evaluation_images,
    find_shared,
    is_training_split,
)
from refseg.data.mixtures.mixture import Mixture


class Overlap(NamedTuple):
    """The images that a training split and an evaluation split share.

    Args:
        training: the training split.
        evaluation: the evaluation split.
        images: in both.
        training_images: of the training split.
        evaluation_images: of the evaluation split.
        expressions: of the training split, on the shared images.
        training_expressions: of the training split.
    """

    training: str
    evaluation: str
    images: int
    training_images: int
    evaluation_images: int
    expressions: int
    training_expressions: int


def find_overlaps(mixture: Mixture) -> list[Overlap]:
    """The shared images of each pair of a training and an evaluation split, of any two data sets.

    Args:
        mixture: the data sets.
    """
    evaluated = _evaluated(mixture)
    overlaps = []
    for part in mixture.parts:
        for split in filter(is_training_split, part.references.splits):
            rows = part.references.split(split)
            for name, images in evaluated.items():
                shared, _ = find_shared(rows, part.source.name, {name: images})
                overlaps.append(
                    Overlap(
                        training=f"{part.title} {split}",
                        evaluation=name,
                        images=shared.images,
                        training_images=shared.all_images,
                        evaluation_images=len(images),
                        expressions=shared.expressions,
                        training_expressions=shared.all_expressions,
                    )
                )
    return overlaps


def find_totals(mixture: Mixture) -> dict[str, SharedImages]:
    """How many images each training split shares with all evaluation splits together.

    Args:
        mixture: the data sets.
    """
    evaluated = _evaluated(mixture)
    return {
        f"{part.title} {split}": find_shared(
            part.references.split(split), part.source.name, evaluated
        )[0]
        for part in mixture.parts
        for split in filter(is_training_split, part.references.splits)
    }


def overlap_table(overlaps: Sequence[Overlap]) -> Table:
    """A row for each pair of splits: images in both, their share of each, expressions on them.

    Args:
        overlaps: to show.
    """
    table = _table("Shared images, pair by pair")
    table.add_column("training", no_wrap=True)
    table.add_column("evaluation", no_wrap=True)
    for heading in ("images", "train %", "eval %", "sentences"):
        table.add_column(heading, justify="right")
    previous = ""
    for overlap in overlaps:
        table.add_row(
            "" if overlap.training == previous else overlap.training,
            overlap.evaluation,
            f"{overlap.images:,}",
            _percent(overlap.images, overlap.training_images),
            _percent(overlap.images, overlap.evaluation_images),
            f"{overlap.expressions:,}",
        )
        previous = overlap.training
    return table


def totals_table(totals: dict[str, SharedImages]) -> Table:
    """A row for each training split: what it shares with any evaluation split.

    Args:
        totals: by the name of the training split.
    """
    table = _table("Shared with any of them")
    table.add_column("training", no_wrap=True)
    for heading in ("images", "%", "sentences", "%"):
        table.add_column(heading, justify="right")
    for name, shared in totals.items():
        table.add_row(
            name,
            f"{shared.images:,}",
            _percent(shared.images, shared.all_images),
            f"{shared.expressions:,}",
            _percent(shared.expressions, shared.all_expressions),
        )
    return table


def as_records(overlaps: Sequence[Overlap]) -> list[dict[str, str | int]]:
    """The pairs as plain values, for JSON.

    Args:
        overlaps: to write.
    """
    return [overlap._asdict() for overlap in overlaps]


def _evaluated(mixture: Mixture) -> dict[str, set[str]]:
    named: dict[str, set[str]] = {}
    for part in mixture.parts:
        splits = [name for name in part.references.splits if not is_training_split(name)]
        images = evaluation_images(part.references, part.source.name, splits)
        named |= {f"{part.title} {split}": keys for split, keys in images.items()}
    return named


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f}" if total else "–"

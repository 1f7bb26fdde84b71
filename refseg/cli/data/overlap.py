"""`refseg data overlap`: images that training and evaluation splits share."""

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refseg.cli.parsing.argument_types import Folder, Option

if TYPE_CHECKING:
    from refseg.data.mixtures.overlap import Overlap


def overlap(
    datasets: Annotated[Sequence[str], Option(metavar="NAME[:SPLIT_BY]")] = (),
    /,
    *,
    root: Folder,
    outside_files: bool = False,
    fail: bool = False,
    json: Path | None = None,
) -> int:
    """Count the images that training and evaluation splits share.

    Counted are the images, and the expressions on them, that the training splits of some data sets
    share with the evaluation splits of any of them. Photographs of COCO are the same if their COCO
    numbers are. `refseg fit` leaves such images out of training
    (--data.train_on_evaluation_images keeps them).

    Args:
        datasets: data sets, with who made the splits where there are several; default: all under
            root
        root: the folder of the data
        outside_files: take files outside of its folder that a table of one's own names
        fail: exit with code 1 if any image is shared (for CI)
        json: write all counts, also those that are 0

    Examples:
        refseg data overlap --root DIR                     (all data sets that are there)
        refseg data overlap refcoco refcoco+ refcocog:umd --root DIR
        refseg data overlap refcocog:google --root DIR --fail --json overlap.json
    """
    from rich.console import Console

    from refseg.data.mixtures.mixture import read_mixture
    from refseg.data.mixtures.neighbours import present_sources
    from refseg.data.mixtures.overlap import (
        as_records,
        find_overlaps,
        find_totals,
        overlap_table,
        totals_table,
    )
    from refseg.data.mixtures.spec import sources_of
    from refseg.errors import DataError
    from refseg.files import write_text

    sources = sources_of(datasets) if datasets else []
    sources = sources or present_sources(root)
    if not sources:
        raise DataError(
            f"{root} has no folder with annotations (refs(*).p); give the folder of the "
            "data with --root."
        )
    mixture = read_mixture(sources, root, "skip", outside_files=outside_files)
    overlaps = find_overlaps(mixture)
    if json is not None:
        write_text(json, dumps(as_records(overlaps), indent=2) + "\n")
    console = Console()
    shared = [overlap for overlap in overlaps if overlap.images]
    if shared:
        console.print(overlap_table(shared))
        console.print(totals_table(find_totals(mixture)))
    else:
        console.print(_nothing(overlaps))
    return 1 if shared and fail else 0


def _nothing(overlaps: "list[Overlap]") -> str:
    training = dict.fromkeys(overlap.training for overlap in overlaps)
    if not training:
        return "No data set has both: a training split and, in any of them, an evaluation split."
    evaluation = dict.fromkeys(overlap.evaluation for overlap in overlaps)
    return f"No image of {', '.join(training)} is an image of {', '.join(evaluation)}."

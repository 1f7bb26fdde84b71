"""`refseg data preview`: images with the objects that sentences name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from refseg.cli.data.source import Source, options_named
from refseg.cli.parsing.argument_types import Count, Natural, Option


def preview(
    name: str,
    /,
    *,
    source: Source = Source(),  # noqa: B008 - it is frozen
    splits: Sequence[str] | None = None,
    grep: Annotated[str | None, Option(metavar="WORD")] = None,
    seed: Natural = 0,
    count: Count = 12,
    columns: Count = 3,
    output: Path | None = None,
) -> None:
    """Draw a contact sheet of a data set.

    It shows images chosen by chance, the outline of each object that is referred to, and all of its
    sentences beside a square of the same colour. A dashed outline is a box, where a data set has no
    mask; a circle stands beside sentences that name nothing in the image. With --grep, only objects
    with a matching sentence are drawn; their other sentences are grey.

    Args:
        name: the folder of the annotations, as refcoco; or shapes
        source: where it lies
        splits: only these splits; default: all
        grep: only sentences with this word (or words)
        seed: another seed draws other images
        count: number of images
        columns: images side by side
        output: the PNG file; default: NAME-preview.png

    Examples:
        refseg data preview refcoco --root DIR --split_by unc --splits val
        refseg data preview refcoco --root DIR --split_by unc --grep left --count 24
        refseg data preview shapes --seed 3 --output shapes.png
    """
    from refseg.cli.data.annotated_images import annotated_image
    from refseg.data.sampling import choose_images, with_words
    from refseg.visualization import write_png
    from refseg.visualization.contact_sheet import contact_sheet

    references = source.read(name)
    if splits is not None:
        with options_named():
            references = references.split(splits)
    found = with_words(references, grep)
    chosen = choose_images(references, found, count, seed)
    images = [annotated_image(references, rows, found) for rows in chosen.images]
    matching = "" if grep is None else f" with “{grep}”"
    title = "  ·  ".join(
        (
            f"{references.source}, {', '.join(references.splits)}",
            f"{len(images):,} of {chosen.matching:,} images{matching}",
            f"seed {seed}",
        )
    )
    path = output or Path(f"{name}-preview.png")
    write_png(path, contact_sheet(images, title, columns))
    print(title)
    print(path)

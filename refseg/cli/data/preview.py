"""`refseg data preview`: images with the objects that sentences name."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.data.source import (
    add_source_options,
    add_split_option,
    options_named,
    positive,
    read_source,
)

if TYPE_CHECKING:
    from refseg.data.references import References

DESCRIPTION = """\
Draw a contact sheet: images chosen by chance, the outline of each object that is referred to, and
all of its sentences beside a square of the same colour. A dashed outline is a box, where a data set
has no mask; a circle stands beside sentences that name nothing in the image."""

EPILOG = """\
examples:
  refseg data preview refcoco --root DIR --split_by unc --split val
  refseg data preview refcoco --root DIR --split_by unc --grep left --count 24
  refseg data preview shapes --seed 3 --out shapes.png

With --grep, only objects with a matching sentence are drawn; their other sentences are grey."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg data preview",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_source_options(options)
    add_split_option(options)
    options.add_argument("--grep", metavar="WORD", help="only sentences with this word (or words)")
    options.add_argument(
        "--seed", metavar="N", type=_seed, default=0, help="another seed draws other images"
    )
    options.add_argument(
        "--count",
        metavar="N",
        type=positive,
        default=12,
        help="number of images (default: %(default)s)",
    )
    options.add_argument(
        "--columns", metavar="N", type=positive, default=3, help="images side by side (default: 3)"
    )
    options.add_argument(
        "--out", metavar="FILE", type=Path, help="the PNG file (default: NAME-preview.png)"
    )
    return options


def run(arguments: argparse.Namespace) -> int:
    """Draw the sheet and print where it is."""
    from refseg.cli.data.annotated_images import annotated_image
    from refseg.data.sampling import choose_images, with_words
    from refseg.visualization import write_png
    from refseg.visualization.contact_sheet import contact_sheet

    references = read_source(arguments)
    if arguments.split is not None:
        with options_named():
            references = references.split(arguments.split)
    found = with_words(references, arguments.grep)
    chosen = choose_images(references, found, arguments.count, arguments.seed)
    images = [annotated_image(references, rows, found) for rows in chosen.images]
    title = _title(arguments, references, len(images), chosen.matching)
    path = arguments.out or Path(f"{arguments.name}-preview.png")
    write_png(path, contact_sheet(images, title, arguments.columns))
    print(title)
    print(path)
    return 0


def _title(
    arguments: argparse.Namespace, references: "References", shown: int, matching: int
) -> str:
    parts = [f"{references.source}, {', '.join(references.splits)}"]
    parts.append(f"{shown:,} of {matching:,} images")
    if arguments.grep is not None:
        parts[-1] += f" with “{arguments.grep}”"
    parts.append(f"seed {arguments.seed}")
    return "  ·  ".join(parts)


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a number from 0, got {value}")
    return value

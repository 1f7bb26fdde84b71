"""`refseg words`: how a model reads an expression, word by word."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.command_line import add_import_option
from refseg.errors import ConfigError

if TYPE_CHECKING:
    from refseg.inference.word_by_word import Reading

EXAMPLES = """\
examples:
  refseg words photo.jpg "the circle on the far left" --checkpoint best.ckpt
  refseg words photo.jpg "the circle on the far left" --checkpoint best.ckpt --html"""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg words",
        description="Draw what a model predicts after each word of an expression, and the mean "
        "activation of its cells: a strip (PNG) and an animation (GIF).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("image", type=Path, help="the image file")
    options.add_argument("expression", help="what the model shall read")
    options.add_argument("--checkpoint", type=Path, required=True, help="what `refseg fit` wrote")
    options.add_argument(
        "--output", type=Path, help="folder for the pictures; default: beside the image"
    )
    options.add_argument(
        "--html",
        action="store_true",
        help="also write a page, one file, on which the words can be chosen",
    )
    options.add_argument(
        "--columns", type=int, default=6, help="panels in a row of the strip; default: 6"
    )
    add_import_option(options)
    options.add_argument("--device", default="cpu", help="cpu, cuda, …; default: cpu")
    return options


def run(arguments: argparse.Namespace) -> int:
    """Read, write the pictures, and print where they are."""
    from refseg.cli.segment import file_names
    from refseg.inference.pipeline import as_pixels, load
    from refseg.visualization import word_frames, word_page, word_strip, write_gif, write_png

    pipeline = load(arguments.checkpoint, arguments.device, arguments.packages)
    if not pipeline.segmenter.reads_word_by_word:
        raise ConfigError(
            f"`refseg words` needs a model that reads word by word, but {arguments.checkpoint} has "
            f"a {type(pipeline.segmenter.fusion).__name__}; use `refseg segment`."
        )
    if arguments.columns < 1:
        raise ConfigError(f"Expected --columns of at least 1, got {arguments.columns}.")
    pixels = as_pixels(arguments.image)
    reading = pipeline.read(pixels, arguments.expression)
    folder = arguments.output or arguments.image.parent
    stem = folder / f"{arguments.image.stem}-{file_names([arguments.expression])[0]}"
    paths = {"strip": Path(f"{stem}-words.png"), "animation": Path(f"{stem}-words.gif")}
    strip = word_strip(pixels, *reading, columns=arguments.columns)
    write_png(paths["strip"], strip)
    write_gif(paths["animation"], word_frames(pixels, *reading))
    if arguments.html:
        from refseg.files import write_text

        paths["page"] = Path(f"{stem}-words.html")
        write_text(paths["page"], word_page(pixels, *reading))
    _show(reading)
    for name, path in paths.items():
        print(f"{name + ':':<11}{path}")
    return 0


def _show(reading: "Reading") -> None:
    """How much of the image is foreground after each word."""
    longest = max(map(len, reading.words))
    for word, probability in zip(reading.words, reading.probabilities, strict=True):
        print(f"{word:<{longest}}  {(probability > 0.5).mean():7.1%} of the image")

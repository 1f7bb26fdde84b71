"""`refseg segment`: masks for one's own photographs."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from refseg.cli.command_line import add_import_option
from refseg.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

    from refseg.inference.crf import CRFOptions
    from refseg.inference.pipeline import Pipeline, Segmentation

    Pixels = UInt8[np.ndarray, " height width 3"]

EXAMPLES = """\
examples:
  refseg segment photo.jpg "the large red star" --checkpoint best.ckpt
  refseg segment photo.jpg "red star" "the circle on the left" --checkpoint best.ckpt
  refseg segment photo.jpg "the circle on the far left" --checkpoint best.ckpt --words
  refseg segment photo.jpg "the large red star" --checkpoint best.ckpt --crf"""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg segment",
        description="Segment what one or more expressions name in a photograph. Writes, for each, "
        "the mask (PNG, 0 and 255, size of the photograph) and an overlay.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("photo", type=Path, help="the image file")
    options.add_argument("expressions", nargs="+", metavar="expression", help="what to segment")
    options.add_argument("--checkpoint", type=Path, required=True, help="what `refseg fit` wrote")
    options.add_argument(
        "--output", type=Path, help="folder for the pictures; default: beside the photograph"
    )
    options.add_argument(
        "--words",
        action="store_true",
        help="also draw the prediction after each word (models that read word by word)",
    )
    options.add_argument(
        "--crf",
        action="store_true",
        help="refine the masks by DenseCRF with the parameters of the RMI paper's code",
    )
    options.add_argument(
        "--crf_on",
        choices=["network", "image"],
        default="network",
        help="what DenseCRF sees: the image as the network sees it, or in its own size; "
        "default: network",
    )
    add_import_option(options)
    options.add_argument("--device", default="cpu", help="cpu, cuda, …; default: cpu")
    return options


def run(arguments: argparse.Namespace) -> int:
    """Segment, write the pictures, and print where they are."""
    from refseg.inference.pipeline import as_pixels, load

    crf = _crf(arguments.crf_on) if arguments.crf else None
    pipeline = load(arguments.checkpoint, arguments.device, arguments.packages)
    if arguments.words and not pipeline.segmenter.reads_word_by_word:
        raise ConfigError(
            f"--words needs a model that reads word by word, but {arguments.checkpoint} has a "
            f"{type(pipeline.segmenter.fusion).__name__}; leave --words out."
        )
    pixels = as_pixels(arguments.photo)
    start = time.perf_counter()
    segmentations = pipeline.segment_all(pixels, arguments.expressions, crf)
    seconds = time.perf_counter() - start
    folder = arguments.output or arguments.photo.parent
    stems = [f"{arguments.photo.stem}-{name}" for name in file_names(arguments.expressions)]
    for expression, segmentation, stem in zip(
        arguments.expressions, segmentations, stems, strict=True
    ):
        paths = _write(pixels, segmentation, folder / stem)
        if arguments.words:
            paths["words"] = _write_words(pipeline, pixels, expression, folder / stem)
        print(f"{expression}: {segmentation.mask.mean():.1%} of the image", end="")
        print(f", score {segmentation.score:.2f}")
        for name, path in paths.items():
            print(f"  {name + ':':<9}{path}")
    print(f"{seconds:.2f} s for {len(stems)} {'expression' if len(stems) == 1 else 'expressions'}")
    return 0


def _crf(on: Literal["network", "image"]) -> "CRFOptions":
    from refseg.inference.crf import CRFOptions, check_installed

    check_installed()
    return CRFOptions(on=on)


def file_names(expressions: list[str]) -> list[str]:
    """A different file name for each expression, made of its words.

    Example:
        >>> file_names(["the red star", "The red star!", "…"])
        ['the-red-star', 'the-red-star-2', 'expression']
        >>> file_names(["लाल कप"])
        ['लाल-कप']
    """
    from refseg.data.tokenizers import split_words

    names: list[str] = []
    for expression in expressions:
        words = [word.removeprefix("'") for word in split_words(expression)]
        stem = "-".join(words).encode()[:60].decode(errors="ignore").rstrip("-") or "expression"
        name, number = stem, 2
        while name in names:
            name, number = f"{stem}-{number}", number + 1
        names.append(name)
    return names


def _write(pixels: "Pixels", segmentation: "Segmentation", stem: Path) -> dict[str, Path]:
    from refseg.visualization import overlay, write_mask, write_png

    paths = {"mask": Path(f"{stem}-mask.png"), "overlay": Path(f"{stem}-overlay.png")}
    write_mask(paths["mask"], segmentation.mask)
    write_png(paths["overlay"], overlay(pixels, segmentation.mask))
    return paths


def _write_words(pipeline: "Pipeline", pixels: "Pixels", expression: str, stem: Path) -> Path:
    from refseg.visualization import word_strip, write_png

    reading = pipeline.read(pixels, expression)
    path = Path(f"{stem}-words.png")
    write_png(path, word_strip(pixels, *reading))
    return path

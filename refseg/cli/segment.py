"""`refseg segment`: masks for one's own photographs, and how a model reads their expressions."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from refseg.cli.parsing.argument_types import Checkpoint, Count, Folder, Packages
from refseg.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

    from refseg.inference.crf import CRFOptions
    from refseg.inference.pipeline import Segmentation
    from refseg.inference.word_by_word import Reading

    Pixels = UInt8[np.ndarray, " height width 3"]


def segment(
    photo: Path,
    expressions: Sequence[str],
    /,
    *,
    checkpoint: Checkpoint | None = None,
    output: Folder | None = None,
    words: bool = False,
    html: bool = False,
    columns: Count = 6,
    crf: bool = False,
    crf_on: Literal["network", "image"] = "network",
    packages: Packages = (),
    device: str = "cpu",
) -> None:
    """Segment what one or more expressions name in a photograph.

    Writes, for each expression, the mask (PNG, 0 and 255, size of the photograph) and an overlay.
    With --words, also what the model predicts after each word and the mean activation of its
    cells, as a strip (PNG) and an animation (GIF).

    Args:
        photo: the image file
        expressions: what to segment
        checkpoint: what `refseg fit` wrote; default: that of the newest finished run in runs/
        output: folder for the pictures; default: beside the photograph
        words: also draw the prediction after each word (models that read word by word)
        html: as --words, and a page, one file, on which the words can be chosen
        columns: panels in a row of the strip of words
        crf: refine the masks by DenseCRF with the parameters of the RMI paper's code
        crf_on: what DenseCRF sees: the image as the network sees it, or in its own size
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated
        device: cpu, cuda, …

    Examples:
        refseg segment photo.jpg "the large red star" --checkpoint best.ckpt
        refseg segment photo.jpg "red star" "the circle on the left" --checkpoint best.ckpt
        refseg segment photo.jpg "the circle on the far left" --checkpoint best.ckpt --words
        refseg segment photo.jpg "the circle on the far left" --checkpoint best.ckpt --html
        refseg segment photo.jpg "the large red star" --checkpoint best.ckpt --crf
    """
    from refseg.cli.newest_run import named_or_newest
    from refseg.inference.pipeline import as_pixels, load

    checkpoint = named_or_newest(checkpoint)
    options = _crf(crf_on) if crf else None
    pipeline = load(checkpoint, device, packages)
    words = words or html
    if words and not pipeline.segmenter.reads_word_by_word:
        raise ConfigError(
            f"--words needs a model that reads word by word, but {checkpoint} has a "
            f"{type(pipeline.segmenter.fusion).__name__}; leave --words out."
        )
    pixels = as_pixels(photo)
    start = time.perf_counter()
    segmentations = pipeline.segment_all(pixels, list(expressions), options)
    seconds = time.perf_counter() - start
    stems = [(output or photo.parent) / f"{photo.stem}-{name}" for name in file_names(expressions)]
    for expression, segmentation, stem in zip(expressions, segmentations, stems, strict=True):
        paths = _write(pixels, segmentation, stem)
        print(f"{expression}: {segmentation.mask.mean():.1%} of the image", end="")
        print(f", score {segmentation.score:.2f}")
        if words:
            reading = pipeline.read(pixels, expression)
            paths |= _write_words(pixels, reading, stem, columns, html)
            _show(reading)
        for name, path in paths.items():
            print(f"  {name + ':':<11}{path}")
    print(f"{seconds:.2f} s for {len(stems)} {'expression' if len(stems) == 1 else 'expressions'}")


def _crf(on: Literal["network", "image"]) -> "CRFOptions":
    from refseg.inference.crf import CRFOptions, check_installed

    check_installed()
    return CRFOptions(on=on)


def file_names(expressions: Sequence[str]) -> list[str]:
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


def _write_words(
    pixels: "Pixels", reading: "Reading", stem: Path, columns: int, html: bool
) -> dict[str, Path]:
    from refseg.files import write_text
    from refseg.visualization import word_frames, word_page, word_strip, write_gif, write_png

    paths = {"words": Path(f"{stem}-words.png"), "animation": Path(f"{stem}-words.gif")}
    write_png(paths["words"], word_strip(pixels, *reading, columns=columns))
    write_gif(paths["animation"], word_frames(pixels, *reading))
    if html:
        paths["page"] = Path(f"{stem}-words.html")
        write_text(paths["page"], word_page(pixels, *reading))
    return paths


def _show(reading: "Reading") -> None:
    """How much of the image is foreground after each word."""
    longest = max(map(len, reading.words))
    for word, probability in zip(reading.words, reading.probabilities, strict=True):
        print(f"  {word:<{longest}}  {(probability > 0.5).mean():7.1%} of the image")

"""`refseg segment`: masks for one's own photographs, and how a model reads their expressions."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from refseg.cli.parsing.argument_types import Checkpoint, Count, Folder, Option, Packages
from refseg.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

    from refseg.inference.crf import CRFOptions
    from refseg.inference.pipeline import Pipeline, Segmentation
    from refseg.inference.text_to_mask.base import TextToMaskModel
    from refseg.inference.word_by_word import Reading

    Pixels = UInt8[np.ndarray, " height width 3"]


IMAGE_ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif", ".ppm", ".pgm"),
)
"""Of the files in a folder that are taken for images."""

Sentences = Annotated[Sequence[str], Option(metavar="SENTENCE")]
Sentence = Annotated[Sequence[str], Option(metavar="SENTENCE", one_each=True)]


def segment(
    photo: Path,
    sentences: Sentences = (),
    /,
    *,
    expression: Sentence = (),
    expressions: Path | None = None,
    checkpoint: Checkpoint | None = None,
    output: Folder | None = None,
    format: Literal["png", "coco", "polygons"] = "png",
    overwrite: bool = False,
    words: bool = False,
    html: bool = False,
    columns: Count = 6,
    crf: bool = False,
    crf_on: Literal["network", "image"] = "network",
    sam: str | None = None,
    packages: Packages = (),
    device: str = "cpu",
) -> int:
    """Segment what one or more expressions name in one photograph, or in many.

    One photograph: its file, then sentences. Writes, for each sentence, the mask (PNG, 0 and 255,
    size of the photograph) and an overlay. With --words, also what the model predicts after each
    word and the mean activation of its cells, as a strip (PNG) and an animation (GIF).

    Many photographs: all words are files or folders of images, and sentences stand behind
    --expression, once for each, or in the table --expressions. Writes the masks, and a list of
    them, into one folder. Started again, the same command makes only those masks that are not
    there yet. Images that cannot be read are told and left out, and the exit code is then 1.

    Args:
        photo: an image file; with --expression or --expressions also a folder of images
        sentences: what to segment in the one photograph; with --expression, more image files and
            folders instead
        expression: what to segment in all photographs; may be repeated
        expressions: a CSV with the columns image (a path in the folder PHOTO) and expression
        checkpoint: what `refseg fit` wrote, or a text-to-mask model of transformers (CLIPSeg, SAM
            3, Grounding DINO) by its name on the Hugging Face hub or as a folder; default: that of
            the newest finished run in runs/
        output: folder for the results; default: beside the one photograph; `segmented` for many
        format: png: masks as files, and of many photographs the list predictions.jsonl; coco:
            instances.json with run lengths; polygons: the same with polygons
        overwrite: start over where the folder has masks that another checkpoint made
        words: also draw the prediction after each word (models that read word by word)
        html: as --words, and a page, one file, on which the words can be chosen
        columns: panels in a row of the strip of words
        crf: refine the masks by DenseCRF with the parameters of the RMI paper's code
        crf_on: what DenseCRF sees: the image as the network sees it, or in its own size
        sam: the SAM that makes masks of the boxes of Grounding DINO, by its name or as a folder;
            default: facebook/sam-vit-huge
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated
        device: cpu, cuda, …

    Examples:
        refseg segment photo.jpg "the large red star" --checkpoint best.ckpt
        refseg segment photo.jpg "red star" "the circle on the left" --checkpoint best.ckpt
        refseg segment photo.jpg "the circle on the far left" --checkpoint best.ckpt --words
        refseg segment photo.jpg "the circle on the far left" --checkpoint best.ckpt --html
        refseg segment photo.jpg "the large red star" --checkpoint best.ckpt --crf

        refseg segment photo.jpg "the man in pink" --checkpoint CIDAS/clipseg-rd64-refined

        refseg segment a.jpg b.jpg --expression "red star" --expression "blue circle"
        refseg segment FOLDER --expressions FILE.csv --output masks
        refseg segment FOLDER --expression "the red star" --format coco
    """
    from refseg.inference.loading import load

    photos, asked = _asked(photo, sentences, expression, expressions)
    is_one = len(photos) == 1 and expressions is None and format == "png" and not photo.is_dir()
    if not is_one and (words or html):
        raise ConfigError("--words and --html draw one photograph; name one, with its sentences.")
    if checkpoint is None:
        from refseg.cli.newest_run import default_checkpoint

        checkpoint = default_checkpoint()
    options = _crf(crf_on) if crf else None
    pipeline = load(checkpoint, device, packages, sam=sam)
    if not is_one:
        from refseg.cli.segment_many import Order, segment_photographs

        folder = output or Path("segmented")
        order = Order(photos, asked, expressions, folder, format, overwrite)
        return segment_photographs(pipeline, order, options)
    _segment_one(pipeline, checkpoint, photo, asked, output, words or html, html, columns, options)
    return 0


def _asked(
    photo: Path, sentences: Sequence[str], expression: Sequence[str], table: Path | None
) -> tuple[list[Path], list[str]]:
    """The photographs and the sentences for them, of which words can be either.

    Raises:
        ConfigError: it is not clear which is which.
    """
    many = (
        'refseg segment PHOTO PHOTO … --expression "SENTENCE"` or `refseg segment FOLDER '
        "--expressions FILE.csv"
    )
    if expression and table is not None:
        raise ConfigError(
            "Expected --expression or --expressions, got both; leave one of them out."
        )
    if expression:
        return [photo, *map(Path, sentences)], list(expression)
    if table is not None:
        if sentences or not photo.is_dir():
            raise ConfigError(
                f"Expected one folder of images with --expressions, got "
                f"{' '.join([str(photo), *sentences])}; images are named in the table {table}."
            )
        return [photo], []
    if photo.is_dir() or not sentences:
        raise ConfigError(
            f"Expected what to segment in {photo}, got nothing; say it as in `{many}`."
        )
    for sentence in sentences:
        if sentence.lower().endswith(IMAGE_ENDINGS) and os.path.isfile(sentence):  # noqa: PTH113  # Path.is_file raises where a sentence is too long for a name
            raise ConfigError(
                f"Expected sentences behind {photo}, got the file {sentence}; `{many}`."
            )
    return [photo], list(sentences)


def _segment_one(
    pipeline: "Pipeline | TextToMaskModel",
    checkpoint: Path,
    photo: Path,
    expressions: Sequence[str],
    output: Path | None,
    words: bool,
    html: bool,
    columns: int,
    options: "CRFOptions | None",
) -> None:
    from refseg.inference.pipeline import Pipeline, as_pixels

    reader = pipeline if isinstance(pipeline, Pipeline) and words else None
    if words and (reader is None or not reader.segmenter.reads_word_by_word):
        has = type(pipeline if reader is None else reader.segmenter.fusion).__name__
        raise ConfigError(
            f"--words needs a model that reads word by word, but {checkpoint} has a {has}; leave "
            "--words out."
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
        if reader is not None:
            reading = reader.read(pixels, expression)
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

"""`refseg segment` with many photographs: requests, progress, results, and what was left out."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

from filelock import FileLock, Timeout
from rich.console import Console

from refseg.cli.segment import IMAGE_ENDINGS, file_names
from refseg.data.readers.records import BadRecords
from refseg.data.readers.tables import read_csv
from refseg.errors import ConfigError, DataError
from refseg.files import replacing, write_text
from refseg.inference.coco import coco_content
from refseg.inference.crf import CRFOptions
from refseg.inference.journal import Journal, fingerprint
from refseg.inference.many import Request, Segmented, segment_many
from refseg.inference.pipeline import Pipeline
from refseg.inference.text_to_mask.base import TextToMaskModel
from refseg.masks import decode
from refseg.progress import tracked
from refseg.visualization import write_mask

JOURNAL = "segmented.jsonl"
"""Which masks are made: what the same command need not make again."""
_MASKS = "masks"


class Order(NamedTuple):
    """What a user asks for.

    Args:
        photos: image files and folders of them.
        expressions: for all images; none: those of the table.
        table: a CSV with the columns image and expression; None: `expressions` are given.
        output: folder of the results.
        form: of the masks.
        overwrite: start over where the folder has masks of another checkpoint.
    """

    photos: Sequence[Path]
    expressions: Sequence[str]
    table: Path | None
    output: Path
    form: Literal["png", "coco", "polygons"]
    overwrite: bool


def segment_photographs(
    pipeline: Pipeline | TextToMaskModel, order: Order, crf: CRFOptions | None
) -> int:
    """Segment all that is asked for, write it, and say how fast it was and what was left out.

    Args:
        pipeline: that segments.
        order: what is asked for.
        crf: refine the masks by DenseCRF.

    Returns:
        The exit code: 1 where anything had to be left out.

    Raises:
        ConfigError: there is nothing to do, or the folder has masks of something else.
        DataError: the table cannot be read, or the model knows no word of an expression.
    """
    console = Console(stderr=True)
    bad: list[str] = []
    requests = _requests(pipeline, order, bad)
    for message in bad:
        _tell(console, message)
    with _alone_in(order.output):
        made_by = {
            "format": 1,
            "model": fingerprint(pipeline),
            "crf": None if crf is None else crf.on,
        }
        journal = Journal(order.output / JOURNAL, made_by, order.overwrite)
        start = time.perf_counter()
        found = []
        steps = segment_many(pipeline, requests, journal, crf)
        try:
            for each in tracked(steps, "Segmenting", total=len(requests), console=console):
                found.append(each)
                if each.error is not None:
                    _tell(console, str(each.error))
                elif order.form == "png":
                    _write_masks(order.output, each)
        except KeyboardInterrupt:
            _tell(console, "Stopped; the same command goes on.")
            raise
        seconds = time.perf_counter() - start
        list_of_all = _write_list(order, found)
    failed = len(bad) + sum(each.error is not None for each in found)
    _sum_up(found, seconds, list_of_all, failed)
    return 1 if failed else 0


def _requests(pipeline: Pipeline | TextToMaskModel, order: Order, bad: list[str]) -> list[Request]:
    if order.table is not None:
        (folder,) = order.photos
        requests = _requests_of_table(pipeline, folder, order.table, bad)
    else:
        expressions = tuple(dict.fromkeys(order.expressions))
        for expression in expressions:
            pipeline.check(expression)
        named = dict(_named_images(order.photos, order.output))
        requests = [Request(name, path, expressions) for path, name in named.items()]
    if not requests and not bad:
        raise ConfigError(
            f"Expected images to segment, found none in {', '.join(map(str, order.photos))}; known "
            f"are the endings {' '.join(IMAGE_ENDINGS)}."
        )
    return requests


def _named_images(photos: Sequence[Path], output: Path) -> Iterator[tuple[Path, str]]:
    """The image files with the names that results call them by: of a single folder, in it."""
    ours = {(output / _MASKS).absolute()}
    if output.absolute() not in {photo.absolute() for photo in photos}:
        ours.add(output.absolute())
    for photo in photos:
        if not photo.is_dir():
            yield photo, str(photo)
            continue
        for folder, folders, files in os.walk(photo):
            here = Path(folder)
            folders[:] = sorted(
                name for name in folders if name[:1] != "." and (here / name).absolute() not in ours
            )
            for name in sorted(files):
                path = here / name
                if path.suffix.lower() in IMAGE_ENDINGS and name[:1] != ".":
                    is_alone = len(photos) == 1
                    yield path, (path.relative_to(photo) if is_alone else path).as_posix()


def _requests_of_table(
    pipeline: Pipeline | TextToMaskModel, folder: Path, table: Path, bad: list[str]
) -> list[Request]:
    records = BadRecords("skip")
    sentences: dict[str, dict[str, None]] = {}
    for line in read_csv(table, ("image", "expression"), records):
        with records.guard():
            image, expression = (
                str(line.values.get(name) or "").strip() for name in ("image", "expression")
            )
            if not image:
                raise DataError(f"{line.record}: its image is missing.")
            try:
                pipeline.check(expression)
            except DataError as error:
                raise DataError(f"{line.record}: {error}") from None
            sentences.setdefault(image, {})[expression] = None
    bad += records.messages
    return [Request(name, folder / name, tuple(texts)) for name, texts in sentences.items()]


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep others from writing there at the same time.

    Raises:
        ConfigError: somebody does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".segment.lock", timeout=0):
            yield
    except Timeout:
        raise ConfigError(
            f"Another `refseg segment` writes in {folder}; wait for it, or name another --output."
        ) from None


def _tell(console: Console, message: str) -> None:
    console.print(f"refseg: {message}", markup=False, highlight=False, soft_wrap=True)


def mask_file(image: Path, expression: str) -> str:
    """The name of a mask's file: readable, and another one for each image and each sentence.

    Args:
        image: the file that was segmented.
        expression: the sentence.

    Example:
        >>> mask_file(Path("/photos/dog.jpg"), "the dog / on the left?")
        'dog-the-dog-on-the-left-81aaf3df371d.png'
    """
    content = f"{image.absolute()}\0{expression}".encode("utf-8", "backslashreplace")
    stem = re.sub(r"[^\w.]+", "-", image.stem).encode()[:60].decode(errors="ignore").strip(".-")
    (words,) = file_names([expression])
    return f"{stem or 'image'}-{words}-{sha256(content).hexdigest()[:12]}.png"


def _write_masks(output: Path, found: Segmented) -> None:
    for expression, kept in found.masks.items():
        path = output / _MASKS / mask_file(found.request.path, expression)
        if found.is_new or not path.is_file():
            write_mask(path, decode(kept.mask))


def _write_list(order: Order, found: Sequence[Segmented]) -> Path:
    """Write the list of all masks, last of all: who finds it finds what it names."""
    if order.form == "png":
        path = order.output / "predictions.jsonl"
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for each in found:
                file.writelines(f"{json.dumps(record)}\n" for record in _records(each))
        return path
    path = order.output / "instances.json"
    masks_as: Literal["run_lengths", "polygons"] = (
        "polygons" if order.form == "polygons" else "run_lengths"
    )
    write_text(path, json.dumps(coco_content(found, masks_as)))
    return path


def _records(found: Segmented) -> Iterator[Mapping[str, Any]]:
    for expression, kept in found.masks.items():
        yield {
            "image": found.request.name,
            "expression": expression,
            "mask": f"{_MASKS}/{mask_file(found.request.path, expression)}",
            "score": round(kept.score, 6),
        }


def _sum_up(found: Sequence[Segmented], seconds: float, path: Path, failed: int) -> None:
    usable = [each for each in found if each.error is None]
    new = sum(each.is_new for each in usable)
    masks = sum(len(each.masks) for each in usable)
    before = len(usable) - new
    there = f", {before:,} of them there before" if before else ""
    print(f"{_number(masks, 'mask')} of {_number(len(usable), 'image')}{there}: {path}")
    if failed:
        print(f"{_number(failed, 'record')} left out, for the reasons told above")
    if new:
        print(f"{new / seconds:.2f} images per second ({_number(new, 'image')}, {seconds:.1f} s)")


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

"""Whether the images are there, have the right size, and can be decoded."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

from refseg.data.images import image_exists, image_size, read_image
from refseg.data.references import References
from refseg.data.verification.findings import Finding
from refseg.errors import DataError


class ListedImage(NamedTuple):
    """An image as the annotations have it; sizes in pixels."""

    image_id: int
    path: Path
    height: int
    width: int


def listed_images(references: References) -> list[ListedImage]:
    """Each image that an expression asks about, once."""
    groups = references.images()
    table = references.table.take(groups.rows[groups.offsets[:-1]])
    columns = [table[name].to_pylist() for name in ("image_id", "image_path", "height", "width")]
    return [
        ListedImage(number, Path(path), height, width)
        for number, path, height, width in zip(*columns, strict=True)
    ]


def check_image(listed: ListedImage, pixels: bool = True) -> Finding | None:
    """What is wrong with an image file, if anything is.

    Args:
        listed: the image as the annotations have it.
        pixels: decode the whole image rather than its header only.
    """
    record = f"image {listed.image_id}, {listed.path.name}"
    try:
        if not image_exists(listed.path):
            return Finding("image absent", record, f"Expected the file {listed.path}.")
        height, width = image_size(listed.path)
        if (height, width) != (listed.height, listed.width):
            return Finding(
                "image size",
                record,
                f"Expected {listed.width} × {listed.height} pixels as the annotations say, found "
                f"{width} × {height}.",
            )
        if pixels:
            read_image(listed.path)
    except DataError as error:
        return Finding("image unreadable", record, str(error))
    return None


def check_images(
    images: list[ListedImage], pixels: bool = True, jobs: int = 1, progress: bool = False
) -> list[Finding]:
    """What is wrong with image files, in their order.

    Threads share the work: nearly all of it is done in the decoder, which lets others run.

    Args:
        images: as `listed_images` gives them.
        pixels: decode whole images rather than their headers only.
        jobs: number of threads.
        progress: show a progress bar, if stderr is a terminal.
    """
    steps = track(
        _in_threads(images, pixels, jobs),
        total=len(images),
        description="Decoding images" if pixels else "Reading image headers",
        console=Console(stderr=True),
        disable=not (progress and sys.stderr.isatty()),
        transient=True,
    )
    return [finding for finding in steps if finding is not None]


def _in_threads(images: list[ListedImage], pixels: bool, jobs: int) -> Iterator[Finding | None]:
    executor = ThreadPoolExecutor(max_workers=jobs)
    try:
        yield from executor.map(partial(check_image, pixels=pixels), images)
    finally:
        executor.shutdown(cancel_futures=True)  # after Ctrl-C, do not work off what is waiting

"""Where the images of a data set lie: in a folder, or in a zip file as it was downloaded."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from refseg.data.containers import index_of
from refseg.data.images import image_exists
from refseg.data.readers.named_files import image_in
from refseg.errors import DataError

IMAGE_FOLDERS = (
    "images/train2014",
    "images/mscoco/images/train2014",
    "train2014",
    "images/saiapr_tc-12",
    "images/{dataset}",
    "images/{dataset}/JPEGImages",  # of RRSIS-D
    "images",
)
"""Where images are looked for, relative to the root: the layouts in which people keep them. Each
may be a folder, or a zip file beside where the folder would be."""

_EXAMPLES = 8


def find_images(root: Path, dataset: str, file_names: Iterable[str]) -> Path:
    """The folder of the images; a folder within a zip file where there is no other.

    A root with COCO and ReferIt has several: the one that holds most of some of this set's images
    is taken, and the first one where none holds any.

    Args:
        root: of the data.
        dataset: name of the folder with the annotations.
        file_names: of the data set's images; the first few are looked for.

    Raises:
        DataError: there is no folder and no zip file of images, or a zip file is damaged.
    """
    examples = list(islice(dict.fromkeys(file_names), _EXAMPLES))
    best, most = None, -1
    for place in _places(root, dataset):
        found = sum(image_exists(image_in(place, name)) for name in examples)
        if found > most:
            best, most = place, found
        if found == len(examples):
            break
    if best is None:
        folders = ", ".join(name.format(dataset=dataset) for name in IMAGE_FOLDERS)
        raise DataError(
            f"{root} has no folder of images; put them into one of {folders}, or put train2014.zip "
            "there as it was downloaded."
        )
    return best


def image_archives(root: Path, dataset: str) -> list[Path]:
    """The zip files in which `find_images` looks, whether they are there or not.

    Args:
        root: as for `find_images`.
        dataset: as for `find_images`.
    """
    folders = [root / name.format(dataset=dataset) for name in IMAGE_FOLDERS]
    return [folder.with_name(f"{folder.name}.zip") for folder in folders]


def _places(root: Path, dataset: str) -> Iterator[Path]:
    """Folders first, then the insides of zip files."""
    folders = [root / name.format(dataset=dataset) for name in IMAGE_FOLDERS]
    yield from (folder for folder in folders if folder.is_dir())
    for archive in image_archives(root, dataset):
        if archive.is_file():
            yield from (archive / inside for inside in index_of(archive).folders)

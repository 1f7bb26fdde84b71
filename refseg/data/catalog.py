"""The known data sets: what they are called, how large they are, where their files are found.

Mirrors, sizes and checksums change more often than code does: they are data, in `catalog.yaml`
beside this file, each with the source in which it was found.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from refseg.errors import ConfigError

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class SplitSize:
    """How much a split holds as published; None where no source was found for a number."""

    references: int | None
    images: int | None
    expressions: int | None


@dataclass(frozen=True)
class KnownFile:
    """A file as it is published: an archive that is unpacked, or a file that is kept as it is.

    Args:
        name: the file's name, such as `refcoco.zip`.
        folder: where its content belongs, relative to the root of the data.
        holds: what lies in `folder` when it is in place, as glob patterns.
        mirrors: addresses that give the file itself, best first.
        pages: addresses where a person finds a copy (a shared drive, a thread).
        size: number of bytes, where a source is known.
        sha256: checksum in hexadecimal, where a source is known.
        kept_as: for an archive that is read without unpacking it: its place under the root.
        is_part: its folder is filled by several archives; which of them is remembered there.
    """

    name: str
    folder: str
    holds: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    kept_as: str | None = None
    is_part: bool = False

    @property
    def marker(self) -> str:
        """Name of the file that tells that this part has been unpacked."""
        return f".{self.name}.unpacked"

    @property
    def is_archive(self) -> bool:
        """Whether the file has to be unpacked (or is read packed)."""
        return self.name.endswith(ARCHIVE_ENDINGS)


@dataclass(frozen=True)
class ImageSet:
    """Photographs that one or more data sets lie on.

    Args:
        name: what `refseg data download` calls it, such as `train2014`.
        title: its full name.
        images: number of image files as published.
        enough: number of images that the data sets here need; more are not fetched.
        pattern: glob pattern of the image files' names.
        folders: where people keep the images, relative to the root; `{dataset}` stands for the
            name of the data set.
        archives: where people keep the archive, for sets that are read without unpacking.
        files: what to download.
        licence: terms in one phrase.
        source: where it is described.
    """

    name: str
    title: str
    images: int
    enough: int
    pattern: str
    folders: tuple[str, ...]
    archives: tuple[str, ...]
    files: tuple[KnownFile, ...]
    licence: str
    source: str


@dataclass(frozen=True)
class KnownDataset:
    """A published data set.

    Args:
        name: its name, which is also the folder of its annotations under the root.
        title: its full name.
        partitions: for each partition (who made the splits), the published size of each split.
        needs: for each partition, the files in the folder that it is read from.
        files: what to download for the annotations.
        image_set: name of the images that it lies on, a key of `IMAGE_SETS`; None for the built-in
            set, which draws its own.
        licence: terms in one phrase.
        source: where it is described.
    """

    name: str
    title: str
    partitions: Mapping[str, Mapping[str, SplitSize]]
    needs: Mapping[str, tuple[str, ...]]
    files: tuple[KnownFile, ...]
    image_set: str | None
    licence: str
    source: str

    @property
    def uses_coco_images(self) -> bool:
        """Whether its images are COCO's: then equal image ids mean the same photograph."""
        return self.image_set == "train2014"

    def splits(self, split_by: str | None = None) -> Mapping[str, SplitSize]:
        """The published sizes of a partition's splits.

        Args:
            split_by: name of the partition; may be left out where there is only one.

        Raises:
            ConfigError: there is no such partition, or several and none was named.

        Example:
            >>> CATALOG["refcoco"].splits("unc")["testA"].expressions
            5657
        """
        if split_by is None and len(self.partitions) == 1:
            (split_by,) = self.partitions
        if split_by is None or split_by not in self.partitions:
            got = "none was named" if split_by is None else f"got '{split_by}'"
            raise ConfigError(
                f"{self.name} has the partitions {', '.join(self.partitions)}; {got}. Choose one "
                "of them."
            )
        return self.partitions[split_by]


def known(name: str) -> KnownDataset | ImageSet:
    """The data set or the set of images of a name.

    Raises:
        ConfigError: there is none; the message names those that are similar.

    Example:
        >>> known("train2014").title
        'COCO train2014 photographs'
    """
    everything: dict[str, KnownDataset | ImageSet] = {**CATALOG, **IMAGE_SETS}
    if name in everything:
        return everything[name]
    similar = difflib.get_close_matches(name.lower(), everything, n=1)
    raise ConfigError(
        f"Unknown data set '{name}'{f'; did you mean {similar[0]}?' if similar else '.'} "
        f"Known are {', '.join(CATALOG)}, and the images {', '.join(IMAGE_SETS)}."
    )


@cache
def _content() -> dict[str, dict[str, dict[str, Any]]]:
    path = Path(__file__).with_suffix(".yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _file(record: Mapping[str, Any]) -> KnownFile:
    lists = ("holds", "mirrors", "pages")
    return KnownFile(**{**record, **{key: tuple(record.get(key, ())) for key in lists}})


def _image_set(name: str, record: Mapping[str, Any]) -> ImageSet:
    lists = {key: tuple(record.get(key, ())) for key in ("folders", "archives")}
    return ImageSet(
        **{
            "enough": record["images"],
            **record,
            **lists,
            "name": name,
            "files": tuple(map(_file, record["files"])),
        }
    )


def _dataset(name: str, record: Mapping[str, Any]) -> KnownDataset:
    sizes = {
        partition: {split: SplitSize(*size) for split, size in content["splits"].items()}
        for partition, content in record["partitions"].items()
    }
    needs = {key: tuple(content["needs"]) for key, content in record["partitions"].items()}
    files = tuple(map(_file, record.get("files", ())))
    return KnownDataset(
        **{**record, "name": name, "partitions": sizes, "needs": needs, "files": files}
    )


IMAGE_SETS: Mapping[str, ImageSet] = {
    name: _image_set(name, record) for name, record in _content()["image_sets"].items()
}
"""The sets of photographs, by name."""

CATALOG: Mapping[str, KnownDataset] = {
    name: _dataset(name, record) for name, record in _content()["datasets"].items()
}
"""The known data sets, by name."""

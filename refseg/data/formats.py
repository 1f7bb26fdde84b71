"""The formats of annotations and the file names by which each is recognised."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

GREFCOCO_REFS = ("grefs(*).json", "grefs(*).p")
"""Names of gRefCOCO's file of references; early copies have a pickle."""

REFER_REFS = ("refs(*).p",)

REFERIT_QUERIES = "referit_query_*.json"
REFERIT_NAMES = ("referit", "referitgame")

PHRASECUT_IMAGES = "image_data_split3000.json"
PHRASECUT_NAMES = ("phrasecut", "vgphrasecut_v0")

HUB_SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"} | {
    name: name for name in ("testA", "testB", "testC")
}
"""The hub's names of splits, and REFER's."""

HUB_FILE = re.compile(
    rf"({'|'.join(HUB_SPLITS)})(?:-(?P<part>\d+)-of-(?P<parts>\d+)[^.]*)?\.parquet", re.ASCII
)

_ENDINGS = (".p", ".json", ".jsonl", ".csv", ".parquet")

TABLES = ("annotations.csv", "annotations.jsonl")
"""Names of the table of one's own data, of which a folder has one."""


class Format(NamedTuple):
    """A format of annotations.

    Args:
        title: what messages call it.
        described: by which files it is recognised, in words.
        find: the files by which it is recognised, of a data set under a root; none if it is
            another format.
        names: what its data set is called, in lower case: under these names its files may lie in
            the root itself.
    """

    title: str
    described: str
    find: Callable[[Path, str], list[Path]]
    names: tuple[str, ...] = ()


def folder_with(root: Path, dataset: str, pattern: str, names: Sequence[str]) -> Path | None:
    """The folder of a data set: `root/dataset`, or `root` itself where its files lie there.

    The files in `root` itself count only if the data set is asked for by the name of its format or
    of the folder, so that a slip in the name never reads another data set.

    Args:
        root: the folder of the data.
        dataset: its name, as the user gave it.
        pattern: of a file that only this format has.
        names: what the format's data set is called, in lower case.
    """
    if any((root / dataset).glob(pattern)):
        return root / dataset
    if _may_lie_in_root(root, dataset, names) and any(root.glob(pattern)):
        return root
    return None


def _may_lie_in_root(root: Path, dataset: str, names: Sequence[str]) -> bool:
    return dataset.lower() in {*names, root.resolve().name.lower()}


def parquet_files(root: Path, dataset: str) -> list[tuple[str, Path]]:
    """The files of a data set with the split that each belongs to, in the hub's names.

    They lie in `root/dataset`, or in its folder `data` where the hub's repository was cloned.

    Args:
        root: the folder of the data.
        dataset: name of the folder with the files.
    """
    for folder in (root / dataset, root / dataset / "data"):
        matches = [
            (HUB_FILE.fullmatch(path.name), path) for path in sorted(folder.glob("*.parquet"))
        ]
        found = [(match[1], path) for match, path in matches if match is not None]
        if found:
            return found
    return []


def _matching(patterns: Sequence[str]) -> Callable[[Path, str], list[Path]]:
    def find(root: Path, dataset: str) -> list[Path]:
        return [path for name in patterns for path in sorted((root / dataset).glob(name))]

    return find


def _beside(pattern: str, names: Sequence[str]) -> Callable[[Path, str], list[Path]]:
    def find(root: Path, dataset: str) -> list[Path]:
        folder = folder_with(root, dataset, pattern, names)
        return [] if folder is None else sorted(folder.glob(pattern))

    return find


def _tables(root: Path, dataset: str) -> list[Path]:
    return [path for name in TABLES if (path := root / dataset / name).is_file()]


GREFCOCO = Format("gRefCOCO", GREFCOCO_REFS[0], _matching(GREFCOCO_REFS))
REFER = Format("REFER", REFER_REFS[0], _matching(REFER_REFS))
REFERIT = Format("ReferIt", REFERIT_QUERIES, _beside(REFERIT_QUERIES, REFERIT_NAMES), REFERIT_NAMES)
PHRASECUT = Format(
    "PhraseCut", PHRASECUT_IMAGES, _beside(PHRASECUT_IMAGES, PHRASECUT_NAMES), PHRASECUT_NAMES
)
HUB = Format(
    "Hugging Face hub",
    "train-*.parquet and the like, here or in data/",
    lambda root, dataset: [path for _, path in parquet_files(root, dataset)],
)
FOLDER = Format("one's own data", " or ".join(TABLES), _tables)

FORMATS = (GREFCOCO, REFER, REFERIT, PHRASECUT, HUB, FOLDER)
"""All formats; the first that fits is read."""


def format_of(root: Path, dataset: str) -> Format | None:
    """The format of a data set's files, or None if there are none of a known format.

    Args:
        root: the folder of the data.
        dataset: name of the folder with the annotations under `root`, or `.` for `root` itself.
    """
    return next((form for form in FORMATS if form.find(root, dataset)), None)


def consulted_for(form: Format, root: Path, dataset: str) -> list[Path]:
    """The root, if a new file in it could make the data set one of another format.

    Args:
        form: that `format_of` found.
        root: as for `format_of`.
        dataset: as for `format_of`.
    """
    earlier = FORMATS[: FORMATS.index(form)]
    looks = any(one.names and _may_lie_in_root(root, dataset, one.names) for one in earlier)
    return [root] if looks else []


def datasets_under(root: Path) -> dict[str, Format]:
    """The folders under a root, and `.` for the root itself, that have annotations.

    Args:
        root: the folder of the data; it exists.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     (Path(name) / "mine").mkdir()
        ...     _ = (Path(name) / "mine" / "annotations.csv").write_text("image,expression,mask")
        ...     [(dataset, form.title) for dataset, form in datasets_under(Path(name)).items()]
        [('mine', "one's own data")]
    """
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    names = [".", *(name for name in folders if not name.startswith("."))]
    found = {name: format_of(root, name) for name in names if _has_annotations(root / name)}
    return {name: form for name, form in found.items() if form is not None}


def _has_annotations(folder: Path) -> bool:
    """Whether any file of a folder has an ending of annotations; the folder is listed once."""
    for place in (folder, folder / "data"):
        try:
            with os.scandir(place) as entries:
                if any(entry.name.endswith(_ENDINGS) for entry in entries):
                    return True
        except OSError:  # there is none, or it may not be read
            continue
    return False

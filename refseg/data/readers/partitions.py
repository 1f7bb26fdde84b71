"""The file of a data set's expressions, among those of its partitions (`unc`, `google`, …)."""

from collections.abc import Sequence
from pathlib import Path

from refseg.errors import DataError


def find_partition(
    root: Path, dataset: str, split_by: str | None, patterns: Sequence[str]
) -> tuple[Path, str]:
    """The file with the expressions of a data set, and who made its splits.

    Args:
        root: the folder of the data.
        dataset: name of the folder with the annotations under `root`.
        split_by: who made the splits; may be left out where there is only one file.
        patterns: names of the file with `*` in place of `split_by`, the preferred one first.

    Raises:
        DataError: the file or a folder is absent, or `split_by` is needed to choose.
    """
    folder = root / dataset
    if not root.is_dir():
        raise DataError(
            f"The folder {root} is absent; give the folder of the data with --data.root."
        )
    if not folder.is_dir():
        raise DataError(
            f"{root} has no folder '{dataset}' with annotations; "
            f"{_folders_there(root, patterns)}. Set --data.root and --data.dataset."
        )
    present: dict[str, Path] = {}
    for pattern in patterns:
        before, after = pattern.split("*")
        for path in sorted(folder.glob(pattern)):
            present.setdefault(path.name[len(before) : -len(after)], path)
    there = ", ".join(path.name for path in present.values())
    if not present:
        raise DataError(f"{folder} has no {patterns[0]}; put the annotations of {dataset} there.")
    if split_by is None:
        if len(present) > 1:
            raise DataError(
                f"{folder} has several partitions ({there} are there); choose one with "
                "--data.split_by."
            )
        (split_by,) = present
    if split_by not in present:
        verb = "is" if len(present) == 1 else "are"
        raise DataError(
            f"{folder} has no {patterns[0].replace('*', split_by)}; {there} {verb} there. Choose "
            "with --data.split_by."
        )
    return present[split_by], split_by


def _folders_there(root: Path, patterns: Sequence[str]) -> str:
    found = {path.parent.name for pattern in patterns for path in root.glob(f"*/{pattern}")}
    return f"it has {', '.join(sorted(found))}" if found else "it has none of this kind"

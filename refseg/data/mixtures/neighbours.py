"""Finds the data sets under a folder whose evaluation images a mixture must not train on."""

from collections.abc import Collection, Sequence
from pathlib import Path

from refseg.data.catalog import CATALOG
from refseg.data.mixtures.leakage import COCO, image_collection
from refseg.data.mixtures.mixture import Mixture, Part, read_source
from refseg.data.mixtures.spec import DataSource, parse_source
from refseg.data.presence import find_partitions, has_parquet
from refseg.data.readers import OnBadRecord
from refseg.errors import ConfigError, DataError

CUSTOMARY = {"refcoco": "unc", "refcoco+": "unc", "refcocog": "umd"}
"""The partitions that the field reports on, where a data set is published with several."""


def present_sources(root: Path) -> list[DataSource]:
    """The data sets with annotations under a folder, each of their partitions for itself.

    Args:
        root: the folder of the data.
    """
    files = sorted([*root.glob("*/refs(*).p"), *root.glob("*/grefs(*).json")])
    found = [
        DataSource(path.parent.name, path.name.partition("(")[2].rpartition(")")[0])
        for path in files
    ]
    names = {source.name for source in found}
    for dataset in CATALOG.values():  # those that are published in other formats
        is_complete = any(
            dataset.needs[partition] and not absent
            for partition, absent in find_partitions(root, dataset).items()
        )
        if dataset.name not in names and (is_complete or has_parquet(root, dataset)):
            found.append(DataSource(dataset.name))
    return found


def coco_neighbours(root: Path, taken: Collection[str]) -> tuple[list[Part], list[str]]:
    """The data sets under a folder that lie on COCO's images and are not in the mixture.

    Of a data set with several partitions, the one that the field reports on is taken, if it is
    there: the others are other cuts through the same images, which nobody evaluates beside it.

    Args:
        root: the folder of the data.
        taken: names of the data sets in the mixture.

    Returns:
        the data sets, and a line for each one that cannot be read.
    """
    present = present_sources(root)
    parts, problems = [], []
    for source in present:
        customary = DataSource(source.name, CUSTOMARY.get(source.name))
        is_other_cut = customary in present and source != customary
        if (
            source.name in taken
            or is_other_cut
            or image_collection(source.name) not in (None, COCO)
        ):
            continue
        try:
            part = Part(source.name, source, read_source(source, root, "skip"))
        except DataError as error:
            problems.append(
                f"{source.title} cannot be read, so its evaluation images are not left out of "
                f"training: {error}"
            )
            continue
        if part.lies_on_coco:
            parts.append(part)
    return parts, problems


def protected_parts(
    mixture: Mixture,
    root: Path | None,
    names: Sequence[str] | None = None,
    on_bad_record: OnBadRecord = "error",
    outside_files: bool = False,
) -> tuple[list[Part], list[str]]:
    """The data sets that are not in the mixture, but whose evaluation images are not trained on.

    Args:
        mixture: what is trained on and evaluated.
        root: the folder of the data.
        names: of data sets, as `NAME` or `NAME:SPLIT_BY`. None means, for a mixture with images of
            COCO, all sets of COCO images that lie beside it; for a single set, none.
        on_bad_record: as for `open_references`.
        outside_files: as for `open_references`.

    Returns:
        the data sets, and a line for each one that cannot be read though nobody asked for it.

    Raises:
        ConfigError: names are given, but no folder.
        DataError: a set that is named cannot be read.
    """
    if names:
        if root is None:
            raise ConfigError("data.protected_datasets needs a folder: give it with --data.root.")
        sources = [parse_source(name) for name in names]
        tables = [read_source(s, root, on_bad_record, outside_files) for s in sources]
        return [Part(s.name, s, rows) for s, rows in zip(sources, tables, strict=True)], []
    if names is not None or mixture.is_single:
        return [], []
    if not any(part.lies_on_coco for part in mixture.parts):
        return [], []
    roots = [part.source.root or root for part in mixture.parts]
    taken = [part.source.name for part in mixture.parts]
    found = [coco_neighbours(folder, taken) for folder in dict.fromkeys(roots) if folder]
    return [p for parts, _ in found for p in parts], [line for _, lines in found for line in lines]

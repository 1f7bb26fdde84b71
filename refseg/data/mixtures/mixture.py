"""Several data sets as one: reads them and resolves the names of their splits."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from refseg.data.cache import open_references
from refseg.data.mixtures.leakage import COCO, evaluation_images, image_keys, is_training_split
from refseg.data.mixtures.spec import DataSource, labels_of
from refseg.data.readers import OnBadRecord
from refseg.data.references import References
from refseg.data.shapes import ShapesOptions, prepare_shapes
from refseg.errors import DataError


class Part(NamedTuple):
    """One data set of a mixture.

    Args:
        name: what results call it.
        source: what the config says of it.
        references: all its rows.
    """

    name: str
    source: DataSource
    references: References

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.references.source

    @property
    def lies_on_coco(self) -> bool:
        """Whether any of its photographs is COCO's."""
        keys = image_keys(self.references, self.source.name).dictionary.to_pylist()
        return any(key.startswith(f"{COCO}:") for key in keys)

    @property
    def skipped(self) -> str | None:
        """One line about the records that were left out, if there are any."""
        if not self.references.skipped:
            return None
        first, *others = self.references.skipped
        if not others:
            return f"{self.title}: 1 bad record is left out: {first}"
        return f"{self.title}: {len(others) + 1:,} bad records are left out; the first: {first}"

    @property
    def notes(self) -> str | None:
        """A line about what the reader corrected or assumed, or an empty text."""
        if not self.references.notes:
            return None
        first, *others = self.references.notes
        more = f" ({len(others):,} more such notes)" if others else ""
        return f"{self.title}: {first}{more}"

    def single_splits(self, name: str) -> list[str]:
        """The splits that a name stands for here (`trainval` for two); none if it means none.

        Args:
            name: of a split, or of a union of splits.
        """
        try:
            return self.references.single_splits(name)
        except DataError:
            return []

    def evaluation_images(
        self, trained: Iterable[str] = (), evaluated: Iterable[str] = ()
    ) -> set[str]:
        """The keys of the images of all splits that are not for training.

        Args:
            trained: splits to train on.
            evaluated: splits that are evaluated, even if they are trained on.
        """
        by_name = {name for name in self.references.splits if not is_training_split(name)}
        single = [split for name in trained for split in self.single_splits(name)]
        named = [split for name in evaluated for split in self.single_splits(name)]
        chosen = by_name.difference(single).union(named)
        images = evaluation_images(self.references, self.source.name, chosen)
        return set().union(*images.values())


class Mixture:
    """The data sets of a run, one or several.

    With one, a split is called by its name: `val`. With several, `refcoco/val` is that split of
    that set, and `val` means the split of every set that has one. Results are named accordingly.

    The sets stay apart: an item is an image with expressions of one set, and each split of each set
    is evaluated for itself. Ids of expressions are unique within a set only, so the pair of set and
    id names an expression of a mixture; ids stay those that were published, and none is ever
    compared with one of another set.

    Args:
        parts: at least one, with different names.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)

    @property
    def is_single(self) -> bool:
        """Whether there is one data set only."""
        return len(self.parts) == 1

    @property
    def title(self) -> str:
        """What messages call it."""
        return ", ".join(part.title for part in self.parts)

    @property
    def splits(self) -> list[str]:
        """All splits of all sets, by their full names."""
        return [
            self._full_name(part, split) for part in self.parts for split in part.references.splits
        ]

    def find(self, name: str) -> list[tuple[Part, str]]:
        """The splits that a name means, with their data sets; none if there is no such split.

        Args:
            name: `val`, or `refcoco/val`.
        """
        owner, _, split = name.rpartition("/")
        parts = [part for part in self.parts if not owner or part.name == owner]
        return [(part, split) for part in parts if part.single_splits(split)]

    def full_names(self, names: Iterable[str]) -> list[str]:
        """The splits that some names mean, each by its full name, in the order of the names.

        Args:
            names: `val`, or `refcoco/val`.

        Raises:
            DataError: a name means no split.
        """
        found = [self._full_name(part, split) for part, split in self._resolve(names)]
        return list(dict.fromkeys(found))

    def other_splits(self, names: Iterable[str]) -> list[str]:
        """All splits but some, by their full names.

        Args:
            names: as for `full_names`; those that mean no split leave none out.
        """
        left_out = {
            self._full_name(part, single)
            for name in names
            for part, split in self.find(name)
            for single in (split, *part.single_splits(split))
        }
        return [name for name in self.splits if name not in left_out]

    def together(self, names: Iterable[str]) -> list[list[str]]:
        """Groups of splits that are evaluated together: all of a single data set, else each alone.

        Args:
            names: as for `full_names`.

        Raises:
            DataError: a name means no split.
        """
        full_names = self.full_names(names)
        return [full_names] if self.is_single else [[name] for name in full_names]

    def rows(self, names: Iterable[str]) -> list[References]:
        """The rows of some splits, a table for each data set that has any of them.

        Args:
            names: as for `full_names`.

        Raises:
            DataError: a name means no split.
        """
        chosen = self._resolve(names)
        tables = []
        for part in self.parts:
            splits = list(dict.fromkeys(split for owner, split in chosen if owner is part))
            if splits:
                tables.append(part.references.split(splits))
        return tables

    def train_splits(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The splits of each set to train on, by the set's name; none for a set without share.

        Args:
            names: as for `full_names`.

        Raises:
            DataError: a name means no split, or a set with a share has none of them.
        """
        chosen = self._resolve(names)
        every = [name for name in names if "/" not in name]
        splits: dict[str, list[str]] = {}
        for part in self.parts:
            own = list(dict.fromkeys(split for owner, split in chosen if owner is part))
            if part.source.share == 0:
                own = []
            elif every and not own:
                raise DataError(
                    f"{part.title} has no split '{every[0]}' to train on; its splits are "
                    f"{', '.join(part.references.splits)}. Name one, as in {part.name}/SPLIT, with "
                    "--data.train_splits, or give the set the share 0 to evaluate it only."
                )
            splits[part.name] = own
        return splits

    def _resolve(self, names: Iterable[str]) -> list[tuple[Part, str]]:
        return [pair for name in names for pair in self._resolve_one(name)]

    def _resolve_one(self, name: str) -> list[tuple[Part, str]]:
        found = self.find(name)
        if found:
            return found
        owner, _, split = name.rpartition("/")
        parts = [part for part in self.parts if not owner or part.name == owner]
        if not parts:
            raise DataError(
                f"Unknown data set '{owner}' in the split '{name}'; choose one of "
                f"{', '.join(part.name for part in self.parts)}."
            )
        known = self.splits if len(parts) > 1 else parts[0].references.splits
        raise DataError(
            f"Unknown split '{split}' of {', '.join(part.title for part in parts)}; choose one "
            f"of {', '.join(known) or '(it has no rows at all)'}. Name the splits of a run with "
            "--data.train_splits, --data.val_splits and --data.test_splits."
        )

    def _full_name(self, part: Part, split: str) -> str:
        return split if self.is_single else f"{part.name}/{split}"


def read_mixture(
    sources: Sequence[DataSource],
    root: Path | None,
    on_bad_record: OnBadRecord = "error",
    shapes: ShapesOptions | None = None,
    outside_files: bool = False,
) -> Mixture:
    """Read the data sets of a mixture.

    Args:
        sources: at least one.
        root: the folder of those that name none.
        on_bad_record: as for `open_references`.
        shapes: what the built-in set contains.
        outside_files: as for `open_references`.

    Raises:
        ConfigError: two sets cannot be told apart.
        DataError: as `open_references`.
    """
    parts = []
    for label, source in zip(labels_of(sources), sources, strict=True):
        folder = source.root or root
        if folder is None or is_built_in(source, root, len(sources)):
            folder = prepare_shapes(shapes or ShapesOptions())
        parts.append(Part(label, source, read_source(source, folder, on_bad_record, outside_files)))
    return Mixture(parts)


def read_source(
    source: DataSource, root: Path, on_bad_record: OnBadRecord, outside_files: bool = False
) -> References:
    """Read one data set.

    Args:
        source: the data set.
        root: the folder of its data, unless it names one itself.
        on_bad_record: as for `open_references`.
        outside_files: as for `open_references`.

    Raises:
        DataError: as `open_references`.
    """
    folder = source.root or root
    return open_references(folder, source.name, source.split_by, on_bad_record, outside_files)


def is_built_in(source: DataSource, root: Path | None, count: int) -> bool:
    """Whether a data set is the built-in one, and no folder of the user's.

    Args:
        source: the data set.
        root: the folder of the others.
        count: of data sets in the mixture.
    """
    if source.name != "shapes" or source.root is not None:
        return False
    return root is None or (count > 1 and not (root / source.name).is_dir())

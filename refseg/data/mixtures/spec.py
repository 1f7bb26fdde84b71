"""Names of the data sets of a run, as configs and the command line write them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from refseg.errors import ConfigError
from refseg.files import as_path


@dataclass(frozen=True)
class DataSource:
    """One data set of a mixture.

    Args:
        name: of the folder with the annotations, such as `refcoco+`; `shapes` is the built-in set.
        split_by: who made the splits (`unc`, `google`, `umd`, …); may be left out where there is
            only one partition.
        share: of the images that are drawn in training, relative to the shares of the other sets;
            0 for a set that is evaluated only. None for all sets: each image once per epoch.
        root: the folder of its data, where that is not the one of the other sets.

    Raises:
        ConfigError: a share is no share, or a name is none.
    """

    name: str
    split_by: str | None = None
    share: float | None = None
    root: Path | None = None

    def __post_init__(self) -> None:
        """Check name and share."""
        if not self.name or re.search(r"[\[\]{},]", self.name):
            raise ConfigError(
                f"'{self.name}' is no data set: expected NAME, NAME:SPLIT_BY, or a mixture such as "
                "[refcoco:unc, {name: refcocog, split_by: umd, share: 0.5}] (the keys are name, "
                "split_by, share and root)."
            )
        if self.share is not None and not (math.isfinite(self.share) and self.share >= 0):
            raise ConfigError(
                f"Expected the share of {self.title} to be 0 or more, got {self.share}."
            )

    @property
    def title(self) -> str:
        """How messages name it.

        Example:
            >>> DataSource("refcocog", "umd").title
            'refcocog (umd)'
        """
        return self.name if self.split_by is None else f"{self.name} ({self.split_by})"


def parse_source(text: str, split_by: str | None = None) -> DataSource:
    """The data set that `NAME` or `NAME:SPLIT_BY` means.

    Args:
        text: as in `refcocog:umd`.
        split_by: of a text that names none.

    Raises:
        ConfigError: there is no name.

    Example:
        >>> parse_source("refcocog:umd")
        DataSource(name='refcocog', split_by='umd', share=None, root=None)
    """
    name, _, own = text.partition(":")
    return DataSource(name, own or split_by)


def sources_of(
    dataset: str | Sequence[str | DataSource], split_by: str | None = None
) -> list[DataSource]:
    """The data sets that the options `dataset` and `split_by` mean.

    Args:
        dataset: one set or several.
        split_by: of those that name none.

    Raises:
        ConfigError: there is none, one is there twice, or only some have a share.
    """
    given = [dataset] if isinstance(dataset, str) else list(dataset)
    sources = [
        parse_source(entry, split_by)
        if isinstance(entry, str)
        else replace(
            entry,
            split_by=entry.split_by or split_by,
            root=None if entry.root is None else as_path(entry.root),
        )
        for entry in given
    ]
    if not sources:
        raise ConfigError("Expected at least one data set in data.dataset, got an empty list.")
    places = [(source.name, source.split_by, source.root) for source in sources]
    for source, place in zip(sources, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"The mixture has {source.title} twice; name it once, with a share.")
    without = [source.title for source in sources if source.share is None]
    if without and any(source.share for source in sources):
        raise ConfigError(
            f"Expected a share for each data set of the mixture or for none of them; "
            f"{', '.join(without)} has none."
        )
    if not without and not any(source.share for source in sources):
        raise ConfigError("Every share is 0: there is nothing to train on.")
    return sources


def labels_of(sources: Sequence[DataSource]) -> list[str]:
    """A name for each data set of a mixture, which sets it apart from the others in results.

    Raises:
        ConfigError: two sets cannot be told apart.

    Example:
        >>> labels_of([parse_source(t) for t in ("refcoco:unc", "refcocog:umd", "refcocog:google")])
        ['refcoco', 'refcocog-umd', 'refcocog-google']
    """
    names = [source.name for source in sources]
    labels = [
        f"{source.name}-{source.split_by}"
        if names.count(source.name) > 1 and source.split_by is not None
        else source.name
        for source in sources
    ]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(
                f"Two data sets of the mixture are called '{label}'; tell them apart by split_by."
            )
    return labels

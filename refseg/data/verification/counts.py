"""Compares the size of a data set with the published counts."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from refseg.data.catalog import CATALOG, SplitSize
from refseg.data.references import References
from refseg.data.schema import SPLIT_ORDER
from refseg.data.verification.findings import Finding


@dataclass(frozen=True)
class SplitCount:
    """How much a split holds.

    Args:
        split: its name.
        found: what was counted.
        published: what should be there; None where nothing is known.
    """

    split: str
    found: SplitSize
    published: SplitSize | None

    @property
    def finding(self) -> Finding | None:
        """What is wrong, if anything is."""
        pairs = [
            (getattr(self.published, name, None), getattr(self.found, name), name)
            for name in ("references", "images", "expressions")
        ]
        wrong = [
            f"{expected:,} {name}, found {found:,}"
            for expected, found, name in pairs
            if expected is not None and expected != found
        ]
        if not wrong:
            return None
        return Finding("count", f"split {self.split}", f"Expected {'; '.join(wrong)}.")


def published_sizes(dataset: str, split_by: str | None, source: str) -> dict[str, SplitSize]:
    """The published sizes of the splits of a partition; empty where it is not in the catalogue.

    Args:
        dataset: its name.
        split_by: the partition, or None for the one that was read.
        source: how the reader names the data set, such as `refcoco (unc)`.
    """
    if dataset not in CATALOG:
        return {}
    named = re.search(r"\(([^()]+)\)$", source)
    partition = split_by or (named[1] if named else None)
    partitions = CATALOG[dataset].partitions
    if partition not in partitions and len(partitions) == 1:
        (partition,) = partitions
    return dict(partitions.get(partition or "", {}))


def count_splits(references: References, published: dict[str, SplitSize]) -> list[SplitCount]:
    """Count references, images and expressions of each split that is there or should be.

    Args:
        references: all splits.
        published: as `published_sizes` gives them.
    """
    present = references.splits
    places = {name: place for place, name in enumerate(SPLIT_ORDER)}
    names = sorted({*present, *published}, key=lambda name: (places.get(name, len(places)), name))
    return [
        SplitCount(
            name,
            _size(references.split(name)) if name in present else SplitSize(0, 0, 0),
            published.get(name),
        )
        for name in names
    ]


def _size(references: References) -> SplitSize:
    reference_ids = references.table["reference_id"]
    images = len(references.images().offsets) - 1
    return SplitSize(pc.count_distinct(reference_ids).as_py(), images, len(references))


def check_expressions(references: References) -> list[Finding]:
    """Ids that occur twice, and expressions without a word."""
    ids = references.table["expression_id"].to_numpy()
    values, counts = np.unique(ids, return_counts=True)
    findings = [
        Finding("expression", f"sent_id {number}", f"the sent_id {number} occurs {count} times.")
        for number, count in zip(
            values[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True
        )
    ]
    has_word = pc.match_substring_regex(references.expressions, r"\p{L}|\p{N}")
    for row in np.flatnonzero(~np.asarray(has_word, bool)).tolist():
        record = references.record(row).partition(", ")[2]
        findings.append(Finding("expression", record, "the expression has no word."))
    return findings

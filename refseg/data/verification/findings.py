"""The kinds of findings that a verification can have."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "file",
    "record",
    "expression",
    "image absent",
    "image unreadable",
    "image size",
    "orientation",
    "mask damaged",
    "mask empty",
    "mask area",
    "count",
]

MEANINGS: dict[Kind, str] = {
    "file": "a file is missing or broken, so that nothing more could be checked",
    "record": "not what the format promises",
    "expression": "an id occurs twice, or there is no word",
    "image absent": "the file is not there",
    "image unreadable": "no image, cut short or damaged",
    "image size": "not the size that the annotations say",
    "orientation": "an EXIF orientation that turns the image and not its size, so that masks may "
    "be drawn on the picture as it is seen (which is taken for right) or as it is stored",
    "mask damaged": "run lengths that do not fit the image",
    "mask empty": "names an object, but covers no pixel",
    "mask area": "covers more or less than the annotations say",
    "count": "not as many as published",
}
"""The kinds of findings, in the order in which tables show them."""

_CHANGING = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d.,]*")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or unclear.

    Args:
        kind: what kind of thing, a key of `MEANINGS`.
        record: where: a file, or the ids of a record.
        message: what was expected and what was found.
    """

    kind: Kind
    record: str
    message: str


def grouped(findings: Iterable[Finding]) -> list[tuple[Kind, str, list[Finding]]]:
    """Findings side by side that differ in ids and numbers only, the largest groups first.

    Args:
        findings: of any kinds.

    Returns:
        For each group its kind, what is wrong in words, and its findings. Groups are in the order
        of `MEANINGS`. Bad records are grouped by the reason that the reader gave.

    Example:
        >>> bad = [Finding("record", f"ref_id {n}", f"its ann_id {n} is absent.") for n in (7, 8)]
        >>> [(kind, reason, len(group)) for kind, reason, group in grouped(bad)]
        [('record', 'its ann_id … is absent.', 2)]
    """
    groups: dict[tuple[Kind, str], list[Finding]] = {}
    for finding in findings:
        reason = MEANINGS[finding.kind]
        if finding.kind in ("record", "expression"):
            reason = _CHANGING.sub("…", finding.message)
        groups.setdefault((finding.kind, reason), []).append(finding)
    order = list(MEANINGS)
    ranked = sorted(groups.items(), key=lambda item: (order.index(item[0][0]), -len(item[1])))
    return [(kind, reason, group) for (kind, reason), group in ranked]

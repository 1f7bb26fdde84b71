"""Is a data set what was published? Files, records, images, masks and counts."""

from refseg.data.verification.counts import SplitCount
from refseg.data.verification.findings import MEANINGS, Finding, Kind, grouped
from refseg.data.verification.masks import CheckedMasks
from refseg.data.verification.verification import Verification, verify

__all__ = [
    "MEANINGS",
    "CheckedMasks",
    "Finding",
    "Kind",
    "SplitCount",
    "Verification",
    "grouped",
    "verify",
]

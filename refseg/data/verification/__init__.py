"""Is a data set what was published? Files, records, images, masks and counts.

In come a root and the name of a data set, out comes a list of findings. Open `verification` first.
"""

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

"""`refseg data verify`: is a data set what was published?"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.data.source import Source, options_named
from refseg.cli.parsing.argument_types import Count

if TYPE_CHECKING:
    from refseg.data.verification import Verification

_JOBS = min(8, os.cpu_count() or 1)


def verify(
    name: str,
    /,
    *,
    source: Source = Source(),  # noqa: B008 - it is frozen
    no_pixels: bool = False,
    no_counts: bool = False,
    jobs: Count = _JOBS,
    examples: Count = 3,
    json: Path | None = None,
) -> int:
    """Check every file, record, image and mask of a data set.

    Its counts are compared with the published ones. Exit code 0: nothing is wrong. 1: something is;
    a table says what, with the ids of the records. 2: there is no such data set or partition.

    Without --no_pixels every image is decoded: of all checks this takes longest, and it is the only
    one that finds an image that is cut short.

    Args:
        name: the folder of the annotations, as refcoco; or shapes
        source: where it lies
        no_pixels: read the headers of images only, and do not decode them
        no_counts: do not compare with the published counts (for a part of a data set)
        jobs: images to decode at a time
        examples: records to show of each problem
        json: write everything found to this file

    Examples:
        refseg data verify refcoco --root DIR --split_by unc
        refseg data verify refcoco --root DIR --split_by unc --no_pixels
        refseg data verify mine --root DIR --json problems.json
    """
    from rich.console import Console

    from refseg.cli.data.findings import report, write_json
    from refseg.data import verification

    root = source.folder(name)
    with options_named():
        found: Verification = verification.verify(
            root,
            name,
            source.split_by,
            outside_files=source.outside_files,
            pixels=not no_pixels,
            counts=not no_counts,
            jobs=jobs,
            progress=True,
        )
    report(found, root, not no_pixels, examples, Console())
    if json is not None:
        write_json(json, found, root)
        print(json)
    return 0 if found.is_clean else 1

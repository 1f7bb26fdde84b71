"""Runs all checks of the files of a data set."""

from dataclasses import dataclass
from pathlib import Path

from refseg.data.objects import read_objects
from refseg.data.readers import read_references
from refseg.data.verification.counts import (
    SplitCount,
    check_expressions,
    count_splits,
    published_sizes,
)
from refseg.data.verification.findings import Finding
from refseg.data.verification.images import check_images, listed_images
from refseg.data.verification.masks import CheckedMasks, check_masks
from refseg.errors import DataError
from refseg.files import as_path


@dataclass(frozen=True)
class Verification:
    """What was checked and what was found.

    Args:
        source: the data set, as messages name it.
        counts: how much each split holds.
        images: how many image files are listed.
        masks: what became of the masks.
        findings: everything that is wrong.
        unclear: what only a look can tell (`refseg data preview`), and which is taken one way.
        notes: what the reader put right or took for granted (published sizes that are known to be
            wrong, masks that are black).
    """

    source: str
    counts: tuple[SplitCount, ...]
    images: int
    masks: CheckedMasks
    findings: tuple[Finding, ...]
    unclear: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(
    root: Path | str,
    dataset: str,
    split_by: str | None = None,
    *,
    outside_files: bool = False,
    pixels: bool = True,
    counts: bool = True,
    jobs: int = 1,
    progress: bool = False,
) -> Verification:
    """Check every record, image and mask of a data set, and its counts against the published ones.

    The published files are read anew, never a cache. Bad records are left out and listed, so that
    one does not hide the others.

    Args:
        root: the folder of the data.
        dataset: name of the folder with the annotations under `root`.
        split_by: who made the splits; may be left out where there is one partition.
        outside_files: take files outside of its folder that one's own table names, too.
        pixels: decode every image rather than its header only.
        counts: compare with the published sizes, where the catalogue has them.
        jobs: number of threads for the images.
        progress: say how far it is, as `tracked` does.

    Raises:
        DataError: there is no such data set or partition. Broken files are findings instead.
    """
    root = as_path(root)
    try:
        references = read_references(root, dataset, split_by, "skip", outside_files)
        objects = read_objects(root, dataset)
    except DataError as error:
        if "--data." in str(error) or not root.is_dir():  # the remedy is another option
            raise
        finding = Finding("file", dataset, _relative(str(error), root))
        return Verification(dataset, (), 0, CheckedMasks(0, 0, 0, 0, ()), (finding,))
    published = published_sizes(dataset, split_by, references.source) if counts else {}
    split_counts = count_splits(references, published)
    images = listed_images(references)
    masks = check_masks(references, objects)
    seen = check_images(images, pixels, jobs, progress)
    findings = [
        *(_bad_record(message, root) for message in references.skipped),
        *check_expressions(references),
        *(finding for finding in seen if finding.kind != "orientation"),
        *masks.findings,
        *(count.finding for count in split_counts),
    ]
    return Verification(
        references.source if len(references) else dataset,
        tuple(split_counts),
        len(images),
        masks,
        tuple(finding for finding in findings if finding is not None),
        tuple(finding for finding in seen if finding.kind == "orientation"),
        tuple(_relative(note, root) for note in references.notes),
    )


def _bad_record(message: str, root: Path) -> Finding:
    """What a reader says of a record that it left out: `FILE, RECORD: reason`."""
    record, colon, reason = _relative(message, root).partition(": ")
    return Finding("record", record, reason) if colon else Finding("record", "", record)


def _relative(message: str, root: Path) -> str:
    # The verb that shows it has options of other names than the trainer's.
    return message.replace(f"{root}/", "").replace("--data.", "--")

"""`refseg data import`: one's own data as label tools export them."""

import sys
from pathlib import Path

from refseg.cli.parsing.argument_types import Folder

_SHOWN = 5


def import_labels(
    file: Path,
    /,
    *,
    output: Folder,
    images: Folder | None = None,
    split: str | None = None,
    overwrite: bool = False,
) -> int:
    """Make a data set of one's own of what a label tool has exported.

    Writes annotations.jsonl, which `--data data/folder.yaml` trains on. It reads COCO's
    instances.json whose annotations have a `caption` or an `expression` (a text or a list of them);
    Label Studio's export JSON, with polygons and brushes and a TextArea or Choices for each region;
    CVAT for images 1.1 (XML), with polygons and masks that have an attribute `expression` or
    `caption`. Records that cannot be used are told and left out, and the exit code is then 1.

    Args:
        file: the export; unpack it if it is a zip file
        output: folder of the new data set; images that lie in it already are not copied
        images: folder of the images; default: --output, or beside the export, or `images` in these
        split: name of the split of all objects; default: train
        overwrite: replace annotations.jsonl

    Examples:
        refseg data import instances.json --output DIR/pets
        refseg data import annotations.xml --images photos --output DIR/pets --split train
        refseg data import project-1.json --output photos           (where the images lie)

        refseg fit --config rmi.yaml --data data/folder.yaml --data.root DIR --data.dataset pets
    """
    from refseg.data.label_tools.importing import import_labels as make

    made = make(file, output, images, split, overwrite)
    for message in made.bad[:_SHOWN]:
        print(f"refseg: left out: {message}", file=sys.stderr)
    if len(made.bad) > _SHOWN:
        print(f"refseg: and {len(made.bad) - _SHOWN:,} more", file=sys.stderr)
    print(
        f"{made.title}: {made.objects:,} objects with {made.expressions:,} expressions on "
        f"{made.images:,} images: {made.table}"
    )
    if made.silent:
        print(f"{len(made.silent):,} objects without a sentence, as {made.silent[0]}")
    if made.bad:
        print(f"{len(made.bad):,} records were left out, for the reasons told above")
    return 1 if made.bad else 0

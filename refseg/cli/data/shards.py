"""`refseg data shards`: pack a data set for streaming."""

from collections.abc import Sequence
from typing import Annotated, Literal

from refseg.cli.data.source import Source
from refseg.cli.parsing.argument_types import Folder, Option


def shards(
    name: str,
    /,
    *,
    source: Source = Source(),  # noqa: B008 - it is frozen
    output: Folder,
    splits: Sequence[str] | None = None,
    shard_size: Annotated[float, Option(metavar="MB")] = 64.0,
    on_bad_record: Literal["error", "skip"] = "error",
) -> None:
    """Pack a data set into tar files of about one size.

    They are to be put on a web server or into an object store and read from there while training,
    for data that is larger than the disk. The image files are taken as they are. The folder appears
    when it is complete; a run that was broken off leaves nothing and is simply started again.

    Other programs read the shards as WebDataset: an item is an image and a JSON with the
    expressions, ids and masks (COCO's run lengths) of that image.

    Args:
        name: the folder of the annotations, as refcoco; or shapes
        source: where it lies
        output: new folder for the shards
        splits: default: all
        shard_size: of each tar file
        on_bad_record: stop at the first bad record, or leave bad records out

    Examples:
        refseg data shards refcoco --root DIR --split_by unc --output refcoco-shards
        refseg data shards refcoco+ --root DIR --splits train val --shard_size 256 --output shards
        refseg data shards shapes --output shapes-shards               (the built-in set)

        Upload the folder as it is, and read it from any of:
        refseg fit --config rmi.yaml --data.stream refcoco-shards
        refseg fit --config rmi.yaml --data.stream https://host/refcoco-shards
        refseg fit --config rmi.yaml --data.stream s3://bucket/refcoco-shards
    """
    from refseg.data.streaming.writer import write_shards

    references = source.open(name, on_bad_record)
    index = write_shards(references, output, name, splits, shard_size)
    for split, counts in index.splits.items():
        sizes = [shard.size for shard in index.shards if shard.split == split]
        print(
            f"{split + ':':<8}{counts['images']:>8,} images{counts['expressions']:>10,} expressions"
            f"{len(sizes):>6,} shards of together {sum(sizes) / 1e6:,.1f} MB"
        )
    if references.skipped:
        print(f"{len(references.skipped):,} bad records were left out.")
    print(f"Packed {index.source} into {output}; read it with --data.stream {output}")

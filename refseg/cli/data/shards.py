"""`refseg data shards`: pack a data set for streaming."""

import argparse
from pathlib import Path

from refseg.cli.data.source import (
    add_source_options,
    options_named,
    outside_files,
    root_of,
)

DESCRIPTION = """\
Pack a data set into tar files of about one size, to be put on a web server or into an object store
and read from there while training, for data that is larger than the disk. The image files are taken
as they are. The folder appears when it is complete; a run that was broken off leaves nothing and is
simply started again."""

EPILOG = """\
examples:
  refseg data shards refcoco --root DIR --split_by unc --out refcoco-shards
  refseg data shards refcoco+ --root DIR --splits train val --shard_size 256 --out shards
  refseg data shards shapes --out shapes-shards                      (the built-in set)

Upload the folder as it is, and read it from any of:
  refseg fit --config rmi.yaml --data.stream refcoco-shards
  refseg fit --config rmi.yaml --data.stream https://host/refcoco-shards
  refseg fit --config rmi.yaml --data.stream s3://bucket/refcoco-shards

Other programs read the shards as WebDataset: an item is an image and a JSON with the expressions,
ids and masks (COCO's run lengths) of that image."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg data shards",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_source_options(options)
    options.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="new folder for the shards"
    )
    options.add_argument("--splits", nargs="+", metavar="SPLIT", help="default: all")
    options.add_argument(
        "--shard_size", type=float, default=64.0, metavar="MB", help="of each tar file; default: 64"
    )
    options.add_argument(
        "--on_bad_record",
        choices=["error", "skip"],
        default="error",
        help="stop at the first bad record, or leave bad records out; default: error",
    )
    return options


def run(arguments: argparse.Namespace) -> int:
    """Read, pack, and print what was packed."""
    from refseg.data.cache import open_references
    from refseg.data.streaming.writer import write_shards

    with options_named():
        references = open_references(
            root_of(arguments),
            arguments.name,
            arguments.split_by,
            arguments.on_bad_record,
            outside_files(arguments),
        )
    index = write_shards(
        references, arguments.out, arguments.name, arguments.splits, arguments.shard_size
    )
    for split, counts in index.splits.items():
        sizes = [shard.size for shard in index.shards if shard.split == split]
        print(
            f"{split + ':':<8}{counts['images']:>8,} images{counts['expressions']:>10,} expressions"
            f"{len(sizes):>6,} shards of together {sum(sizes) / 1e6:,.1f} MB"
        )
    if references.skipped:
        print(f"{len(references.skipped):,} bad records were left out.")
    print(f"Packed {index.source} into {arguments.out}; read it with --data.stream {arguments.out}")
    return 0

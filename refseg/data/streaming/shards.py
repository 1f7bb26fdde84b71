"""The content of a folder of shards: `index.json`, and the rows of all of its images."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from refseg.data.readers.records import get
from refseg.data.references import References
from refseg.data.schema import SCHEMA
from refseg.data.streaming.storage import address_of, is_remote, read_bytes, stored
from refseg.errors import DataError

INDEX = "index.json"
REFERENCES = "references.arrow"
FORMAT = "refseg shards"
FORMAT_VERSION = 1
_FILE_NAME = re.compile(r"\w[\w.+-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredFile:
    """A file of the folder.

    Args:
        name: without folders.
        size: in bytes.
        sha256: of the content, in hexadecimal digits.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Shard(StoredFile):
    """A tar file with images and their annotations.

    Args:
        split: whose images it has.
        images: how many.
        expressions: how many are said of them.
    """

    split: str
    images: int
    expressions: int


@dataclass(frozen=True)
class ShardIndex:
    """The content of `index.json`.

    Args:
        dataset: name of the data set.
        source: name and partition of the data set, as messages show it.
        fingerprint: `References.fingerprint` of the rows.
        splits: of each split the numbers of its expressions, references and images.
        references: the file with the rows.
        shards: in the order in which images appear in the rows, split by split.
        versions: of the programs that wrote the folder.
    """

    dataset: str
    source: str
    fingerprint: str
    splits: Mapping[str, Mapping[str, int]]
    references: StoredFile
    shards: tuple[Shard, ...]
    versions: Mapping[str, str]

    def shard(self, name: str) -> Shard:
        """The shard of that name.

        Raises:
            DataError: there is none.
        """
        for shard in self.shards:
            if shard.name == name:
                return shard
        raise DataError(f"The index of {self.source} names no shard '{name}'.")

    def to_json(self) -> str:
        """As `index.json` holds it."""
        head = {"format": FORMAT, "format_version": FORMAT_VERSION}
        return json.dumps(head | asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: bytes, where: str) -> "ShardIndex":
        """Read and check what `to_json` wrote: it may come from anywhere.

        Args:
            text: the content of the file.
            where: its address, for messages.

        Raises:
            DataError: it is something else, or of a version that is not known here.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is no index of shards ({error}).") from None
        kind, version = (
            get(content, "format", str, where),
            get(content, "format_version", int, where),
        )
        if (kind, version) != (FORMAT, FORMAT_VERSION):
            raise DataError(
                f"{where}: expected '{FORMAT}' of version {FORMAT_VERSION}, got '{kind}' of "
                f"version {version}; pack the data set again with `refseg data shards`, or update "
                "refseg."
            )
        splits = {
            name: {key: get(counts, key, int, where) for key in _COUNTS}
            for name, counts in get(content, "splits", dict, where).items()
        }
        versions = get(content, "versions", dict, where)
        return cls(
            dataset=get(content, "dataset", str, where),
            source=get(content, "source", str, where),
            fingerprint=get(content, "fingerprint", str, where),
            splits=splits,
            references=StoredFile(**_file(get(content, "references", dict, where), where)),
            shards=tuple(_shard(record, where) for record in get(content, "shards", list, where)),
            versions={name: str(version) for name, version in versions.items()},
        )


_COUNTS = ("expressions", "references", "images")
_OPTIONAL = "category"  # earlier versions packed none
_NEEDED = [name for name in SCHEMA.names if name not in ("raw", _OPTIONAL)]
_indexes: dict[str, ShardIndex] = {}  # of this process, by address


def open_shards(stream: str) -> References:
    """The rows of a data set that `refseg data shards` packed; its images are fetched when read.

    Args:
        stream: folder or URL with the shards: `file://`, `http(s)://`, `s3://`, and whatever else
            fsspec opens with the packages that are installed.

    Raises:
        DataError: it cannot be reached, or is no such folder, or a part of it is broken.
        ConfigError: the kind of address is unknown, or a package is missing for it.
    """
    address = address_of(stream)
    _indexes.pop(address, None)  # it may have been packed anew
    index = index_of(address)
    file = index.references
    path = stored(f"{address}/{file.name}", file.size, file.sha256)
    if not is_remote(address):
        for shard in index.shards:
            stored(f"{address}/{shard.name}", shard.size, shard.sha256)
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"Cannot read the rows in {address}/{file.name} ({error}).") from None
    return References(_with_addresses(table, address, index))


def index_of(address: str) -> ShardIndex:
    """The index at an address, read once by each process."""
    if address not in _indexes:
        where = f"{address}/{INDEX}"
        _indexes[address] = ShardIndex.from_json(read_bytes(where), where)
    return _indexes[address]


def _with_addresses(table: pa.Table, address: str, index: ShardIndex) -> pa.Table:
    """The rows with paths that begin at the address instead of the folder."""
    where = f"{address}/{index.references.name}"
    for field in SCHEMA:
        if field.name == _OPTIONAL and field.name not in table.column_names:
            continue
        if (
            field.name not in table.column_names
            or table.schema.field(field.name).type != field.type
        ):
            raise DataError(
                f"{where}: expected a column '{field.name}' of type {field.type}; pack the data "
                "set again with this version's `refseg data shards`."
            )
    if not table.num_rows or any(table[name].null_count for name in _NEEDED):
        raise DataError(f"{where}: expected rows without gaps, got none, or some with gaps.")
    table = table.unify_dictionaries().combine_chunks()
    (column,) = table["image_path"].chunks
    paths = column.dictionary
    shards = pc.list_element(pc.split_pattern(paths, "/", max_splits=1), 0)
    known = pa.array([shard.name for shard in index.shards], pa.string())
    unknown = np.flatnonzero(~pc.is_in(shards, known).to_numpy(zero_copy_only=False))
    if len(unknown):
        raise DataError(f"{where}: '{paths[int(unknown[0])]}' is in no shard of the index.")
    joined = pc.binary_join_element_wise(address, paths, "/")
    column = pa.DictionaryArray.from_arrays(column.indices, joined)
    position = table.schema.get_field_index("image_path")
    return table.set_column(position, SCHEMA.field("image_path"), column)


def _file(record: object, where: str) -> dict[str, Any]:
    name, sha256 = get(record, "name", str, where), get(record, "sha256", str, where)
    size = get(record, "size", int, where)
    if not _FILE_NAME.fullmatch(name) or not _SHA256.fullmatch(sha256) or size < 0:
        raise DataError(f"{where}: '{name[:60]}' is no file name with size and sha256.")
    return {"name": name, "size": size, "sha256": sha256}


def _shard(record: object, where: str) -> Shard:
    return Shard(
        **_file(record, where),
        split=get(record, "split", str, where),
        images=get(record, "images", int, where),
        expressions=get(record, "expressions", int, where),
    )

"""Packs a data set into shards."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout
from jaxtyping import Int64
from PIL import Image

from refseg.data.image_formats import open_image
from refseg.data.images import read_encoded
from refseg.data.orientation import orientation_of
from refseg.data.references import References
from refseg.data.streaming.shards import INDEX, REFERENCES, Shard, ShardIndex, StoredFile
from refseg.errors import ConfigError, DataError
from refseg.files import as_path
from refseg.progress import tracked

if TYPE_CHECKING:
    from webdataset import TarWriter

_PACKAGES = ("refseg", "webdataset", "pyarrow")


def write_shards(
    references: References,
    folder: Path | str,
    dataset: str,
    splits: Sequence[str] | None = None,
    shard_size: float = 64.0,
    progress: bool = True,
) -> ShardIndex:
    """Pack the images of a data set and their annotations into tar files of about equal size.

    Each split has shards of its own, so that one can be streamed without the others. An item of a
    shard is an image: its file as it is, and a JSON with the expressions, ids and masks, for
    programs that read WebDataset. What refseg reads of the rows is in `references.arrow` beside.
    Nothing in the folder is ever unpickled. The folder appears when it is complete.

    Args:
        references: the rows, with paths of images that can be read.
        folder: to write to; it must not exist, or be empty.
        dataset: name of the data set, for the index.
        splits: to pack; None means all.
        shard_size: in MB (10⁶ bytes); a shard is closed when it has reached it.
        progress: say how far it is, as `tracked` does.

    Raises:
        DataError: an image is absent, broken, or not of the size that its record says.
        ConfigError: the folder has something in it, or webdataset is not installed.
    """
    if not 0 < shard_size < 1e6:
        raise ConfigError(f"Expected --shard_size above 0 MB, got {shard_size}.")
    if splits is not None:
        references = references.split(splits)
    if not len(references):
        raise DataError(f"{references.source} has no expressions to pack.")
    _check_writer()
    folder = as_path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not empty; name another folder or remove it.")
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with lock:
            shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
            partial.mkdir()
            try:
                index = _write(references, partial, dataset, int(shard_size * 1e6), progress)
                partial.replace(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise ConfigError(f"Another process is packing into {folder}; wait for it.") from None
    except OSError as error:
        raise DataError(f"Cannot write to {folder} ({error.strerror or error}).") from None
    return index


def _write(
    references: References, folder: Path, dataset: str, shard_size: int, progress: bool
) -> ShardIndex:
    work = [(split, references.split(split)) for split in references.splits]
    images = sum(len(rows.images().offsets) - 1 for _, rows in work)
    of_images = (image for split, rows in work for image in _images(split, rows))
    steps = tracked(of_images, f"Packing {references.source}", images, shown=progress)
    packing = _Packing(folder, shard_size)
    try:
        for split, rows, of_image in steps:
            packing.add(split, rows, of_image)
    finally:
        packing.close_shard()
    table = _with_paths(references.table, packing.paths)
    with (
        pa.OSFile(str(folder / REFERENCES), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as out,
    ):
        out.write_table(table)
    index = ShardIndex(
        dataset=dataset,
        source=references.source,
        fingerprint=references.fingerprint(),
        splits={split: _counts(rows) for split, rows in work},
        references=_described(folder / REFERENCES),
        shards=tuple(packing.shards),
        versions={package: version(package) for package in _PACKAGES},
    )
    (folder / INDEX).write_text(index.to_json(), encoding="utf-8")
    return index


class _Packing:
    """Shards in the making, one open at a time; remembers where each image went."""

    def __init__(self, folder: Path, shard_size: int) -> None:
        self.folder, self.shard_size = folder, shard_size
        self.paths: dict[tuple[str, str], str] = {}  # split and path of an image -> path in shards
        self.shards: list[Shard] = []
        self._numbers: dict[str, int] = {}
        self._writer: TarWriter | None = None
        self._split, self._images, self._expressions, self._size = "", 0, 0, 0

    def add(self, split: str, rows: References, of_image: Int64[np.ndarray, " rows"]) -> None:
        """Add one image with its rows."""
        if split != self._split or self._size >= self.shard_size:
            self.close_shard()
        if self._writer is None:
            self._open(split)
        assert self._writer is not None
        first = int(of_image[0])
        path = str(rows.table["image_path"][first].as_py())
        encoded = _checked(path, rows, first)
        # A folder per image, the same in all splits: names that occur twice stay apart, none has to
        # be changed, and an image is known again where another split has it too.
        stem, _, ending = Path(path).name.partition(".")
        if ending in {"", "json"}:
            ending = f"{ending}.image".lstrip(".")
        number = self._numbers.setdefault(path, len(self._numbers))
        key = f"{number:06d}/{stem}"
        self.paths[split, path] = f"{self._name()}/{key}.{ending}"
        record = json.dumps(_record(rows, of_image), ensure_ascii=False).encode()
        self._writer.write({"__key__": key, ending: encoded, "json": record})
        self._images += 1
        self._expressions += len(of_image)
        self._size += len(encoded) + len(record)

    def close_shard(self) -> None:
        """Finish the open shard, if there is one."""
        if self._writer is None:
            return
        self._writer.close()
        self._writer.stream.close()
        self._writer = None
        file = _described(self.folder / self._name())
        shard = Shard(
            file.name, file.size, file.sha256, self._split, self._images, self._expressions
        )
        self.shards.append(shard)

    def _open(self, split: str) -> None:
        from webdataset import TarWriter

        self._split, self._images, self._expressions, self._size = split, 0, 0, 0
        stream = (self.folder / self._name()).open("wb")
        # PAX, as the older format cuts long names; a fixed time, so that equal data is equal bytes.
        self._writer = TarWriter(
            stream,
            user="refseg",
            group="refseg",
            encoder=False,
            keep_meta=True,  # else what begins with "_" is left out
            mtime=0,
            format="PAX_FORMAT",
        )

    def _name(self) -> str:
        name = _file_name(self._split)
        number = sum(_file_name(shard.split) == name for shard in self.shards)
        return f"{name}-{number:06d}.tar"


def _images(
    split: str, rows: References
) -> Iterator[tuple[str, References, Int64[np.ndarray, " rows"]]]:
    groups = rows.images()
    for start, stop in zip(groups.offsets[:-1], groups.offsets[1:], strict=True):
        yield split, rows, groups.rows[start:stop]


def _checked(path: str, rows: References, row: int) -> bytes:
    """The bytes of an image file, whose header has the size that the row says."""
    try:
        encoded = read_encoded(path)
        with open_image(BytesIO(encoded)) as image:
            orientation = orientation_of(image)
    except DataError as error:
        raise DataError(f"{rows.record(row)}: {error}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{rows.record(row)}: cannot read the image {path} ({error}).") from None
    truth = rows.truth(row)
    if not orientation.fits((truth.height, truth.width)):
        raise DataError(
            f"{rows.record(row)}: the image {path} has {orientation.width} × {orientation.height} "
            f"pixels, but its record says {truth.width} × {truth.height}; replace it by the "
            "original."
        )
    return encoded


def _record(rows: References, of_image: Int64[np.ndarray, " rows"]) -> dict[str, Any]:
    """The annotations of an image, for other programs: masks as COCO's compressed run lengths."""
    table = rows.table.take(of_image)
    first = table.slice(0, 1).to_pylist()[0]
    said = []
    for row in table.drop_columns(["image_path", "source", "split", "image_id"]).to_pylist():
        size = [row.pop("height"), row.pop("width")]
        row["mask"] = {"size": size, "counts": row.pop("rle").decode("ascii")}
        said.append(row)
    head = {key: first[key] for key in ("source", "split", "image_id", "height", "width")}
    return head | {"expressions": said}


def _with_paths(table: pa.Table, paths: dict[tuple[str, str], str]) -> pa.Table:
    """The rows with the paths in the shards instead of those of the files."""
    pairs = zip(table["split"].to_pylist(), table["image_path"].to_pylist(), strict=True)
    column = pc.dictionary_encode(pa.array([paths[pair] for pair in pairs], pa.string()))
    position = table.schema.get_field_index("image_path")
    return table.set_column(position, table.schema.field(position), column)


def _counts(rows: References) -> dict[str, int]:
    return {
        "expressions": len(rows),
        "references": pc.count_distinct(rows.table["reference_id"]).as_py(),
        "images": len(rows.images().offsets) - 1,
    }


def _described(path: Path) -> StoredFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StoredFile(path.name, path.stat().st_size, digest)


def _file_name(split: str) -> str:
    """The split's name with nothing in it that a file name or URL cannot have."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in split)
    return name or "_"


def _check_writer() -> None:
    try:
        import webdataset  # noqa: F401 - only whether it is there
    except ImportError:
        raise ConfigError("Packing needs webdataset: `pip install 'refseg[stream]'`.") from None

"""The true masks of some expressions of an evaluation, from the data that they come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, UInt8

from refseg.data import DataSource, ShapesOptions, read_image
from refseg.data.mixtures import Mixture, read_mixture, sources_of
from refseg.data.references import References
from refseg.data.streaming.source import open_stream
from refseg.errors import DataError, RefsegError
from refseg.files import as_path
from refseg.masks import area, decode

Mask = Bool[np.ndarray, "height width"]
Pixels = UInt8[np.ndarray, "height width 3"]


class Truths(NamedTuple):
    """The true masks of some expressions.

    Args:
        masks: one for each; None where it is not found.
        note: why any is missing; None where all are there.
    """

    masks: Sequence[Mask | None]
    note: str | None


def true_masks(rows: pa.Table, config: Mapping[str, Any], root: Path | None = None) -> Truths:
    """Look up the truth of some expressions in the data that they come from.

    A mask that is not the one that was evaluated (another area, another sentence) is not shown.

    Args:
        rows: of results.
        config: of the run; its part `data` says where the data lie.
        root: where they lie now, if that is another folder.
    """
    missing: list[Mask | None] = [None] * rows.num_rows
    try:
        mixture = _mixture(config, root)
    except RefsegError as error:
        return Truths(missing, f"The true masks are not shown: {error}")
    found = {part.title: part.references for part in mixture.parts}
    masks = [_truth(row, found.get(row["source"])) for row in rows.to_pylist()]
    lacking = sum(mask is None for mask in masks)
    if not lacking:
        return Truths(masks, None)
    return Truths(
        masks,
        f"{lacking:,} of {len(masks):,} true masks are not shown: the data of the run's config "
        f"({mixture.title}) have other ones, or none, for these expressions. `--root DIR` names "
        "the folder of the data that were evaluated.",
    )


def _mixture(config: Mapping[str, Any], root: Path | None) -> Mixture:
    try:
        data = dict(config["data"])
        given = data.get("dataset", "shapes")
        entries = [given] if isinstance(given, str) else given
        sources = sources_of([_source(entry) for entry in entries], data.get("split_by"))
        if data.get("stream") and root is None:
            return open_stream(data["stream"], sources[0])
        folder = root or (as_path(data["root"]) if data.get("root") else None)
        shapes = ShapesOptions(**data.get("shapes") or {})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"the run's config does not say where its data are ({error!r}); evaluate the run again "
            "with `refseg test`."
        ) from None
    for source in sources:
        if folder is None and source.root is None and source.name != "shapes":
            raise DataError(
                f"the run's config does not say where {source.title} is; name its folder with "
                "`--root DIR`."
            )
    return read_mixture(sources, folder, "skip", shapes, bool(data.get("outside_files")))


def _source(entry: str | Mapping[str, Any]) -> str | DataSource:
    if isinstance(entry, str):
        return entry
    root = entry.get("root")
    return DataSource(**{**entry, "root": None if root is None else Path(root)})


def _truth(row: Mapping[str, Any], references: References | None) -> Mask | None:
    if references is None:
        return None
    ids = references.table["expression_id"].to_numpy()
    for place in np.flatnonzero(ids == row["expression_id"]).tolist():
        truth = references.truth(place)
        same_size = (truth.height, truth.width) == (row["height"], row["width"])
        same_words = references.expressions[place].as_py() == row["expression"]
        if same_size and same_words and area(truth) == row["area"]:
            return decode(truth)
    return None


def image_of(row: Mapping[str, Any]) -> Pixels | None:
    """The image of an expression in its own size; None where it cannot be read.

    Args:
        row: of the results.
    """
    try:
        image = read_image(row["image_path"], (row["height"], row["width"]))
    except DataError:
        return None
    return image if image.shape[:2] == (row["height"], row["width"]) else None

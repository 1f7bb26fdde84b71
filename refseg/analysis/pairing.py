"""Bring the results of several runs to the same expressions, in the same order."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from refseg.errors import DataError
from refseg.evaluation.sums import column

_IDS_IN_MESSAGE = 5
_TRUTH = ("expression", "height", "width", "area")


def pair(tables: Mapping[str, pa.Table], only_shared: bool = False) -> dict[str, pa.Table]:
    """Sort results by data set and id of the expression, and make sure that they can be compared.

    Args:
        tables: results of each run, of one split, by the name that messages give it.
        only_shared: leave out expressions that a run lacks, rather than refuse.

    Raises:
        DataError: a run has an expression twice; runs have different expressions, or the same
            ones with other sentences or other true masks.
    """
    keys = dict(zip(tables, _keys(list(tables.values())), strict=True))
    for name, table in tables.items():
        _check_unique(name, table, keys[name])
    shared = _shared(list(keys.values()))
    if not only_shared:
        _check_same(tables, keys, shared)
    if not len(shared):
        raise DataError(
            f"Expected runs on the same expressions, got none that {_listed(list(tables))} share; "
            "evaluate all runs on the same data set and split."
        )
    paired = {
        name: table.take(pa.array(np.argsort(keys[name], kind="stable"))).filter(
            pa.array(np.isin(np.sort(keys[name]), shared))
        )
        for name, table in tables.items()
    }
    _check_truth(paired)
    return paired


def _keys(tables: Sequence[pa.Table]) -> list[Int64[np.ndarray, " expressions"]]:
    """A number for each expression, the same in all tables for the same data set and id."""
    sources: dict[str, int] = {}
    of_source = []
    for table in tables:
        texts = table["source"].cast(pa.string()).combine_chunks().dictionary_encode()
        places = [sources.setdefault(text, len(sources)) for text in texts.dictionary.to_pylist()]
        codes = texts.indices.to_numpy(zero_copy_only=False)
        of_source.append(np.array(places, np.int64)[codes] if len(codes) else np.zeros(0, np.int64))
    ids = np.concatenate([column(table, "expression_id") for table in tables])
    different, numbers = np.unique(ids, return_inverse=True)
    combined = np.concatenate(of_source) * len(different) + numbers
    ends = np.cumsum([table.num_rows for table in tables])[:-1]
    return [part.astype(np.int64) for part in np.split(combined, ends)]


def _shared(keys: Sequence[Int64[np.ndarray, " _"]]) -> Int64[np.ndarray, " shared"]:
    shared = np.unique(keys[0])
    for other in keys[1:]:
        shared = np.intersect1d(shared, other)
    return shared


def _check_unique(name: str, table: pa.Table, keys: Int64[np.ndarray, " expressions"]) -> None:
    _, first = np.unique(keys, return_index=True)
    repeats = np.delete(np.arange(len(keys)), first)
    if len(repeats):
        raise DataError(
            f"Expected each expression once in a split of {name}, got some twice: "
            f"{_ids(table, repeats)}; write the results again with `refseg test`."
        )


def _check_same(
    tables: Mapping[str, pa.Table],
    keys: Mapping[str, Int64[np.ndarray, " _"]],
    shared: Int64[np.ndarray, " shared"],
) -> None:
    alike: dict[bytes, list[str]] = {}  # runs with the same expressions
    for name in tables:
        alike.setdefault(np.sort(keys[name]).tobytes(), []).append(name)
    if len(alike) == 1:
        return
    problems = []
    for names in alike.values():
        table = tables[names[0]]
        alone = np.flatnonzero(~np.isin(keys[names[0]], shared))
        text = f"{_listed(names)}: {table.num_rows:,} expressions"
        if len(alone):
            text += f", of which not all others have {_ids(table, alone)}"
        problems.append(text)
    raise DataError(
        f"Expected runs on the same expressions, got other ones. {'; '.join(problems)}. Evaluate "
        "all runs on the same split, or compare what they share with `--only_shared`."
    )


def _check_truth(paired: Mapping[str, pa.Table]) -> None:
    """Make sure that all runs were counted against the same true masks."""
    (first_name, first), *others = paired.items()
    for name, table in others:
        for what in _TRUTH:
            equal = pc.equal(first[what], table[what]).to_numpy()
            if not equal.all():
                row = int(np.flatnonzero(~equal)[0])
                values = (repr(run[what][row].as_py()) for run in (first, table))
                unit = " (pixels of the true mask)" if what == "area" else ""
                raise DataError(
                    f"Expected the same {what}{unit} in {first_name} and {name}, got "
                    f"{' and '.join(values)} for expression {first['expression_id'][row]}, and "
                    f"{(~equal).sum():,} such expressions in all; evaluate both runs on the same "
                    "data, with the same protocol."
                )


def _ids(table: pa.Table, rows: Int64[np.ndarray, " rows"]) -> str:
    """Some expressions, by data set and id."""
    shown = table.select(["source", "expression_id"]).take(pa.array(rows[:_IDS_IN_MESSAGE]))
    texts = [f"{row['source']} {row['expression_id']}" for row in shown.to_pylist()]
    more = len(rows) - _IDS_IN_MESSAGE
    return ", ".join(texts) + (f" and {more:,} more" if more > 0 else "")


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"

"""Runs that can be compared, and why others cannot."""

import numpy as np
import pyarrow as pa
import pytest

from refseg.analysis.pairing import pair
from refseg.errors import DataError

from .fake_results import make_results


def results(ids: list[int], **columns: object) -> pa.Table:
    """Every expression of the same id is the same."""
    filled = {
        "expression_id": ids,
        "expression": [f"thing {number}" for number in ids],
        "intersection": [number % 7 for number in ids],
        "union": [10] * len(ids),
        "source": ["refcoco (unc)"] * len(ids),
    }
    return make_results(**{**filled, **columns})


def test_order_does_not_matter() -> None:
    ids = list(range(50))
    shuffled = np.random.default_rng(0).permutation(ids).tolist()
    paired = pair({"a": results(ids), "b": results(shuffled)})
    for name in ("expression_id", "expression", "intersection"):
        assert paired["a"][name].to_pylist() == paired["b"][name].to_pylist()
    assert paired["a"]["expression_id"].to_pylist() == ids


def test_ids_count_within_their_data_set() -> None:
    first = results([1, 1, 2], source=["x", "y", "x"], intersection=[1, 2, 3])
    second = results([1, 2, 1], source=["y", "x", "x"], intersection=[2, 3, 1])
    paired = pair({"a": first, "b": second})
    for table in paired.values():
        assert sorted(table["intersection"].to_pylist()) == [1, 2, 3]
    assert paired["a"]["intersection"].to_pylist() == paired["b"]["intersection"].to_pylist()


def test_missing_expressions_are_named() -> None:
    tables = {"a": results([1, 2, 3]), "b": results([2, 3, 4, 5, 6, 7, 8, 9])}
    with pytest.raises(DataError) as caught:
        pair(tables)
    message = str(caught.value)
    assert "a: 3 expressions, of which not all others have refcoco (unc) 1;" in message
    assert "refcoco (unc) 4, refcoco (unc) 5" in message
    assert "and 1 more" in message
    assert "--only_shared" in message
    shared = pair(tables, only_shared=True)
    assert [table["expression_id"].to_pylist() for table in shared.values()] == [[2, 3], [2, 3]]


def test_nothing_in_common() -> None:
    tables = {"a": results([1]), "b": results([2])}
    with pytest.raises(DataError, match="none that a and b share"):
        pair(tables, only_shared=True)


def test_repeats_are_named() -> None:
    with pytest.raises(DataError, match=r"once in a split of a, got some twice: refcoco \(unc\) 5"):
        pair({"a": results([5, 5, 6])})


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("area", [10, 11], r"same area \(pixels of the true mask\).*10 and 11 for expression 2"),
        ("expression", ["thing 1", "cat"], "same expression in a and b, got 'thing 2' and 'cat'"),
        ("height", [100, 90], "same height.*100 and 90"),
    ],
)
def test_another_truth_is_refused(column: str, values: list[object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        pair({"a": results([1, 2]), "b": results([1, 2], **{column: values})})

"""What is said of expressions: also of those that name several things, or none."""

from pathlib import Path

import numpy as np
import pytest

from refseg.data import References
from refseg.data.objects import read_objects
from refseg.data.readers import read_references
from refseg.data.statistics.expression_columns import ExpressionColumns

from ..fake_grefcoco import write_fake_grefcoco
from ..fake_phrasecut import write_fake_phrasecut
from ..tables import table


@pytest.fixture(scope="module")
def gref_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_grefcoco(tmp_path_factory.mktemp("gref") / "root")


def test_expressions_that_name_one_object_several_or_none(gref_root: Path) -> None:
    references = read_references(gref_root, "grefcoco")
    objects = read_objects(gref_root, "grefcoco")
    assert objects is not None
    columns = ExpressionColumns(references, objects)
    ids = references.table["expression_id"].to_numpy()
    rows = columns.rows(np.sort(ids)[::-1]).to_pylist()
    assert [row["expression_id"] for row in rows] == sorted(ids.tolist(), reverse=True)
    seen = set()
    for row in rows:
        named = [objects.categories.get(number) for number in dict.fromkeys(row["category_ids"])]
        if not row["annotation_ids"]:
            assert (row["category"], row["distractors"], row["object_size"]) == (None, None, 0)
        elif None not in named:
            assert row["category"] == ", ".join(map(str, named))
            assert row["object_size"] > 0
            assert row["distractors"] >= 0
        assert row["words"] > 0
        seen.add(min(2, len(row["annotation_ids"])))
    assert seen == {0, 1, 2}


def test_names_that_the_data_set_gives_itself(tmp_path: Path) -> None:
    references = read_references(write_fake_phrasecut(tmp_path), "phrasecut")
    ids = references.table["expression_id"].to_numpy()
    rows = ExpressionColumns(references).rows(ids)
    assert rows["category"].to_pylist() == ["table", "sky", "building", "hand", "zebras"]
    assert rows["distractors"].null_count == len(rows), "unknown without numbers of classes"


def test_a_table_of_an_earlier_version_has_no_names() -> None:
    old = table([{}, {}]).table.drop(["category"])
    assert References(old).table["category"].to_pylist() == [None, None]
    named = table([{"category": "dog"}, {"category": None}])
    assert References(old).fingerprint() == table([{}, {}]).fingerprint() != named.fingerprint()

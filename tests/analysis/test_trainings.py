"""How long runs were trained, as their files say; and runs that predict nothing."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from refseg.analysis.trainings import Training, training_of
from refseg.evaluation.figures import empty_splits
from refseg.evaluation.results import Results


def evaluation(folder: Path, **summary: object) -> Results:
    return Results(pa.table({}), summary, folder / "test" / "results.parquet")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    folder = tmp_path / "rmi"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").touch()
    (folder / "metrics.json").write_text(json.dumps({"steps": 400, "training_seconds": 75.2}))
    return folder


def test_a_training_is_found_where_its_checkpoint_lies(trained: Path, tmp_path: Path) -> None:
    checkpoint = str(trained / "checkpoints" / "best.ckpt")
    expected = Training(400, 75.2, 300)
    for folder in (trained, tmp_path / "elsewhere"):
        assert training_of(evaluation(folder, checkpoint=checkpoint, trained_steps=300)) == expected
    assert str(expected) == "400 steps in 1 min 15 s, evaluated after step 300"
    moved = trained.rename(tmp_path / "moved")
    assert training_of(evaluation(moved, checkpoint=checkpoint, trained_steps=300)) == expected
    gone = evaluation(tmp_path / "elsewhere", checkpoint=checkpoint, trained_steps=300)
    assert str(training_of(gone)) == "at least 300 steps"


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"steps": true}', '{"steps": "many"}', '{"steps": -1}', "[" * 100_000],
)
def test_what_other_programs_write_does_no_harm(content: str, trained: Path) -> None:
    (trained / "metrics.json").write_text(content)
    for summary in ({}, {"checkpoint": 7}, {"checkpoint": "\0"}, {"trained_steps": True}):
        assert str(training_of(evaluation(trained, **summary))) == ""
    (trained / "metrics.json").write_text('{"steps": 5, "training_seconds": NaN}')
    assert str(training_of(evaluation(trained))) == "5 steps"


def test_predictions_are_empty_where_the_union_is_the_truth() -> None:
    rows = [  # split, intersection, union, area
        ("val", 0, 40, 40),
        ("val", 0, 0, 0),  # names nothing, and nothing is predicted
        ("testA", 0, 40, 30),  # predicted beside the object
        ("testA", 0, 40, 40),
        ("testB", 0, 0, 0),  # rightly so
    ]
    names = ("split", "intersection", "union", "area")
    table = pa.table([list(column) for column in zip(*rows, strict=True)], names=names)
    assert empty_splits(table) == {"val": 2}

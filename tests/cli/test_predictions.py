"""`refseg evaluate --predictions`: what `refseg predict` wrote is worth what `refseg test` says."""

import json
from pathlib import Path

import pytest

from refseg.__main__ import main
from refseg.evaluation.results import read_results

pytestmark = pytest.mark.usefixtures("one_thread")

_COUNTED = (
    "expression_id",
    "split",
    "intersection",
    "union",
    "area",
    "predicted_area",
    "iou",
    "rle",
)


@pytest.fixture(scope="module")
def predicted(eager: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predicted")
    assert main(["predict", "--checkpoint", str(eager), "--output", str(folder)]) == 0
    return folder


SHAPES = ("--data.shapes.train_images=12", "--data.shapes.evaluation_images=4")


def test_the_same_integers_as_test(
    predicted: Path, eager: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["test", "--checkpoint", str(eager), "--output", str(tmp_path / "test")]
    assert main([*words, "--save_masks", "true"]) == 0
    tested = read_results(tmp_path / "test")
    capsys.readouterr()
    words = ["evaluate", "--predictions", str(predicted), "--output", str(tmp_path / "judged")]
    assert main([*words, *SHAPES]) == 0
    judged = read_results(tmp_path / "judged")
    assert 0 < judged.figures["val"]["overall_iou"] < 1
    assert judged.table.drop(["score"]).equals(tested.table.drop(["score"]))
    assert judged.table["score"].null_count == len(judged.table), "predict writes none"
    assert judged.summary["metrics"] == tested.summary["metrics"]
    assert judged.summary["data"] == tested.summary["data"]
    shown = capsys.readouterr().out
    for split in ("val", "testA", "testB"):
        assert f" {split}" in shown
    assert str(tmp_path / "judged" / "metrics.json") in shown
    assert "Note:" not in shown
    boxes = judged.summary["predictions"]["boxes"]["testA"]
    assert f"boxes, testA: P@0.5 {100 * boxes['box_precision@0.5']:.2f}, mean IoU" in shown


def test_the_data_are_those_of_the_run_in_which_the_list_lies(run: Path, tmp_path: Path) -> None:
    best = run / "checkpoints" / "best.ckpt"
    assert main(["predict", "--checkpoint", str(best), "--data.test_splits=[val]"]) == 0
    for named in ("predict", "predict/predictions.jsonl"):
        words = ["evaluate", "--predictions", str(run / named), "--protocol", "standard", "lavt"]
        assert main([*words, "--output", str(tmp_path / named)]) == 0
        metrics = json.loads((tmp_path / named / "metrics.json").read_text())
        assert list(metrics["protocols"]) == ["standard", "lavt"]
        assert list(metrics["metrics"]) == ["val"]


def test_missing_ones(predicted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (predicted / "predictions.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines[1:]]
    for record in records:
        record["mask"] = str(predicted / record["mask"])
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    words = ["evaluate", "--predictions", str(path), *SHAPES]
    assert main(words) == 2
    error = capsys.readouterr().err
    number = json.loads(lines[0])["expression_id"]
    assert f"1 without a prediction (expression_id): {number} of val." in error
    assert "--allow_missing" in error
    assert main([*words, "--allow_missing", "--all_protocols"]) == 0
    shown = capsys.readouterr().out
    assert "Note: 1 expressions of val have no prediction and count as empty masks." in shown
    assert " mmdet " in shown
    assert "Note: masks are counted as they are" in shown
    assert (tmp_path / "mine-evaluated" / "results.parquet").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "No data set is named: give --data.root DIR"),
        (["best.ckpt"], "Expected checkpoints or --predictions, got both"),
        (["--model.loss", "x"], "Masks need no model: leave --model.loss out"),
        (["--data.rot", "."], "data.rot"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--config", "trainer/default.yaml"], "does not say which data"),
        (["--data", "data/folder.yaml"], "The data set 'mine' needs a folder"),
        (["--data.dataset", "shapes", "--splits", "testC", *SHAPES], "Unknown split 'testC'"),
    ],
)
def test_mistakes(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"expression_id": 1, "mask": null}\n')
    assert main(["evaluate", "--predictions", str(path), *words]) == 2
    assert message in capsys.readouterr().err


def test_the_data_of_a_config(predicted: Path, run: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--predictions", str(predicted), "--splits", "val"]
    for named in (["--config", str(run / "config.yaml")], ["--config", "rmi.yaml", *SHAPES]):
        assert main([*words, *named, "--output", str(tmp_path)]) == 0
        assert list(read_results(tmp_path).figures) == ["val"]

"""`refseg evaluate` and `refseg test` with text-to-mask models of transformers."""

import json
from pathlib import Path

import numpy as np
import pytest

import refseg
from refseg.__main__ import main
from refseg.cli.text_to_mask import words_of_evaluate
from refseg.data import read_image, read_references
from refseg.evaluation import PROTOCOLS
from refseg.evaluation.results import Results, read_results
from refseg.masks import decode
from refseg.types import RunLengths

pytestmark = pytest.mark.usefixtures("one_thread", "shapes_root")

DATA = ("--data.shapes.train_images=12", "--data.shapes.evaluation_images=4")
FILES = ["metrics.json", "results.parquet", "summary.json"]


@pytest.fixture(scope="module")
def evaluated(foreign_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("evaluated")
    words = ["evaluate", str(foreign_models / "clipseg"), "--output", str(folder), *DATA]
    assert main([*words, "--splits", "val", "--all_protocols"]) == 0
    return read_results(folder)


def test_rows_and_figures_are_those_of_its_own_masks(
    evaluated: Results, foreign_models: Path, shapes_root: Path
) -> None:
    model = refseg.load(foreign_models / "clipseg")
    references = read_references(shapes_root, "shapes").split("val")
    truths = {
        number: decode(references.truth(row))
        for row, number in enumerate(references.table["expression_id"].to_pylist())
    }
    rows = evaluated.table.to_pylist()
    assert {row["expression_id"] for row in rows} == {*truths}
    for row in rows[:6]:
        mask, score = model.segment(read_image(row["image_path"]), row["expression"])
        truth = truths[row["expression_id"]]
        # A sentence alone and one of several differ by rounding.
        assert abs(row["intersection"] - (mask & truth).sum()) <= 0.002 * mask.size
        assert row["score"] == pytest.approx(score, abs=1e-3)
        saved = decode(RunLengths(row["height"], row["width"], row["rle"]))
        assert (saved & truth).sum() == row["intersection"]
    intersection, union = (evaluated.table[name].to_numpy() for name in ("intersection", "union"))
    figures = evaluated.summary["protocols"]
    assert list(figures) == list(PROTOCOLS)
    assert figures["standard"]["val"]["overall_iou"] == intersection.sum() / union.sum() > 0
    ious = intersection / np.maximum(union, 1)
    assert figures["mmdet"]["val"]["mean_iou"] != figures["lavt"]["val"]["mean_iou"]
    assert figures["rmi"]["val"]["mean_iou"] == pytest.approx(ious.mean())
    assert evaluated.summary["leakage"] == {"train_on_evaluation_images": None}
    metrics = json.loads((evaluated.path.parent / "metrics.json").read_text())
    assert metrics["metrics"] == figures["standard"]
    assert sorted(path.name for path in evaluated.path.parent.iterdir()) == FILES


def test_the_verb_test_does_the_same(
    evaluated: Results, foreign_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["test", "--checkpoint", str(foreign_models / "clipseg"), *DATA]
    words += ["--data.test_splits=[val]", "--evaluation.protocol", "lavt"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    found = read_results(tmp_path / "out")
    assert found.table.equals(evaluated.table)
    assert found.summary["protocols"] == {"lavt": evaluated.summary["protocols"]["lavt"]}
    shown = capsys.readouterr().out
    assert "counted as they are" in shown
    page = refseg.report(found, resamples=100, cases=1, strips=0)
    assert "true masks are not shown" not in page.read_text()
    compared = refseg.compare({"one": found, "other": evaluated}, resamples=100)
    values = [row["value"] for row in compared.table().to_pylist()]
    assert values


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["test"], "No data set is named"),
        (["test", *DATA, "--crf"], "Unknown option --crf"),
        (["evaluate", "--trainer.devices", "1"], "leave --trainer.devices out"),
        (["evaluate", *DATA, "--sam", "x"], "leave --sam"),
        (["validate"], "`refseg evaluate .*clipseg`, with the options that name data"),
        (["predict"], "`refseg segment` makes masks"),
        (["fit", "--config", "rmi.yaml"], "`refseg fit --config clipseg.yaml` trains"),
    ],
)
def test_what_is_refused(
    words: list[str],
    message: str,
    foreign_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import re

    monkeypatch.chdir(tmp_path)
    verb, *others = words
    named = [str(foreign_models / "clipseg")]
    named = named if verb == "evaluate" else ["--checkpoint", *named]
    assert main([verb, *named, *others]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not list(tmp_path.glob("runs/*")), "nothing is left"


def test_sam_and_device_are_for_models_of_transformers(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run / "checkpoints" / "best.ckpt"), "--device", "cpu"]) == 2
    assert "--trainer.accelerator" in capsys.readouterr().err


def test_the_words_of_test_become_those_of_evaluate() -> None:
    words = ["--ckpt_path=a/b", "--evaluation.protocol", "cris", "--save_masks", "--output", "o"]
    assert words_of_evaluate("a/b", [*words, "--data.root", "d"]) == (
        ["a/b", "--protocol", "cris", "--output", "o", "--data.root", "d"]
    )

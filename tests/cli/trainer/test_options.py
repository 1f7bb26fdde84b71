"""`--crf` and `--words`, as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from PIL import Image

from refseg.__main__ import main
from refseg.data import ReferringDataModule
from refseg.evaluation import STANDARD, overall_iou
from refseg.evaluation.counting import count_pixels
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import read_results

from ...conftest import TINY

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tested(eager: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `refseg test --crf --words`."""
    pytest.importorskip("pydensecrf")
    folder = tmp_path_factory.mktemp("tested")
    words = ["test", "--ckpt_path", str(eager), "--output", str(folder), "--crf", "--words"]
    assert main([*words, "--crf_jobs=1", "--data.test_splits=[val,testA]"]) == 0
    return folder


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def test_each_split_has_a_row_with_and_one_without_dense_crf(tested: Path) -> None:
    rows = results(tested)["metrics"]
    assert list(rows) == ["val", "val + CRF", "testA", "testA + CRF"]
    assert rows["val"] != rows["val + CRF"]
    assert list(rows["val"]) == list(rows["val + CRF"])


def test_rows_after_dense_crf_give_its_figures(tested: Path) -> None:
    rows = results(tested)["metrics"]
    before, after = read_results(tested), read_results(tested / "results_crf.parquet")
    assert not before.table["intersection"].equals(after.table["intersection"])
    for name in ("expression_id", "area", "expression", "split"):
        assert before.table[name].to_pylist() == after.table[name].to_pylist()
    summary = before.summary
    for table, figures, label in (
        (before.table, summary["metrics"], "{}"),
        (after.table, summary["crf"]["metrics"], "{} + CRF"),
    ):
        assert figures_of(table) == figures
        assert figures == {split: rows[label.format(split)] for split in ("val", "testA")}
    assert summary["crf"]["options"]["iterations"] == 5
    for row in after.table.to_pylist():
        assert 0.5 < row["score"] <= 1 if row["predicted_area"] else row["score"] == 0


def test_validate_refines_as_test_does(eager: Path, tested: Path, tmp_path: Path) -> None:
    words = ["validate", "--ckpt_path", str(eager), "--output", str(tmp_path)]
    assert main([*words, "--crf", "--crf_jobs=0", "--evaluation.protocol=lavt"]) == 0
    found = results(tmp_path)["metrics"]
    assert list(found) == ["val", "val + CRF (standard)"], (
        "only one of them is counted as LAVT does"
    )
    assert found["val + CRF (standard)"] == results(tested)["metrics"]["val + CRF"]
    assert main(words) == 0
    assert not (tmp_path / "results_crf.parquet").exists(), "it would be that of another evaluation"
    assert results(tmp_path)["metrics"] == {"val": results(tested)["metrics"]["val"]}


@pytest.mark.slow
def test_several_processes_refine_what_one_does(eager: Path, tested: Path, tmp_path: Path) -> None:
    words = [
        *("test", "--ckpt_path", str(eager), "--crf", "--crf_jobs=0"),
        *("--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"),
        *("--data.batch_size=3", "--data.test_splits=[val]", "--output", str(tmp_path)),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "refseg", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    alone = results(tested)["metrics"]
    assert results(tmp_path)["metrics"] == {name: alone[name] for name in ("val", "val + CRF")}
    together, both = (
        read_results(folder / "results_crf.parquet").table for folder in (tmp_path, tested)
    )
    of_val = both.filter(pc.equal(both["split"].cast("string"), "val"))
    assert together.to_pylist() == of_val.to_pylist()
    assert not list(tmp_path.glob(".*")), "no parts are left"


def test_predict_writes_the_masks_that_test_counts(
    tested: Path, eager: Path, shapes_root: Path, tmp_path: Path
) -> None:
    words = ["predict", "--ckpt_path", str(eager), "--output", str(tmp_path), "--crf"]
    assert main([*words, "--crf_jobs=0", "--data.test_splits=[testA]"]) == 0
    records = map(json.loads, (tmp_path / "predictions.jsonl").read_text().splitlines())
    masks = {
        record["expression_id"]: np.array(Image.open(tmp_path / record["mask"])) > 0
        for record in records
    }
    data = ReferringDataModule(
        root=shapes_root, test_splits=["testA"], num_workers=0, vocabulary_from=eager
    )
    data.setup("test")
    counts = []
    for batch in data.test_dataloader()[0]:
        predictions = [torch.from_numpy(masks.pop(number)) for number in batch.expression_ids]
        counts.append(count_pixels(batch, predictions, STANDARD))
    assert not masks
    both, either, _ = (torch.cat(parts) for parts in zip(*counts, strict=True))
    expected = results(tested)["metrics"]["testA + CRF"]["overall_iou"]
    assert overall_iou(both, either).item() == expected


def test_the_curve_ends_at_the_ordinary_figures_bit_for_bit(tested: Path) -> None:
    found = results(tested)
    assert list(found["words"]) == ["val", "testA"]
    for split, points in found["words"].items():
        assert list(points) == ["0.2", "0.4", "0.6", "0.8", "1.0"]
        assert points["1.0"] == found["metrics"][split]
        assert all(list(point) == list(points["1.0"]) for point in points.values())
    with Image.open(tested / "words.png") as picture:
        assert min(picture.size) >= 600


def test_a_model_that_reads_at_once_has_no_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = ["--trainer.fast_dev_run=true", "--output", str(tmp_path)]
    assert main(["test", "--config", "lstm_cnn.yaml", *TINY, *step, "--words"]) == 2
    message = capsys.readouterr().err
    assert "--words needs a model that reads word by word, but this one has a Concat" in message


@pytest.mark.parametrize("verb", ["test", "validate", "predict"])
def test_without_the_library_nothing_is_begun(
    verb: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    assert main([verb, "--ckpt_path", checkpoint, "--output", str(tmp_path), "--crf"]) == 2
    message = capsys.readouterr().err
    assert 'pip install "pydensecrf2>=1.1"' in message
    assert "Traceback" not in message
    assert not (tmp_path / "metrics.json").exists()


def test_energies_that_cannot_be(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pydensecrf")
    words = ["test", "--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--crf"]
    assert main([*words, "--crf_options.bilateral_sxy=-1"]) == 2
    assert "Expected bilateral_sxy of DenseCRF above 0, got -1.0" in capsys.readouterr().err


def test_segment_refines_too(
    run: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pydensecrf")
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["segment", str(photo), "red circle", "--checkpoint", checkpoint, "--crf"]
    for on in ("network", "image"):
        folder = tmp_path / on
        assert main([*words, "--crf_on", on, "--output", str(folder)]) == 0
        with Image.open(folder / f"{photo.stem}-red-circle-mask.png") as mask:
            with Image.open(photo) as picture:
                assert mask.size == picture.size
            assert set(np.unique(np.asarray(mask))) <= {0, 255}
    assert "% of the image" in capsys.readouterr().out

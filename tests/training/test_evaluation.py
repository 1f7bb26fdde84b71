"""Evaluating from Python gives the rows of `refseg test`, and takes any model."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import refseg
from refseg.__main__ import main
from refseg.checkpoint import read_checkpoint
from refseg.data import ReferringDataModule, read_references
from refseg.data.references import References
from refseg.data.shapes import ShapesOptions
from refseg.errors import ConfigError, DataError, PredictionError
from refseg.evaluation import PROTOCOLS
from refseg.evaluation.results import Results, read_results
from refseg.masks import decode
from refseg.training.from_checkpoint import build_module
from refseg.types import Batch, RunLengths

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tested(eager: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("tested")
    words = ["--ckpt_path", str(eager), "--output", str(folder), "--save_masks", "true"]
    assert main(["test", *words, "--evaluation.protocol", "all"]) == 0
    return read_results(folder)


@pytest.fixture
def data(shapes_root: Path) -> ReferringDataModule:
    return ReferringDataModule(
        shapes=ShapesOptions(train_images=12, evaluation_images=4), image_size=48
    )


@pytest.fixture(scope="module")
def references(shapes_root: Path) -> References:
    return read_references(shapes_root, "shapes").split("val")


def test_the_same_checkpoint_and_data_give_the_rows_of_the_verb(
    tested: Results, eager: Path, data: ReferringDataModule, tmp_path: Path
) -> None:
    options = {"protocols": [*PROTOCOLS], "save_masks": True, "progress": False}
    found = refseg.evaluate(refseg.load(eager), data, tmp_path, **options)
    assert found.table.equals(tested.table)
    assert found.figures == tested.summary["metrics"] == found.summary["metrics"]
    assert 0 < found.figures["val"]["overall_iou"] < 1
    for name in ("format", "protocol", "protocols", "expressions", "model", "data", "versions"):
        assert found.summary[name] == tested.summary[name], name
    assert read_results(tmp_path).table.equals(found.table)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["metrics.json", "results.parquet", "summary.json"]
    assert "overall IoU" in repr(found)


def test_what_learnt_on_squashed_images_is_tested_on_them(
    eager: Path, references: References, tmp_path: Path
) -> None:
    """By the verb as in Python: the checkpoint says so, and masks have the images' own sizes."""
    content = torch.load(eager, weights_only=True)
    content["ReferringDataModule"]["transform"]["geometry"] = "squash"
    checkpoint = tmp_path / "squashed.ckpt"
    torch.save(content, checkpoint)
    del content["ReferringDataModule"]["transform"]["geometry"]  # from before there was a choice
    torch.save(content, tmp_path / "old.ckpt")
    assert refseg.load(tmp_path / "old.ckpt").geometry == "letterbox"
    pipeline = refseg.load(checkpoint)
    assert pipeline.geometry == "squash"
    words = ["--ckpt_path", str(checkpoint), "--data.test_splits=[val]", "--save_masks", "true"]
    assert main(["test", *words, "--output", str(tmp_path)]) == 0
    found = refseg.evaluate(pipeline, references, save_masks=True, progress=False)
    counted = ["expression_id", "intersection", "union", "score", "rle"]
    assert found.table.select(counted).equals(read_results(tmp_path).table.select(counted))
    squashed, boxed = (
        refseg.evaluate(refseg.load(path), references, progress=False).figures["val"]
        for path in (checkpoint, eager)
    )
    assert squashed != boxed


def test_results_are_compared_and_reported(
    tested: Results, eager: Path, data: ReferringDataModule, tmp_path: Path
) -> None:
    """Those in a folder, and those that are not kept."""
    pipeline = refseg.load(eager)
    kept = refseg.evaluate(pipeline, data, tmp_path, splits=["val"], progress=False)
    passing = refseg.evaluate(pipeline, data, splits=["val"], progress=False)
    found = refseg.compare({"kept": kept, "passing": passing, "verb": tested}, resamples=100)
    values = [row["value"] for row in found.table().to_pylist() if row["metric"] == "overall_iou"]
    assert len(set(values[:3])) == 1
    assert values[3:] == [0, 0], "differences"
    page = refseg.report(kept, resamples=100, cases=1, strips=0)
    assert page == tmp_path / "report.html"
    assert "true masks are not shown" not in page.read_text()


def test_references_of_a_split_do(tested: Results, eager: Path, references: References) -> None:
    found = refseg.evaluate(refseg.load(eager), references, progress=False)
    assert found.figures == {"val": tested.summary["metrics"]["val"]}
    assert found.summary["data"]["splits"] == ["val"]


def test_a_network_needs_its_tokenizer(
    tested: Results, eager: Path, references: References, data: ReferringDataModule
) -> None:
    pipeline = refseg.load(eager)
    network = pipeline.segmenter.train()
    with pytest.raises(ConfigError, match="tokenizer and the transform of the Segmenter"):
        refseg.evaluate(network, references, progress=False)
    data.tokenizer, data._vocabulary_is_ready = pipeline.tokenizer, True
    found = refseg.evaluate(network, data, splits=["val"], progress=False)
    assert found.figures == {"val": tested.summary["metrics"]["val"]}
    assert network.training, "as it was"


def test_a_training_module_with_its_data(
    tested: Results, eager: Path, shapes_root: Path, tmp_path: Path
) -> None:
    module = build_module(read_checkpoint(eager), eager)
    options = ShapesOptions(train_images=12, evaluation_images=4)
    data = ReferringDataModule(shapes=options, image_size=48, vocabulary_from=eager)
    found = refseg.evaluate(module, data, save_masks=True, progress=False)
    assert found.table.equals(tested.table)
    assert found.summary["leakage"] == tested.summary["leakage"]


def perfect(batch: Batch) -> list[np.ndarray]:
    """The truth, image by image in its own size."""
    return [decode(truth) for truth in batch.truths]


def left_half(batch: Batch) -> list[Tensor]:
    masks = []
    for image in batch.image_index.tolist():
        geometry = batch.geometries[image]
        mask = torch.zeros(geometry.height, geometry.width, dtype=torch.bool)
        mask[:, : geometry.width // 2] = True
        masks.append(mask)
    return masks


def test_a_function_gives_masks_of_different_sizes_in_one_batch(references: References) -> None:
    sizes = set(zip(*(references.table[n].to_pylist() for n in ("height", "width")), strict=True))
    assert len(sizes) > 1
    found = refseg.evaluate(perfect, references, progress=False, batch_size=4)
    assert found.figures["val"]["overall_iou"] == found.figures["val"]["precision@0.9"] == 1
    assert found.table["score"].null_count == len(found.table), "there is no probability"
    assert found.summary["model"] == {"model": "perfect"}
    found = refseg.evaluate(left_half, references, progress=False, save_masks=True)
    truths = {
        number: decode(references.truth(row))
        for row, number in enumerate(references.table["expression_id"].to_pylist())
    }
    for row in found.table.to_pylist():
        truth = truths[row["expression_id"]]
        half = np.zeros_like(truth)
        half[:, : truth.shape[1] // 2] = True
        assert row["intersection"] == (truth & half).sum()
        assert row["union"] == (truth | half).sum()
        saved = decode(RunLengths(row["height"], row["width"], row["rle"]))
        np.testing.assert_array_equal(saved, half)


class Constant(nn.Module):
    """Calls everything foreground."""

    def forward(self, batch: Batch) -> Tensor:
        assert not self.training
        return torch.full((len(batch), *batch.size), 2.0)


def test_a_module_gives_logits(references: References) -> None:
    """All foreground: the IoU is the share of the object, the score the sigmoid of 2."""
    found = refseg.evaluate(Constant(), references, progress=False)
    table = found.table
    np.testing.assert_allclose(table["iou"].to_numpy(), table["object_size"].to_numpy())
    np.testing.assert_allclose(table["score"].to_numpy(), 1 / (1 + np.exp(-2.0)), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda masks: [masks[0].T, *masks[1:]], r"Expected a mask of \d+ × \d+ pixels"),
        (lambda masks: masks[:-1], "a mask for each of"),
        (lambda masks: [mask.astype(np.float32) for mask in masks], r"got a mask of torch.float32"),
        (lambda masks: torch.zeros(len(masks), 3, 3), r"in network size, got \(\d+, 3, 3\)"),
        (lambda masks: None, "got NoneType"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    references: References, change: Callable[[list[np.ndarray]], object], message: str
) -> None:
    with pytest.raises(PredictionError, match=message):
        refseg.evaluate(lambda batch: change(perfect(batch)), references, progress=False)


def test_nothing_is_left_of_an_evaluation_that_failed(
    references: References, tmp_path: Path
) -> None:
    with pytest.raises(PredictionError):
        refseg.evaluate(lambda _: [], references, tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigError, match="Unknown protocol 'lavd'; choose among"):
        refseg.evaluate(perfect, references, protocols=["lavd"], progress=False)
    with pytest.raises(DataError, match="Unknown split 'testC'"):
        refseg.evaluate(perfect, references, splits=["testC"], progress=False)


def test_the_summary_is_that_of_plain_values(references: References, tmp_path: Path) -> None:
    refseg.evaluate(perfect, references, tmp_path, progress=False)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["data"]["source"] == references.source
    assert summary["data"]["fingerprint"] == references.fingerprint()
    assert summary["leakage"] == {"train_on_evaluation_images": None}

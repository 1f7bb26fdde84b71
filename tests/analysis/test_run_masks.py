"""Masks of single expressions: from the results, from the checkpoint, and the true ones."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from refseg.__main__ import main
from refseg.analysis.run_masks import RunMasks
from refseg.analysis.true_masks import Pixels, image_of, true_masks
from refseg.data import read_references
from refseg.errors import ConfigError
from refseg.evaluation.results import RLE, Results, read_results
from refseg.inference.crf import CRFOptions
from refseg.inference.pipeline import Pipeline, Segmentation
from refseg.masks import decode
from refseg.types import RunLengths


@pytest.fixture(scope="module")
def checkpoint(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that finds something everywhere; after three steps it finds nothing."""
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    weights = content["state_dict"]
    weights["segmenter.decoder.classifier.weight"] *= 30
    weights["segmenter.decoder.classifier.bias"].zero_()
    path = tmp_path_factory.mktemp("eager") / "run" / "checkpoints" / "eager.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def tested(checkpoint: Path) -> Results:
    words = ["--ckpt_path", str(checkpoint), "--save_masks", "true", "--data.test_splits=[val]"]
    assert main(["test", *words]) == 0
    return read_results(checkpoint.parents[1])


def without_masks(tested: Results, **summary: object) -> Results:
    table = tested.table.drop([RLE.name])
    return tested._replace(table=table, summary={**tested.summary, **summary})


def test_predicted_again_is_what_was_saved(tested: Results) -> None:
    again = RunMasks(without_masks(tested))
    saved = RunMasks(tested)
    something = pc.greater(tested.table["predicted_area"], 0)
    rows = tested.table.filter(something).slice(0, 6).to_pylist()
    assert rows
    for row in rows:
        image = image_of(row)
        assert image is not None
        mask = saved.predicted(row, image)
        assert mask is not None
        assert int(mask.sum()) == row["predicted_area"]
        expected = decode(RunLengths(row["height"], row["width"], row.pop("rle")))
        np.testing.assert_array_equal(mask, expected)
        np.testing.assert_array_equal(again.predicted(row, image), expected)
    assert again.notes() == saved.notes() == []


def test_the_truth_is_that_of_the_data(tested: Results, shapes_root: Path) -> None:
    rows = tested.table.slice(2, 5)
    truths = true_masks(rows, RunMasks(tested).config)
    assert truths.note is None
    references = read_references(shapes_root, "shapes")
    places = references.table["expression_id"].to_pylist()
    for row, mask in zip(rows.to_pylist(), truths.masks, strict=True):
        truth = decode(references.truth(places.index(row["expression_id"])))
        np.testing.assert_array_equal(mask, truth)


def test_a_truth_of_other_data_is_not_shown(tested: Results) -> None:
    rows = tested.table.slice(0, 3)
    config = RunMasks(tested).config
    area = rows.schema.get_field_index("area")
    changed = rows.set_column(area, "area", pa.array([1, *rows["area"].to_pylist()[1:]]))
    truths = true_masks(changed, config)
    assert [mask is None for mask in truths.masks] == [True, False, False]
    assert truths.note is not None
    assert "1 of 3 true masks" in truths.note
    assert "--root" in truths.note


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"data": 3},
        {"data": {"dataset": 5}},
        {"data": {"dataset": "refcoco"}},
        {"data": {"dataset": "refcoco", "root": "/nowhere"}},
        {"data": {"dataset": [{"title": "x"}]}},
        {"data": {"shapes": {"colour": "red"}}},
        {"data": {"stream": "/nowhere"}},
    ],
)
def test_without_data_there_is_a_note(config: dict[str, object], tested: Results) -> None:
    truths = true_masks(tested.table.slice(0, 2), config)
    assert list(truths.masks) == [None, None]
    assert truths.note is not None
    assert truths.note.startswith("The true masks are not shown: ")


def test_the_checkpoint_is_found_where_the_run_is_now(tested: Results, checkpoint: Path) -> None:
    moved = without_masks(tested, checkpoint="/gone/run/checkpoints/eager.ckpt")
    assert RunMasks(moved).checkpoint == checkpoint
    assert RunMasks(without_masks(tested, checkpoint="/gone/other.ckpt")).checkpoint is None
    assert RunMasks(without_masks(tested, checkpoint=None)).checkpoint is None


@pytest.mark.parametrize("damage", ["absent", "truncated", "other"])
def test_without_a_checkpoint_nothing_is_drawn_and_it_is_said(
    damage: str, tested: Results, checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "odd.ckpt"
    if damage == "truncated":
        path.write_bytes(checkpoint.read_bytes()[:1000])
    elif damage == "other":
        torch.save({"weights": torch.zeros(2)}, path)
    masks = RunMasks(without_masks(tested, checkpoint=str(path)))
    row = masks.results.table.slice(0, 1).to_pylist()[0]
    assert masks.predicted(row, image_of(row)) is None
    (note,) = masks.notes()
    assert str(path) in note
    assert "--save_masks true" in note
    reason = masks.why_no_strips()
    assert reason is not None
    assert str(path) in reason


def test_after_crf_predictions_are_refined_once_more(
    tested: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"iterations": 2, "on": "image"}
    results = without_masks(tested, crf={"options": options})
    refined = results._replace(path=results.path.with_name("results_crf.parquet"))
    row = results.table.slice(0, 1).to_pylist()[0]
    image = image_of(row)
    asked: list[CRFOptions | None] = []
    segment = Pipeline.segment

    def plainly(
        self: Pipeline, image: Pixels, expression: str, crf: CRFOptions | None = None
    ) -> Segmentation:
        asked.append(crf)
        return segment(self, image, expression)

    monkeypatch.setattr(Pipeline, "segment", plainly)
    assert not RunMasks(results).after_crf
    assert RunMasks(results).predicted(row, image) is not None
    assert RunMasks(refined).after_crf
    assert RunMasks(refined).predicted(row, image) is not None
    assert asked == [None, CRFOptions(iterations=2, on="image")]
    for damaged in (None, {}, {"options": {"unknown": 3}}):
        masks = RunMasks(refined._replace(summary={**results.summary, "crf": damaged}))
        assert masks.predicted(row, image) is None
        assert "does not tell the options of DenseCRF" in masks.notes()[0]


def test_other_predictions_than_those_evaluated_are_told(tested: Results) -> None:
    masks = RunMasks(without_masks(tested))
    row = masks.results.table.slice(0, 1).to_pylist()[0]
    masks.predicted({**row, "predicted_area": row["predicted_area"] + 1}, image_of(row))
    (note,) = masks.notes()
    assert ", and 1 of them have not, to the pixel, the size" in note


def test_damaged_masks_and_unknown_words(tested: Results) -> None:
    row = tested.table.slice(0, 1).to_pylist()[0]
    saved = RunMasks(tested)
    assert saved.predicted({**row, "rle": b"\xff"}, image_of(row)) is None
    assert "is damaged" in saved.notes()[0]
    again = RunMasks(without_masks(tested))
    del row["rle"]
    assert again.predicted({**row, "expression": "qwertz"}, image_of(row)) is None
    assert "knows no word" in again.notes()[0]


def test_answers_that_are_not_numbers_are_left_out(tested: Results) -> None:
    masks = RunMasks(without_masks(tested))
    row = tested.table.slice(0, 1).to_pylist()[0]
    del row["rle"]
    assert masks.pipeline is not None
    for weight in masks.pipeline.segmenter.parameters():
        torch.nn.init.constant_(weight, torch.nan)
    image = image_of(row)
    assert image is not None
    assert masks.predicted(row, image) is None
    assert masks.read(row, image) is None
    assert "the network's answers are not numbers: 1." in masks.notes()[0]


def test_images_that_are_not_what_they_were(tested: Results) -> None:
    row = tested.table.slice(0, 1).to_pylist()[0]
    assert image_of({**row, "height": row["height"] + 1}) is None
    assert image_of({**row, "image_path": "/nowhere.jpg"}) is None


def test_an_unknown_device(tested: Results) -> None:
    with pytest.raises(ConfigError, match="got 'abacus'"):
        _ = RunMasks(without_masks(tested), device="abacus").pipeline


def test_the_config_is_found_in_each_of_its_places(tested: Results, run: Path) -> None:
    """In the summary, beside the results or above them, and in the checkpoint."""
    inside = RunMasks(tested).config
    assert inside == json.loads((tested.path.parent / "summary.json").read_text())["config"]
    assert inside["data"]["dataset"] == "shapes"
    bare = without_masks(tested, config=None)
    of_checkpoint = RunMasks(bare)
    assert of_checkpoint.config_file is None
    said = {name: value for name, value in inside["data"].items() if name != "outside_files"}
    assert of_checkpoint.config["data"] == {  # which files a table may name is the user's to say
        **said,
        "vocabulary_from": None,
        **{name: of_checkpoint.config["data"][name] for name in ("test_splits",)},
    }
    beside = RunMasks(bare._replace(path=run / "test" / "results.parquet"))
    assert beside.config_file == run / "config.yaml"
    assert beside.config["model"]["fusion"]["class_path"].endswith("MultimodalLSTM")

"""Masks in files give the rows that the same masks give from a function, and from `refseg test`."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco
from torchvision.ops import box_convert, box_iou

import refseg
from refseg.data import ReferringDataModule, read_references
from refseg.data.references import References
from refseg.data.shapes import ShapesOptions
from refseg.errors import ConfigError, DataError
from refseg.evaluation import PROTOCOLS
from refseg.evaluation.results import RLE
from refseg.masks import decode
from refseg.types import Batch

Write = Callable[[Path, np.ndarray], dict[str, object]]


@pytest.fixture(scope="module")
def data(shapes_root: Path) -> ReferringDataModule:
    options = ShapesOptions(train_images=12, evaluation_images=4)
    return ReferringDataModule(shapes=options, image_size=48)


@pytest.fixture(scope="module")
def references(shapes_root: Path) -> References:
    return read_references(shapes_root, "shapes")


def guess(truth: np.ndarray, expression_id: int) -> np.ndarray:
    """Right, moved or empty, in turn."""
    if expression_id % 3 == 2:
        return np.zeros_like(truth)
    return np.roll(truth, 2 * (expression_id % 3), axis=(0, 1))


def by_function(batch: Batch) -> list[np.ndarray]:
    pairs = zip(batch.truths, batch.expression_ids, strict=True)
    return [guess(decode(truth), number) for truth, number in pairs]


def as_run_lengths(folder: Path, mask: np.ndarray) -> dict[str, object]:
    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"rle": {"size": list(mask.shape), "counts": rle["counts"].decode()}}


def as_file(folder: Path, mask: np.ndarray) -> dict[str, object]:
    (folder / "masks").mkdir(exist_ok=True)
    path = folder / "masks" / f"{len(list((folder / 'masks').iterdir()))}.png"
    Image.fromarray(mask.astype(np.uint8)).save(path)  # 0 and 1: what is not black
    return {"mask": f"masks/{path.name}"}


def write(
    folder: Path, references: References, as_values: Write = as_run_lengths, by_id: bool = True
) -> Path:
    lines = []
    for row, of_row in enumerate(references.table.to_pylist()):
        mask = guess(decode(references.truth(row)), of_row["expression_id"])
        if by_id:
            names = {"expression_id": of_row["expression_id"]}
        else:
            image = Path(of_row["image_path"]).name
            names = {"image": image, "expression": of_row["raw"]}
        lines.append({**names, **as_values(folder, mask)})
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def edit(path: Path, change: Callable[[list[dict[str, object]]], object]) -> Path:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def expected(references: References) -> refseg.evaluation.results.Results:
    """What a function gives, which is tested against counting by hand elsewhere."""
    return refseg.evaluate(by_function, references, splits=["val"], save_masks=True, progress=False)


@pytest.mark.parametrize("as_values", [as_run_lengths, as_file])
@pytest.mark.parametrize("by_id", [True, False])
def test_the_rows_are_those_of_a_function(
    as_values: Write,
    by_id: bool,
    references: References,
    expected: refseg.evaluation.results.Results,
    tmp_path: Path,
) -> None:
    path = write(tmp_path, references.split("val"), as_values, by_id)
    found = refseg.evaluate_predictions(path, references, tmp_path / "out", progress=False)
    assert found.table.equals(expected.table)
    assert 0 < found.figures["val"]["overall_iou"] < 1
    assert found.figures == expected.figures == found.summary["metrics"]
    assert found.summary["data"] == expected.summary["data"], "only val is predicted"
    assert found.summary["model"] == {"predictions": "mine.jsonl"}
    written = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert written == ["metrics.json", "results.parquet", "summary.json"]
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["metrics"] == found.figures
    about = metrics["predictions"]
    assert about == found.summary["predictions"]
    assert (about["path"], about["missing"]) == (str(path), {"val": 0})
    assert about["boxes_without_mask"] == 0


def test_protocols_count_the_masks_in_their_manner(references: References, tmp_path: Path) -> None:
    """Against each protocol's definition, expression by expression."""
    val = references.split("val")
    path = write(tmp_path, val)
    found = refseg.evaluate_predictions(path, references, protocols=[*PROTOCOLS], progress=False)
    figures = {name: splits["val"] for name, splits in found.summary["protocols"].items()}
    assert list(figures) == list(PROTOCOLS)
    firsts = set(val.first_expression_ids().tolist())
    for name, protocol in PROTOCOLS.items():
        inside, either, hits = 0, 0, []
        for row, number in enumerate(val.table["expression_id"].to_pylist()):
            truth = decode(val.truth(row))
            masks = [protocol.truth(mask) for mask in (guess(truth, number), truth)]
            if protocol.sentences == "first" and number not in firsts:
                continue
            both, union = np.logical_and(*masks).sum(), np.logical_or(*masks).sum()
            inside, either = inside + both, either + union
            hits.append(both / (union + protocol.epsilon) > 0.5)  # no quotient is 0.5
        assert figures[name]["overall_iou"] == pytest.approx(inside / either, abs=1e-12), name
        assert figures[name]["precision@0.5"] == pytest.approx(np.mean(hits), abs=1e-12), name
    assert figures["lavt"]["overall_iou"] != figures["standard"]["overall_iou"]


def test_missing_ones_are_empty_masks_where_that_is_allowed(
    references: References, tmp_path: Path
) -> None:
    val = references.split("val")
    path = edit(write(tmp_path, val), lambda lines: lines.pop(0))
    lacking = val.table["expression_id"][0].as_py()
    with pytest.raises(DataError, match=rf"1 without a prediction \(expression_id\): {lacking} of"):
        refseg.evaluate_predictions(path, references, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    found = refseg.evaluate_predictions(path, references, allow_missing=True, progress=False)
    assert found.summary["predictions"]["missing"] == {"val": 1}
    (row,) = [row for row in found.table.to_pylist() if row["expression_id"] == lacking]
    assert (row["predicted_area"], row["intersection"]) == (0, 0)
    assert row["union"] == row["area"] > 0


def test_what_is_evaluated_is_what_is_predicted_unless_it_is_named(
    data: ReferringDataModule, references: References, tmp_path: Path
) -> None:
    path = write(tmp_path, references.split(["train", "val", "testA"]))
    found = refseg.evaluate_predictions(path, data, progress=False)
    assert found.summary["data"]["splits"] == ["val", "testA"], "not what is trained on"
    found = refseg.evaluate_predictions(path, data, splits=["train"], progress=False)
    assert list(found.figures) == ["train"]
    with pytest.raises(DataError, match=r"without a prediction .* of testB"):
        refseg.evaluate_predictions(path, data, splits=["val", "testB"], progress=False)
    path = write(tmp_path, references.split("train"))
    with pytest.raises(DataError, match="Expected predictions for val, testA, testB, got none"):
        refseg.evaluate_predictions(path, data, progress=False)


def test_scores_and_boxes(references: References, tmp_path: Path) -> None:
    def change(lines: list[dict[str, object]]) -> None:
        lines[0]["score"] = 0.25
        lines[1] = {"expression_id": lines[1]["expression_id"], "box": [1, 2, 3, 4]}

    val = references.split("val")
    path = edit(write(tmp_path, val), change)
    found = refseg.evaluate_predictions(path, references, progress=False)
    rows = {row["expression_id"]: row for row in found.table.to_pylist()}
    first, second = (rows[number] for number in val.table["expression_id"].to_pylist()[:2])
    assert (first["score"], second["score"]) == (0.25, None)
    assert second["predicted_area"] == 12
    assert found.summary["predictions"]["boxes_without_mask"] == 1


@pytest.mark.parametrize("are_given", [False, True])
def test_boxes_are_compared_with_the_extent_of_the_truth(
    are_given: bool, references: References, tmp_path: Path
) -> None:
    """Against pycocotools' boxes and torchvision's IoU."""

    def corners(mask: np.ndarray) -> torch.Tensor:
        box = coco.toBbox(coco.encode(np.asfortranarray(mask.astype(np.uint8))))
        return box_convert(torch.tensor(box)[None], "xywh", "xyxy")

    def shift(lines: list[dict[str, object]]) -> None:
        for line, box in zip(lines, given, strict=True):
            line["box"] = box_convert(box, "xyxy", "xywh")[0].tolist()

    val = references.split("val")
    truths = [decode(val.truth(row)) for row in range(len(val))]
    ids = val.table["expression_id"].to_pylist()
    guesses = [guess(truth, number) for truth, number in zip(truths, ids, strict=True)]
    given = [corners(truth) + 1.5 for truth in truths]
    path = write(tmp_path, val)
    if are_given:
        edit(path, shift)
    boxes = given if are_given else [corners(mask) for mask in guesses]
    ious = [box_iou(box, corners(truth)).item() for box, truth in zip(boxes, truths, strict=True)]
    found = refseg.evaluate_predictions(path, references, progress=False)
    figures = found.summary["predictions"]["boxes"]["val"]
    assert figures["mean_box_iou"] == pytest.approx(np.mean(ious), abs=1e-12)
    assert figures["box_precision@0.5"] == np.mean([iou >= 0.5 for iou in ious])
    assert 0 < figures["mean_box_iou"] < 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"rle": {"size": [4, 5], "counts": [20]}},
            r"expected .* of size \[\d+, \d+\], .* got \[4, 5\]",
        ),
        ({"mask": "small.png"}, r"small.png has 5 × 4 pixels, but its image has \d+ × \d+"),
        ({"mask": "torn.png"}, r"cannot read the mask .*torn.png"),
        ({"mask": "none.png"}, r"none.png is absent"),
        ({"rle": [1, 2]}, "the run lengths are damaged"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(
    value: dict[str, object], message: str, references: References, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "small.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "small.png").read_bytes()[:40])
    path = write(tmp_path, references.split("val"))

    def change(lines: list[dict[str, object]]) -> None:
        lines[2] = {"expression_id": lines[2]["expression_id"], **value}

    with pytest.raises(DataError, match=rf"mine.jsonl, line 3 \(expression_id \d+\): .*{message}"):
        refseg.evaluate_predictions(
            edit(path, change), references, tmp_path / "out", progress=False
        )
    assert not (tmp_path / "out").exists()


def test_an_unknown_protocol(references: References, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Unknown protocol 'lavd'"):
        refseg.evaluate_predictions(tmp_path, references, protocols=["lavd"], progress=False)


def test_results_are_compared_and_reported(
    data: ReferringDataModule, references: References, tmp_path: Path
) -> None:
    """The page shows masks, though there is no checkpoint, and says what is missing."""

    def leave_out(lines: list[dict[str, object]]) -> None:
        lines.remove(next(line for line in lines if int(str(line["expression_id"])) % 3 == 0))

    mine = refseg.evaluate_predictions(
        edit(write(tmp_path, references.split("val")), leave_out),
        data,
        tmp_path / "mine",
        allow_missing=True,
        progress=False,
    )
    other = refseg.evaluate(by_function, data, splits=["val"], progress=False)
    found = refseg.compare({"mine": mine, "other": other}, resamples=100)
    gains = pa.table(found.table()).to_pylist()[:2]
    assert gains[0]["value"] < gains[1]["value"], "a mask less"
    assert any("mine: 1 expressions of val have no prediction" in note for note in found.notes)
    page = refseg.report(mine, resamples=100, cases=1, strips=1).read_text()
    assert "true masks are not shown" not in page
    assert "Predictions that are not drawn" not in page
    assert "these are masks of another program" in page
    assert "1 expressions of val have no prediction and count as empty masks" in page
    assert RLE.name in mine.table.column_names

"""Each protocol on cases worked by hand that tell it from the others, and on the papers' counts."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from refseg.benchmarks.synthetic_batch import synthetic_batch
from refseg.evaluation import (
    PROTOCOLS,
    STANDARD,
    Protocol,
    ReferringMetrics,
    intersection_and_union,
)
from refseg.evaluation.counting import count_pixels
from refseg.evaluation.predictions import dilated
from refseg.geometry import Geometry
from refseg.masks import encode

from ..parity import read

OWN = ["standard", "rmi", "text_objseg", "cris", "mmdet"]


def _predict(name: str, logits: Tensor, height: int, width: int) -> Tensor:
    geometry = Geometry.letterbox(height, width, logits.shape[-1])
    return PROTOCOLS[name].rule(logits, geometry)


def _block() -> Tensor:
    """6 × 6 logits: +8 in the middle 2 × 2, else -8."""
    logits = torch.full((6, 6), -8.0)
    logits[2:4, 2:4] = 8.0
    return logits


def test_names() -> None:
    assert list(PROTOCOLS) == ["standard", "rmi", "text_objseg", "lavt", "cris", "rela", "mmdet"]
    assert all(protocol.name == name for name, protocol in PROTOCOLS.items())


def test_areas_of_a_block_that_doubles_by_hand() -> None:
    """2 × 2 pixels of 6 × 6 become 4 × 4 of 12 × 12, dilated by one pixel on each side with rmi.

    Twice the size, a pixel lies at a quarter and at three quarters between two of the network's. On
    the line between foreground and background, bilinear logits are 8 - 16 · ¼ = 4 and
    8 - 16 · ¾ = -4: foreground ends in the middle. In thresholded values they are ¾ and ¼, both of
    which are not 0: one pixel more on each side. At the corners inside, 0.75 · 0.75 · 16 - 8 = 1.
    """
    sides = {"standard": 4, "mmdet": 4, "rmi": 6, "text_objseg": 6}
    for name, side in sides.items():
        prediction = _predict(name, _block(), 12, 12)
        start = 6 - side // 2
        assert prediction[start : start + side, start : start + side].all(), name
        assert prediction.sum() == side * side, name


def test_lavt_squashes_what_is_not_square() -> None:
    """An image of 3 × 6 in the middle rows of a 6 × 6 letterbox."""
    logits = torch.full((6, 6), -8.0)
    logits[1:5] = 8.0  # more than the image's rows, which are 1, 2 and 3 of the square
    geometry = Geometry.letterbox(3, 6, 6)
    assert (geometry.top, geometry.scaled_height) == (1, 3)
    assert PROTOCOLS["lavt"].rule(logits, geometry).shape == (480, 480)
    assert PROTOCOLS["lavt"].rule(logits, geometry).all()
    truth = np.zeros((3, 6), bool)
    truth[0, :2] = True
    squashed = PROTOCOLS["lavt"].truth(truth)
    assert squashed.sum() == 160 * 160
    assert squashed[:160, :160].all()


@pytest.mark.parametrize(("height", "width"), [(480, 640), (427, 640), (333, 500), (7, 3)])
def test_lavt_takes_the_nearest_pixel_of_the_mask(height: int, width: int) -> None:
    """Pixel centres on pixel centres; exactly on an edge, Pillow's rounding noise decides."""
    mask = np.random.default_rng(height).random((height, width)) > 0.5
    rows, columns = ((2 * np.arange(480) + 1) * n for n in (height, width))
    clear = np.ix_(rows % 960 != 0, columns % 960 != 0)
    nearest = mask[np.ix_(rows // 960, columns // 960)]
    np.testing.assert_array_equal(PROTOCOLS["lavt"].truth(mask)[clear], nearest[clear])
    assert clear[0].size >= 320


@pytest.mark.parametrize("name", OWN)
def test_all_others_leave_the_mask_alone(name: str) -> None:
    mask = np.eye(5, 7, dtype=bool)
    assert PROTOCOLS[name].truth(mask) is mask


def test_thresholds_by_hand() -> None:
    """Without any resizing: -0.7 is p = 0.33, -0.6 is p = 0.354, 0 is p = 0.5."""
    logits = torch.tensor([[-0.7, -0.6, 0.0, 1e-8]]).repeat(4, 1)
    expected = {
        "standard": [0, 0, 0, 1],
        "mmdet": [0, 0, 0, 1],
        "rmi": [0, 0, 0, 1],
        "text_objseg": [0, 0, 0, 1],
        "cris": [0, 1, 1, 1],
    }
    for name, row in expected.items():
        assert _predict(name, logits, 4, 4).int().tolist() == [row] * 4, name


def test_rmi_takes_a_logit_of_its_threshold_and_none_below() -> None:
    logits = torch.tensor([[1e-9, 9e-10], [0.0, 5e-9]], dtype=torch.float64).float()
    assert dilated(logits, Geometry.letterbox(2, 2, 2)).tolist() == [[True, False], [False, True]]


def test_cris_resizes_probabilities_by_cubic_interpolation() -> None:
    """Against Pillow's bicubic, away from the border, where both take the same 16 neighbours.

    Pillow's kernel has a = -0.5, OpenCV's -0.75; on a straight ramp both give the ramp itself.
    """
    ramp = torch.linspace(0.05, 0.95, 16).repeat(16, 1)
    large = np.asarray(Image.fromarray(ramp.numpy()).resize((32, 32), Image.Resampling.BICUBIC))
    prediction = _predict("cris", torch.logit(ramp), 32, 32).numpy()
    inner = slice(6, 26)
    clear = np.abs(large - 0.35) > 0.01
    assert ((large > 0.35) == prediction)[inner, inner][clear[inner, inner]].all()
    assert prediction[inner, inner].any()
    assert not prediction[inner, inner].all()


def test_cris_undoes_the_letterbox() -> None:
    """A vertical line comes back to where it was in an image that is not square."""
    geometry = Geometry.letterbox(height=20, width=40, size=20)
    logits = torch.full((20, 20), -20.0)
    logits[geometry.top : geometry.top + 10, 7] = 20.0
    columns = PROTOCOLS["cris"].rule(logits, geometry)[4:16].float().mean(0)
    assert columns.nonzero()[:, 0].tolist() == [14, 15]


def test_figures_of_ties_and_empty_unions_by_hand() -> None:
    """IoU ½ exactly, 0/0, and 1: (overall, mean, precision@0.5)."""
    intersections, unions = torch.tensor([2, 0, 3]), torch.tensor([4, 0, 3])
    expected = {
        "standard": (5 / 7, (0.5 + 1 + 1) / 3, 3 / 3),
        "rmi": (5 / 7, (0.5 + 0 + 1) / 3, 2 / 3),
        "text_objseg": (5 / 7, (0.5 + 0 + 1) / 3, 2 / 3),
        "lavt": (5 / 7, (0.5 + 0 + 1) / 3, 2 / 3),
        "cris": (5 / 7, (2 / (4 + 1e-6) + 0 + 3 / (3 + 1e-6)) / 3, 1 / 3),
        "mmdet": (5 / 7, (0.5 + 0 + 1) / 3, 2 / 3),
    }
    for name, (overall, mean, precision) in expected.items():
        figures = PROTOCOLS[name].figures(intersections, unions)
        assert figures["overall_iou"].item() == overall, name
        assert figures["mean_iou"].item() == pytest.approx(mean, abs=1e-15), name
        assert figures["precision@0.5"].item() == precision, name


@pytest.mark.parametrize("union", [10, 30, 40, 50, 60, 100, 990, 12_340, 307_200])
def test_cris_at_its_thresholds_as_its_code_compares(union: int) -> None:
    """`inference` in `engine/engine.py`, line by line: exact ties, and a pixel beside them."""
    ties = [round(union * tenths / 10) for tenths in range(5, 10)]
    intersections = [pixels + step for pixels in ties for step in (-1, 0, 1)]
    figures = PROTOCOLS["cris"].figures(
        torch.tensor(intersections), torch.tensor([union] * len(intersections))
    )
    iou_list = [np.int64(intersection) / (np.int64(union) + 1e-6) for intersection in intersections]
    ious = torch.from_numpy(np.stack(iou_list))
    for tenths, threshold in enumerate(torch.arange(0.5, 1.0, 0.1), start=5):
        expected = (ious > threshold).float().mean().item()
        assert figures[f"precision@0.{tenths}"].item() == pytest.approx(expected, abs=1e-7)


def test_cris_calls_ties_at_some_thresholds_hits() -> None:
    """0.7 and 0.9 are less in float32 by 1e-8 and 2e-8; 1e-6 of a tiny union takes more away."""
    for union, hits in ((1000, {7, 9}), (50, {9}), (10, set())):
        for tenths in range(5, 10):
            tie = torch.tensor([union * tenths // 10]), torch.tensor([union])
            hit = PROTOCOLS["cris"].figures(*tie)[f"precision@0.{tenths}"].item()
            assert hit == (tenths in hits), (union, tenths)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_overall_iou_of_nothing_but_empty_unions(name: str) -> None:
    nothing = torch.tensor([0, 0])
    overall = PROTOCOLS[name].figures(nothing, nothing)["overall_iou"].item()
    assert overall == 1 if name == "standard" else math.isnan(overall)


def test_only_mmdet_leaves_sentences_out() -> None:
    assert [p.name for p in PROTOCOLS.values() if p.sentences == "first"] == ["mmdet"]


def test_no_two_protocols_agree_but_those_that_share_their_code() -> None:
    """What tells them apart, counted on one map: predicted pixels, rules of figures, sentences."""
    logits = torch.full((12, 12), -3.0)
    logits[3:9, 2:8] = 3.0
    logits[4:6, 8] = -0.5  # over 0.35, under 0.5
    geometry = Geometry.letterbox(18, 30, 12)

    def signature(protocol: Protocol) -> tuple[object, ...]:
        area = int(protocol.rule(logits, geometry).sum())
        ties = protocol.figures(torch.tensor([1, 0]), torch.tensor([2, 0]))
        rules = tuple(value.item() for value in ties.values())
        return area, rules, protocol.sentences

    found = {name: signature(protocol) for name, protocol in PROTOCOLS.items()}
    assert found.pop("text_objseg") == found["rmi"]
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize(("name", "size"), [("rmi", 320), ("text_objseg", 512)])
def test_counts_of_the_papers_code(shared: Path, name: str, size: int) -> None:
    """Scores in; intersections, unions and the printed report out."""
    paper = "rmi" if name == "rmi" else "hu"
    fixture = np.load(shared / "parity" / f"eval_{paper}.npz")
    maps = _upsampled(fixture, size)
    protocol, counts = PROTOCOLS[name], []
    for number, (height, width) in enumerate(fixture["sizes_hw"].tolist()):
        truth, theirs = (_unpacked(fixture[f"{key}_{number}"], width) for key in _MASKS)
        prediction = protocol.rule(maps[number], Geometry.letterbox(height, width, size))
        if height == width == size:
            # Nothing is to be resized, and rounding noise of their linear algebra touches pixels
            # beside the foreground, on one side. It differs from one such library to the next.
            around = functional.max_pool2d(prediction[None].float(), 3, stride=1, padding=1)[0] > 0
            assert not (prediction & ~theirs).any()
            assert not (theirs & ~around).any()
            prediction = theirs
        assert torch.equal(prediction, theirs), (height, width)
        counts.append(torch.cat(intersection_and_union(prediction[None], truth[None])))
    intersections, unions = torch.stack(counts, dim=1)
    assert intersections.tolist() == fixture["out/I"].tolist()
    assert unions.tolist() == fixture["out/U"].tolist()
    printed = json.loads(bytes(fixture["meta"]))["printed"].split("with DenseCRF")[0]
    report = re.findall(r"(precision@0\.\d|overall IoU) = ([\d.]+)", printed)
    figures = protocol.figures(intersections, unions)
    assert {key.replace("overall IoU", "overall_iou") for key, _ in report} == {*protocol.reported}
    for key, value in report:
        assert f"{figures[key.replace('overall IoU', 'overall_iou')]:f}" == value


def test_standard_differs_from_what_the_papers_counted(shared: Path) -> None:
    fixture = np.load(shared / "parity" / "eval_rmi.npz")
    height, width = fixture["sizes_hw"][0].tolist()
    geometry = Geometry.letterbox(height, width, 320)
    prediction = STANDARD.rule(_upsampled(fixture, 320)[0], geometry)
    theirs = _unpacked(fixture["out/pred_packed_0"], width)
    assert prediction.sum() < theirs.sum()


_MASKS = ("in/gt_packed", "out/pred_packed")


def _unpacked(packed: np.ndarray, width: int) -> Tensor:
    return torch.from_numpy(np.unpackbits(packed, axis=1)[:, :width]).bool()


def _upsampled(fixture: np.lib.npyio.NpzFile, size: int) -> Tensor:
    """The scores in network size, as the two codes enlarge them."""
    if "in/pred40" in fixture:  # corner on corner, the last row and column repeated
        cells = torch.from_numpy(fixture["in/pred40"]).reshape(-1, 1, 40, 40)
        padded = functional.pad(cells, (0, 1, 0, 1), mode="replicate")
        enlarged = functional.interpolate(
            padded, size=(size + 1, size + 1), mode="bilinear", align_corners=True
        )
        return enlarged[:, 0, :size, :size]
    cells = torch.from_numpy(fixture["in/pred16"]).reshape(-1, 1, 16, 16)
    slope = torch.cat([torch.arange(33), torch.arange(31, 0, -1)]) / 32
    return functional.conv_transpose2d(
        cells, torch.outer(slope, slope)[None, None], stride=32, padding=16
    )[:, 0]


def test_cris_figures_are_those_of_its_code(shared: Path) -> None:
    """Of the masks that its code predicted: foreground above 0.35, a mean over sentences."""
    with np.load(shared / "parity" / "modern" / "cris_eval.npz") as fixture:
        intersections, unions = [], []
        for picture in range(3):
            mask = fixture[f"in/mask{picture}"] > 0
            for prediction in fixture[f"out/probability{picture}"] > np.float32(0.35):
                intersections.append(int((prediction & mask).sum()))
                unions.append(int((prediction | mask).sum()))
        figures = PROTOCOLS["cris"].figures(torch.tensor(intersections), torch.tensor(unions))
        assert figures["mean_iou"].item() == pytest.approx(float(fixture["out/mean_iou"]))
        found = [figures[f"precision@0.{tenths}"].item() for tenths in range(5, 10)]
        assert found == pytest.approx(fixture["out/precision"].tolist())


@pytest.mark.parametrize("source", ["refcoco", "grefcoco", "full"])
def test_rela_counts_as_its_code_does(source: str, shared: Path) -> None:
    """Twelve predictions, of which seven are withdrawn, with ReLA's own figures."""
    fixture, facts = read(shared / "parity" / "modern" / "rela_eval.npz")
    chosen = torch.ones(12, dtype=torch.bool)
    if source != "full":
        chosen = fixture["in/is_grefcoco"].bool() == (source == "grefcoco")
    scores, masks = fixture["in/scores"][chosen], fixture["in/masks"][chosen].bool()
    logits = (scores[:, 1].sigmoid() > scores[:, 0].sigmoid()).float() - 0.5
    protocol = replace(PROTOCOLS["rela"], side=None)  # the masks are in one size already
    batch, _ = synthetic_batch(len(masks), *masks.shape[1:], side=8)
    batch.truths = tuple(encode(mask.numpy()) for mask in masks)
    nothing = fixture["in/nt"][chosen].argmax(1).bool()
    counts = count_pixels(batch, [mask > 0 for mask in logits], protocol, nothing=nothing)
    metric = ReferringMetrics(protocol=protocol)
    metric.update(counts.intersections, counts.unions, range(len(masks)), counts.areas)
    found = {name: value.item() for name, value in metric.compute().items()}
    expected = facts["results"][source]
    assert found["mean_iou"] == pytest.approx(expected["gIoU"] / 100, rel=1e-12)
    assert found["overall_iou"] == pytest.approx(expected["cIoU"] / 100, rel=1e-12)
    for threshold in (0.7, 0.8, 0.9):
        share = expected[f"Pr@{threshold}"] / 100
        assert found[f"precision@{threshold}"] == pytest.approx(share, rel=1e-12)
    if source == "grefcoco":
        assert found["target_accuracy"] == pytest.approx(expected["T_acc"], rel=1e-12)
        assert found["no_target_accuracy"] == expected["N_acc"]


def test_rela_keeps_objects_that_vanish_in_the_square_apart_from_nothing() -> None:
    """An object of one pixel of a picture larger than the square, and one that is not there."""
    small, none = np.zeros((2, 960, 961), np.bool_)
    small[0, 0] = True
    batch, _ = synthetic_batch(2, 960, 961, side=8)
    batch.truths = (encode(small), encode(none))
    predictions = [torch.zeros(480, 480, dtype=torch.bool)] * 2
    counts = count_pixels(batch, predictions, PROTOCOLS["rela"])
    assert counts.areas.tolist() == [1, 0]
    assert not PROTOCOLS["rela"].truth(small).any()

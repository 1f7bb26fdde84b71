"""gRefCOCO: several objects, none, crowds, no sentence; and a training run on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refseg.__main__ import main
from refseg.data import Augmentation, ReferringDataset, Transform
from refseg.data.readers import read_grefcoco, read_references
from refseg.data.references import References
from refseg.errors import DataError
from refseg.masks import decode

from ...conftest import TINY
from ..fake_grefcoco import grefs, write_fake_grefcoco, write_grefs
from ..fake_refer import python2_pickle


@pytest.fixture(scope="module")
def gref_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_grefcoco(tmp_path_factory.mktemp("gref") / "root")


def rows(references: References, reference_id: int) -> list[dict[str, Any]]:
    return [row for row in references.table.to_pylist() if row["reference_id"] == reference_id]


def mask_of(references: References, reference_id: int) -> np.ndarray:
    ids = references.table["reference_id"].to_pylist()
    return decode(references.truth(ids.index(reference_id)))


def test_one_object_several_or_none(gref_root: Path) -> None:
    references = read_references(gref_root, "grefcoco")
    assert references.source == "grefcoco (unc)"
    assert repr(references) == "References(39 expressions, 20 references, 7 images)"
    assert references.splits == ("train", "val", "testA", "testB")

    several = rows(references, 1)[0]
    assert several["annotation_ids"] == [10, 11, 12]
    assert several["category_ids"] == [1, 2, 3]
    expected = np.zeros((40, 60), bool)  # by hand, from `segmentations` of the fake data
    expected[3:13, 2:12] = expected[10:20, 15:30] = expected[5:20, 3:9] = True
    np.testing.assert_array_equal(mask_of(references, 1), expected)

    nothing = rows(references, 2)[0]
    assert nothing["annotation_ids"] == nothing["category_ids"] == []
    assert (nothing["height"], nothing["width"]) == (40, 60)
    assert not mask_of(references, 2).any()


def test_crowds_belong_to_the_union(gref_root: Path) -> None:
    expected = np.zeros((40, 60), bool)
    expected[:, :15] = True  # 600 pixels of columns of 40
    assert rows(read_grefcoco(gref_root), 0)[0]["annotation_ids"] == [10, 900100000001]
    np.testing.assert_array_equal(mask_of(read_grefcoco(gref_root), 0), expected)


def test_references_without_a_sentence_are_listed(gref_root: Path) -> None:
    (message,) = read_grefcoco(gref_root).skipped
    assert message.endswith("grefs(unc).json, ref_id 6: it has no sentence.")


def test_an_early_copy_is_a_pickle(tmp_path: Path, gref_root: Path) -> None:
    refs, instances = grefs()
    write_grefs(tmp_path, refs, instances)
    (tmp_path / "images").symlink_to(gref_root / "images")
    (tmp_path / "grefcoco" / "grefs(unc).json").unlink()
    (tmp_path / "grefcoco" / "grefs(unc).p").write_bytes(python2_pickle(refs))
    references = read_references(tmp_path, "grefcoco", "unc")
    assert references.fingerprint() == read_grefcoco(gref_root).fingerprint()


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no ids": (lambda ref: ref.update(ann_id=[]), "expected 'ann_id' to be a list of ids"),
    "nothing and something": (lambda ref: ref.update(ann_id=[-1, 20]), "or \\[-1\\] for no object"),
    "text": (lambda ref: ref.update(ann_id="20"), "expected 'ann_id' to be of type int"),
    "list of texts": (lambda ref: ref.update(ann_id=["20"]), "expected 'ann_id' to be of type int"),
    "unknown object": (lambda ref: ref.update(ann_id=[20, 7]), "its ann_id 7 is not in"),
    "other image": (lambda ref: ref.update(ann_id=[20, 30]), "lies on image 3"),
    "unknown image": (lambda ref: ref.update(ann_id=[-1], image_id=70), "image_id 70 is not in"),
    "no sentences": (lambda ref: ref.pop("sentences"), "the key 'sentences' is missing"),
    "sentences as text": (lambda ref: ref.update(sentences=""), "expected 'sentences'"),
    "no class": (lambda ref: ref.update(category_id=[]), "expected 'category_id'"),
    "no split": (lambda ref: ref.update(split=" "), "expected the name of a split, got ' '"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_record_is_named(tmp_path: Path, gref_root: Path, case: str) -> None:
    change, message = WRONG[case]
    refs, instances = grefs()
    change(refs[3])
    write_grefs(tmp_path, refs, instances)
    (tmp_path / "images").symlink_to(gref_root / "images")
    with pytest.raises(DataError, match=rf"grefs\(unc\)\.json, ref_id 3: .*{message}"):
        read_grefcoco(tmp_path)
    references = read_grefcoco(tmp_path, on_bad_record="skip")
    assert len(references.skipped) == 2
    assert not rows(references, 3)


def test_an_empty_mask_of_an_impossible_image(tmp_path: Path, gref_root: Path) -> None:
    refs, instances = grefs()
    instances["images"][0]["width"] = 2**40
    write_grefs(tmp_path, refs[2:3], instances)
    (tmp_path / "images").symlink_to(gref_root / "images")
    with pytest.raises(DataError, match="ref_id 2: an image of 1099511627776 × 40 pixels cannot"):
        read_grefcoco(tmp_path)


def test_nothing_usable_is_an_error(tmp_path: Path, gref_root: Path) -> None:
    refs, instances = grefs()
    write_grefs(tmp_path, refs[6:7], instances)
    (tmp_path / "images").symlink_to(gref_root / "images")
    with pytest.raises(DataError, match=r"grefcoco \(unc\) has no usable reference: 1 records"):
        read_grefcoco(tmp_path)


def test_empty_masks_go_through_every_augmentation(gref_root: Path) -> None:
    transform = Transform(32, Augmentation(flip=1.0, noise=0.1, shrink=0.5, rotation=10.0))
    dataset = ReferringDataset(read_grefcoco(gref_root), transform)
    empty = [not mask.any() for item in range(len(dataset)) for mask in dataset[item].masks]
    assert sum(empty) >= 7
    assert not all(empty)


def test_trains_and_evaluates(gref_root: Path, tmp_path: Path) -> None:
    """Loss (with the Dice that divides 0 by 0), metrics and pictures of expressions of nothing."""
    options = [word for word in TINY if not word.startswith("--data.shapes")]
    loss = """
class_path: WeightedSum
init_args:
  losses:
    - {class_path: WeightedLogisticLoss}
    - {class_path: DiceLoss, init_args: {smoothing: 0.0}}
  weights: [1.0, 1.0]
"""
    (tmp_path / "loss.yaml").write_text(loss)
    data = ["--data", "data/refer.yaml", "--data.root", str(gref_root), "--data.split_by", "unc"]
    data += ["--data.dataset", "grefcoco"]
    words = ["fit", "--config", "rmi.yaml", *data, *options, "--output", str(tmp_path / "run")]
    assert main([*words, f"--model.loss={tmp_path / 'loss.yaml'}"]) == 0
    assert (tmp_path / "run" / "examples.png").is_file()
    words = ["test", "--config", str(tmp_path / "run" / "config.yaml"), "--ckpt_path"]
    words += [str(tmp_path / "run" / "checkpoints" / "best.ckpt")]
    assert main([*words, "--output", str(tmp_path / "test")]) == 0
    assert (tmp_path / "test" / "metrics.json").is_file()

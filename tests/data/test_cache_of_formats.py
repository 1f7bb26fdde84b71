"""Every published format goes through the cache, and what its reader depends on makes it stale."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from refseg.data import cache
from refseg.data.cache import open_references
from refseg.data.readers import read_references
from refseg.data.references import References

from .fake_folder import write_fake_folder
from .fake_grefcoco import write_fake_grefcoco
from .fake_hub import write_fake_hub
from .fake_phrasecut import write_fake_phrasecut
from .fake_refer import write_fake_refer
from .fake_referit import write_fake_referit

FORMATS: dict[str, Callable[[Path], Path]] = {
    "fake": write_fake_refer,
    "grefcoco": write_fake_grefcoco,
    "referit": write_fake_referit,
    "phrasecut": write_fake_phrasecut,
    "refcoco": write_fake_hub,
    "mine": write_fake_folder,
}


def kinds(references: References) -> set[str]:
    return set(references.table["mask_kind"].to_pylist())


@pytest.mark.parametrize("dataset", FORMATS)
def test_is_read_once(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = FORMATS[dataset](tmp_path / "root")
    expected = read_references(root, dataset)
    first = open_references(root, dataset)
    monkeypatch.setattr(cache, "read_references", None)
    second = open_references(root, dataset)
    assert first.table.to_pylist() == second.table.to_pylist() == expected.table.to_pylist()
    assert (second.skipped, second.notes) == (expected.skipped, expected.notes)


ELSEWHERE = ["mask", "referit-dataset/mask", "saiapr_tc-12/07/segmentation_masks"]


@pytest.mark.parametrize("place", ["referit/mask", *ELSEWHERE])
def test_masks_that_come_later(tmp_path: Path, place: str) -> None:
    """ReferIt without masks has boxes; masks may be put into any of the places, deep down, too."""
    root = write_fake_referit(tmp_path / "root")
    (root / "referit" / "mask").rename(tmp_path / "mask")
    check_masks_that_come_later(root, place, tmp_path / "mask")


@pytest.mark.parametrize("place", ELSEWHERE)
def test_masks_that_come_later_without_own_folder(tmp_path: Path, place: str) -> None:
    root = write_fake_referit(tmp_path) / "referit"
    (root / "mask").rename(tmp_path / "mask")
    check_masks_that_come_later(root, place, tmp_path / "mask")


def check_masks_that_come_later(root: Path, place: str, masks: Path) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    assert kinds(open_references(root, "referit")) == {"box"}
    masks.rename(root / place)
    assert "mask" in kinds(open_references(root, "referit"))
    shutil.rmtree(root / place)
    assert kinds(open_references(root, "referit")) == {"box"}


def test_a_split_that_comes_later(tmp_path: Path) -> None:
    """PhraseCut's files may lie in the root itself, which is not listed."""
    root = write_fake_phrasecut(tmp_path) / "phrasecut"
    validation = root / "refer_val.json"
    validation.rename(tmp_path / "away")
    assert "val" not in open_references(root, "phrasecut").splits
    (tmp_path / "away").rename(validation)
    assert "val" in open_references(root, "phrasecut").splits

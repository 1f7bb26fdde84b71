"""The generated set is a proper one, of the size that was asked for."""

from pathlib import Path

import numpy as np
from PIL import Image

from refseg.benchmarks.epoch import read_epoch
from refseg.benchmarks.full_size import DATASET, SPLIT_BY, SetSize, write_refer_set
from refseg.data import read_references
from refseg.masks import decode

SIZE = SetSize.of_images(40)


def test_is_read_with_the_counts_asked_for(tmp_path: Path) -> None:
    assert SetSize(images=40, references=100, expressions=284, annotations=400) == SIZE
    references = read_references(write_refer_set(tmp_path, SIZE), DATASET, SPLIT_BY)
    assert repr(references) == "References(284 expressions, 100 references, 40 images)"
    assert references.splits == ("train", "val", "testA", "testB")
    paths = set(references.table["image_path"].to_pylist())
    assert len({Path(path).stat().st_ino for path in paths}) == 4, "four pictures with many names"
    rows = references.table.to_pylist()
    for row in rows[::50]:
        with Image.open(row["image_path"]) as image:
            assert image.size == (row["width"], row["height"])
    masks = {row["rle"] for row in rows}
    assert len(masks) == 100, "every object is another"
    areas = [decode(references.truth(row)).mean() for row in range(0, len(rows), 20)]
    assert min(areas) > 0
    assert max(areas) < 0.5


def test_an_epoch_sees_everything(tmp_path: Path) -> None:
    size = SetSize.of_images(20)
    epoch = read_epoch(write_refer_set(tmp_path, size), workers=2, image_size=32, batch_size=2)
    assert (epoch.expressions, epoch.images) == (size.expressions, 20)
    assert len(epoch.workers) == 2
    for worker in epoch.workers:
        assert worker.at_start == 0, "at the fork all is shared"
        assert 1e6 < worker.after_first <= worker.most
        assert 1e6 < worker.at_end <= worker.most


def test_other_seeds_give_other_sets(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_refer_set(tmp_path / name, SIZE, seed)
        found.append((tmp_path / name / DATASET / "instances.json").read_bytes())
    assert found[0] == found[1] != found[2]
    assert np.unique([len(text) for text in found]).size > 1

"""Items are images with their expressions, in this process and in workers."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from refseg.data.dataset import ReferringDataset
from refseg.data.loaders import Collate
from refseg.data.readers.refer import read_refer
from refseg.data.references import References
from refseg.data.tokenizers import WordTokenizer
from refseg.data.transforms import Transform
from refseg.data.worker_errors import original_message
from refseg.errors import ConfigError, DataError
from refseg.masks import decode


def dataset(root: Path, *splits: str, **options: object) -> ReferringDataset:
    references = read_refer(root, "fake")
    return ReferringDataset(references.split(splits or references.splits), Transform(32), **options)


def test_all_expressions_once(fake_root: Path) -> None:
    images = dataset(fake_root)
    assert len(images) == 7
    samples = [images[index] for index in range(7)]
    ids = [number for sample in samples for number in sample.expression_ids]
    assert sorted(ids) == list(range(100, 142))
    assert samples[0].expressions[:2] == ("the red box", "box on the left")
    assert samples[0].image.shape == (32, 32, 3)
    assert samples[0].masks.shape == (6, 32, 32)


@pytest.mark.parametrize(("largest", "sizes"), [(6, [6]), (4, [4, 2]), (1, [1] * 6), (5, [5, 1])])
def test_many_expressions_are_split_over_items(
    fake_root: Path, largest: int, sizes: list[int]
) -> None:
    images = dataset(fake_root, "train", max_expressions=largest)
    samples = [images[index] for index in range(len(images))]
    assert [len(sample.expressions) for sample in samples] == sizes * 4
    ids = [number for sample in samples for number in sample.expression_ids]
    assert len(set(ids)) == 24


def test_drawn_expressions_differ_between_visits_and_come_all_in_turn(fake_root: Path) -> None:
    images = dataset(fake_root, "val", expressions_per_image=2)
    assert len(images) == 1
    torch.manual_seed(0)
    visits = [images[0].expression_ids for _ in range(200)]
    assert all(len(set(visit)) == 2 for visit in visits)
    counts = np.bincount(np.array(visits).ravel() - 118, minlength=6)
    assert len(counts) == 6
    assert counts.min() > 40
    torch.manual_seed(0)
    assert [images[0].expression_ids for _ in range(200)] == visits
    everything = dataset(fake_root, "val", expressions_per_image=99)[0]
    assert everything.expression_ids == tuple(range(118, 124))


def test_one_expression_of_each_reference(fake_root: Path) -> None:
    """Each object once per epoch, by one of its sentences or another."""
    references = dataset(fake_root, "train", expressions_per_image="one_per_reference")
    assert len(references) == 12  # four images with three objects each
    torch.manual_seed(0)
    epochs = [[references[index] for index in range(12)] for _ in range(60)]
    assert {len(sample.expressions) for epoch in epochs for sample in epoch} == {1}
    seen = [{epoch[index].expression_ids[0] for epoch in epochs} for index in range(12)]
    table = read_refer(fake_root, "fake").split(["train"]).table
    rows = zip(
        *(table[name].to_pylist() for name in ("reference_id", "expression_id")), strict=True
    )
    expected: dict[int, set[int]] = {}
    for reference, expression in rows:
        expected.setdefault(reference, set()).add(expression)
    assert seen == [*expected.values()]


def test_masks_belong_to_their_expressions(fake_root: Path) -> None:
    references = read_refer(fake_root, "fake")
    images = ReferringDataset(references, lambda sample: sample)
    rows = {number: row for row, number in enumerate(references.table["expression_id"].to_pylist())}
    for index in range(len(images)):
        sample = images[index]
        assert sample.geometry is None
        for mask, number, truth in zip(
            sample.masks, sample.expression_ids, sample.truths, strict=True
        ):
            assert truth == references.truth(rows[number])
            np.testing.assert_array_equal(mask, decode(truth))


def test_no_object_per_row(fake_root: Path) -> None:
    """What a worker is sent is arrays and Arrow buffers alone, apart from a fixed few objects."""
    images = dataset(fake_root)
    small = len(pickle.dumps(images))
    table = images.references.table
    large = ReferringDataset(References.concat([References(table)] * 100), images.transform)
    assert all(isinstance(value, np.ndarray) for value in (large._rows, large._offsets))
    per_row = (len(pickle.dumps(large)) - small) / (99 * len(table))
    assert per_row < 200  # bytes; masks, paths and names are stored once
    assert pickle.loads(pickle.dumps(images))[2].expressions == images[2].expressions


@pytest.mark.parametrize(
    ("broken", "num_workers"), [("absent", 0), ("another size", 0), ("truncated", 0), ("absent", 1)]
)
def test_a_bad_image_names_file_and_record(own_root: Path, broken: str, num_workers: int) -> None:
    path = own_root / "images" / "train2014" / "COCO_train2014_000000000003.jpg"
    if broken == "absent":
        path.unlink()
        message = f"The image {path} is absent"
    elif broken == "truncated":
        path.write_bytes(path.read_bytes()[:200])
        message = f"Cannot read the image {path}"
    else:
        path.write_bytes(path.with_name("COCO_train2014_000000000002.jpg").read_bytes())
        message = f"the image {path} has 40 × 60 pixels, but its record says 50 × 50"
    images = dataset(own_root)
    tokenizer = WordTokenizer()
    tokenizer.build(images.references.expressions.to_pylist())
    loader: DataLoader[Any] = DataLoader(
        images,  # type: ignore[arg-type]  # collate makes batches of its samples
        batch_size=7,
        num_workers=num_workers,
        collate_fn=Collate(tokenizer),
    )
    with pytest.raises(DataError) as caught:
        list(loader)
    assert original_message(caught.value).startswith(
        f"fake (unc), ref_id 6, sent_id 112: {message}"
    )


def test_options_that_cannot_be(fake_root: Path) -> None:
    with pytest.raises(ConfigError, match="'one_per_reference' or a number of at least 1, got 0"):
        dataset(fake_root, expressions_per_image=0)
    with pytest.raises(ConfigError, match="max_expressions of at least 1, got 0"):
        dataset(fake_root, max_expressions=0)
    with pytest.raises(IndexError):
        dataset(fake_root)[7]

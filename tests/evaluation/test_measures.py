"""Measures on disk: every row once, in order, whatever the batches and processes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from refseg.evaluation import measures
from refseg.evaluation.measures import MeasureFile, merged


def add(file: MeasureFile, ids: list[int], loader: int = 0, union: int = 9) -> None:
    numbers = np.array(ids)
    file.add(
        loader,
        expression_id=ids,
        intersection=numbers % 7,
        union=np.full(len(ids), union),
        area=numbers % 5,
        score=numbers / 1000,
    )


@pytest.mark.parametrize("batch", [1, 7, 64, 1000])
def test_rows_come_back_by_rising_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(measures, "ROWS", 50)
    ids = np.random.default_rng(0).permutation(333).tolist()
    files = [MeasureFile(tmp_path / f"{number}.arrow") for number in range(2)]
    for number, start in enumerate(range(0, len(ids), batch)):
        add(files[number % 2], ids[start : start + batch])
        add(files[1 - number % 2], [number], loader=1)
    for file in files:
        file.close()
    parts = list(merged([file.path for file in files], loader=0, rows=50))
    table = pa.concat_tables(parts)
    assert [len(part) for part in parts] == [50] * 6 + [33]
    numbers = np.arange(333)
    assert table["expression_id"].to_pylist() == numbers.tolist()
    assert table["intersection"].to_pylist() == (numbers % 7).tolist()
    assert table["score"].to_pylist() == (numbers / 1000).tolist()
    assert table["rle"].null_count == 333


def test_masks_stay_with_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "_RLE_BYTES", 100)
    file = MeasureFile(tmp_path / "measures.arrow")
    for start in range(0, 40, 8):
        ids = list(range(start, start + 8))
        numbers = np.array(ids)
        texts = [str(number).encode() * 10 for number in ids]
        file.add(
            0,
            rle=texts,
            expression_id=ids,
            intersection=numbers,
            union=numbers,
            area=numbers,
            score=numbers / 40,
        )
    file.close()
    (table,) = merged([file.path], loader=0)
    assert table["rle"].to_pylist() == [str(number).encode() * 10 for number in range(40)]


def test_of_repeats_the_lowest_iou_counts(tmp_path: Path) -> None:
    files = [MeasureFile(tmp_path / f"{number}.arrow") for number in range(2)]
    for file, union in zip(files, (9, 12), strict=True):
        add(file, [3, 5], union=union)
        file.close()
    (table,) = merged([file.path for file in files], loader=0)
    assert table["union"].to_pylist() == [12, 12]


def test_no_rows(tmp_path: Path) -> None:
    file = MeasureFile(tmp_path / "deep" / "measures.arrow")
    file.close()
    assert list(merged([file.path], loader=0)) == []

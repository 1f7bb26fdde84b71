"""Lines that other programs write, against masks drawn by hand and encoded by pycocotools."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from refseg.errors import DataError
from refseg.evaluation.submitted import PredictionFiles

MASK = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=bool)
COMPRESSED = coco.encode(np.asfortranarray(MASK.astype(np.uint8)))["counts"].decode()
PLAIN = [3, 2, 1, 1, 4, 1]  # by columns, from the top: off, on, …


def no_files(path: Path, height: int, width: int, record: str) -> np.ndarray:
    raise AssertionError(path)


def listed(folder: Path, *lines: object) -> PredictionFiles:
    path = folder / "mine.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("\n".join(texts) + "\n")
    return PredictionFiles(path, no_files)


@pytest.mark.parametrize(
    "values",
    [
        {"rle": {"size": [3, 4], "counts": COMPRESSED}},
        {"rle": {"size": [3, 4], "counts": PLAIN}},
        {"rle": COMPRESSED},
        {"rle": PLAIN},
        {"mask": {"size": [3, 4], "counts": PLAIN}, "rle": None},
    ],
)
def test_run_lengths_of_all_kinds(values: dict[str, object], tmp_path: Path) -> None:
    files = listed(tmp_path, {"expression_id": 7, "score": 0.25, **values})
    ((place, question),) = files.lines()
    assert (question.expression_id, question.split) == (7, None)
    found = files.prediction(place, 3, 4)
    np.testing.assert_array_equal(found.mask, MASK)
    assert (found.score, found.box, found.is_box) == (0.25, None, False)


@pytest.mark.parametrize("nothing", [None, []])
@pytest.mark.parametrize("name", ["rle", "mask", "box"])
def test_nothing_is_an_empty_mask(name: str, nothing: object, tmp_path: Path) -> None:
    files = listed(tmp_path, {"expression_id": 7, name: nothing})
    ((place, _),) = files.lines()
    found = files.prediction(place, 3, 4)
    assert found.mask.shape == (3, 4)
    assert not found.mask.any()
    assert math.isnan(found.score)
    assert not found.is_box


def test_a_mask_is_a_file_beside_the_list(tmp_path: Path) -> None:
    asked = []

    def read(path: Path, height: int, width: int, record: str) -> np.ndarray:
        asked.append((path, height, width))
        assert record == f"{tmp_path / 'mine.jsonl'}, line 1 (a.jpg 'the dog')"
        return MASK

    listed(tmp_path, {"image": "a.jpg", "expression": "the dog", "mask": "masks/1.png"})
    files = PredictionFiles(tmp_path / "mine.jsonl", read)
    ((place, question),) = files.lines()
    assert question[:3] == (None, "a.jpg", "the dog")
    assert files.prediction(place, 3, 4).mask is MASK
    assert asked == [(tmp_path / "masks" / "1.png", 3, 4)]


def test_a_box_alone_is_filled_where_it_covers_the_centres_of_pixels(tmp_path: Path) -> None:
    files = listed(tmp_path, {"expression_id": 7, "box": [0.6, -3, 2, 4.4]})
    ((place, _),) = files.lines()
    found = files.prediction(place, 3, 4)
    # Centres 1.5 and 2.5 lie in 0.6–2.6, only 0.5 in rows up to 1.4.
    assert found.mask.astype(int).tolist() == [[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert found.is_box
    assert found.box == (0.6, -3, 2, 4.4)


def test_a_box_beside_an_empty_mask_fills_nothing(tmp_path: Path) -> None:
    files = listed(tmp_path, {"expression_id": 7, "mask": None, "box": [0, 0, 2, 2]})
    ((place, _),) = files.lines()
    found = files.prediction(place, 3, 4)
    assert not found.mask.any()
    assert not found.is_box


def test_lines_are_found_again_whatever_lies_between(tmp_path: Path) -> None:
    first = {"expression_id": "8", "expression": "Bär", "rle": PLAIN, "area": 4}
    files = listed(
        tmp_path,
        "\ufeff" + json.dumps(first, ensure_ascii=False),
        "",
        " ",
        {"expression_id": 9, "rle": None},
    )
    found = list(files.lines())
    assert [place.line for place, _ in found] == [1, 4]
    assert [files.value(place)["expression_id"] for place, _ in found] == ["8", 9]
    assert [question.expression_id for _, question in found] == [8, 9]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"expression_id": 7', "this is not complete JSON"),
        ("[1, 2]", r"expected an object of JSON, got \[1, 2\]"),
        ({"expression_id": 7}, "expected `rle`, `mask` or `box`, got expression_id; write null"),
        ({"rle": None}, "expected `expression_id`, or `image` and `expression`, got rle"),
        ({"image": "a.jpg", "rle": None}, "expected `expression_id`, or `image` and `expression`"),
        ({"expression_id": 7.5, "rle": None}, "a whole number as `expression_id`, got 7.5"),
        ({"expression_id": True, "rle": None}, "a whole number as `expression_id`, got True"),
        ({"image": 3, "expression": "x", "rle": None}, "a text as `image`, got 3"),
        ("[" * 100_000, "this is not complete JSON"),
    ],
)
def test_a_line_that_says_nothing_is_named(line: object, message: str, tmp_path: Path) -> None:
    files = listed(tmp_path, {"expression_id": 6, "rle": None}, line)
    with pytest.raises(DataError, match=rf"mine.jsonl, line 2: .*{message}"):
        list(files.lines())


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_bytes(b'{"expression": "\xe4"}\n')
    files = PredictionFiles(tmp_path / "mine.jsonl", no_files)
    with pytest.raises(DataError, match="line 1: expected text in UTF-8, got the byte 0xe4"):
        list(files.lines())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rle": {"size": [4, 3], "counts": PLAIN}}, r"size \[3, 4\], .*got \[4, 3\]"),
        ({"rle": [3, 2]}, "the run lengths are damaged"),
        ({"rle": "Zk0"}, "the run lengths are damaged"),
        ({"rle": COMPRESSED, "mask": "1.png"}, "expected `rle` or `mask`, got both"),
        ({"mask": "."}, "is no file; correct the path"),
        ({"mask": 7}, "expected a segmentation of polygons or run lengths, got 7"),
        ({"rle": PLAIN, "score": "high"}, "expected a number as `score`, got 'high'"),
        ({"rle": PLAIN, "score": math.nan}, "expected a number as `score`, got nan"),
        ({"box": [1, 2, 3]}, r"expected a box \[left, top, width, height\] in pixels, got \[1"),
        ({"box": [1, 2, -3, 4]}, r"expected a box"),
        ({"box": [1, 2, math.inf, 4]}, r"expected a box"),
        ({"box": [1, 2, 10**400, 4]}, r"expected a box"),
    ],
)
def test_a_prediction_that_cannot_be_is_named(
    values: dict[str, object], message: str, tmp_path: Path
) -> None:
    files = listed(tmp_path, "", {"expression_id": 7, **values})
    ((place, _),) = files.lines()
    where = re.escape(f"{tmp_path / 'mine.jsonl'}, line 2 (expression_id 7): ")
    with pytest.raises(DataError, match=f"{where}.*{message}"):
        files.prediction(place, 3, 4)


def test_the_lists_in_a_folder(tmp_path: Path) -> None:
    def files() -> list[str]:
        return [path.name for path in PredictionFiles(tmp_path, no_files).files]

    with pytest.raises(DataError, match=r"Expected predictions.jsonl in .*, got none"):
        files()
    for rank in (1, 0):
        (tmp_path / f"predictions-{rank}.jsonl").touch()
    assert files() == ["predictions-0.jsonl", "predictions-1.jsonl"]
    (tmp_path / "predictions.jsonl").touch()
    assert files() == ["predictions.jsonl"]
    with pytest.raises(DataError, match="is absent"):
        PredictionFiles(tmp_path / "none.jsonl", no_files)

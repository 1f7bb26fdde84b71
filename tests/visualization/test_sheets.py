"""Sheets of examples: where everything is, and that nothing covers anything else."""

import numpy as np
import pytest

from refseg.errors import ConfigError
from refseg.visualization import PREDICTION_COLOR, TRUTH_COLOR, Example, example_sheet, overlay

PANEL, GAP, MARGIN, BETWEEN = 120, 8, 20, 28
LONG = "the one furthest to the left of the picture, behind the table with the white cloth " * 3


def _example(height: int = 90, width: int = 120, expression: str = "the red one") -> Example:
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    prediction, truth = np.zeros((2, height, width), dtype=bool)
    prediction[height // 4 : height // 2, width // 4 : width // 2] = True
    truth[height // 4 : height // 2, width // 4 :] = True
    return Example(image, expression, prediction, truth, iou=1 / 3)


def _white(picture: np.ndarray) -> bool:
    return bool((picture == 255).all())


def _find(sheet: np.ndarray, picture: np.ndarray) -> tuple[int, int]:
    """Top and left of the only place where a picture stands, unchanged, on a sheet."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, picture.shape)[:, :, 0]
    candidates = (windows[..., 0, 0, :] == picture[0, 0]).all(axis=-1)
    candidates &= (windows[..., -1, -1, :] == picture[-1, -1]).all(axis=-1)
    places = [
        (int(top), int(left))
        for top, left in zip(*candidates.nonzero(), strict=True)
        if (windows[top, left] == picture).all()
    ]
    assert len(places) == 1
    return places[0]


@pytest.mark.parametrize("expression", ["the red one", LONG, "word" * 80, ""])
def test_panels_stand_whole_under_a_caption_that_covers_none(expression: str) -> None:
    example = _example(expression=expression)
    assert example.truth is not None
    sheet = example_sheet([example], columns=1, panel=PANEL)
    pictures = [
        example.image,
        overlay(example.image, example.truth, TRUTH_COLOR),
        overlay(example.image, example.prediction, PREDICTION_COLOR),
    ]
    places = [_find(sheet, picture) for picture in pictures]
    tops, lefts = zip(*places, strict=True)
    assert len(set(tops)) == 1
    assert lefts == (MARGIN, MARGIN + PANEL + GAP, MARGIN + 2 * (PANEL + GAP))
    assert sheet.shape == (tops[0] + 90 + MARGIN, 3 * PANEL + 2 * GAP + 2 * MARGIN, 3)
    # Caption, IoU and headings are there, and clipped by no margin.
    assert not _white(sheet[: tops[0]])
    assert _white(sheet[tops[0] - 2 : tops[0]])
    free = MARGIN - 2  # a letter may lean out of its line by a pixel
    for margin in (sheet[:free], sheet[-free:], sheet[:, :free], sheet[:, -free:]):
        assert _white(margin)


def test_longer_sentences_make_a_taller_sheet_of_the_same_width() -> None:
    short, long = (
        example_sheet([_example(expression=text)], columns=1, panel=PANEL)
        for text in ("the red one", LONG)
    )
    assert long.shape[0] > short.shape[0]
    assert long.shape[1] == short.shape[1]


@pytest.mark.parametrize(("count", "columns"), [(1, 3), (4, 2), (5, 2), (6, 3)])
def test_size_of_the_grid(count: int, columns: int) -> None:
    one = example_sheet([_example()], columns=1, panel=PANEL)
    sheet = example_sheet([_example()] * count, columns=columns, panel=PANEL)
    across, down = min(count, columns), -(-count // columns)
    block_width = one.shape[1] - 2 * MARGIN
    assert sheet.shape[1] == 2 * MARGIN + across * block_width + (across - 1) * BETWEEN
    two = example_sheet([_example()] * 2, columns=1, panel=PANEL)
    pitch = two.shape[0] - one.shape[0]
    assert sheet.shape[0] == one.shape[0] + (down - 1) * pitch
    # A grid: the first block of each row is the same picture.
    first = sheet[MARGIN + 40 : one.shape[0] - MARGIN, : MARGIN + block_width]
    for row in range(1, down):
        below = sheet[MARGIN + 40 + row * pitch :][: len(first), : MARGIN + block_width]
        np.testing.assert_array_equal(below, first)


def test_images_of_any_size_keep_their_proportions() -> None:
    sizes = [(60, 120), (120, 60), (1, 500), (500, 1), (480, 640), (2, 2)]
    sheet = example_sheet([_example(*size) for size in sizes], columns=2, panel=PANEL)
    wide = example_sheet([_example(60, 120)], columns=1, panel=PANEL)
    _find(wide, np.full((60, 120, 3), 90, dtype=np.uint8))
    tall = example_sheet([_example(120, 60)], columns=1, panel=PANEL)
    _find(tall, np.full((120, 60, 3), 90, dtype=np.uint8))
    assert sheet.dtype == np.uint8
    assert _white(sheet[:, -MARGIN:])


def test_without_any_truth_there_is_no_panel_for_it() -> None:
    known = _example()
    unknown = Example(known.image, known.expression, known.prediction)
    alone = example_sheet([unknown], columns=1, panel=PANEL)
    assert alone.shape[1] == 2 * PANEL + GAP + 2 * MARGIN
    assert not (alone == TRUTH_COLOR).all(axis=-1).any()
    assert (alone == PREDICTION_COLOR).all(axis=-1).any()
    mixed = example_sheet([known, unknown], columns=1, panel=PANEL)
    assert mixed.shape[1] == 3 * PANEL + 2 * GAP + 2 * MARGIN


def test_the_iou_is_shown_as_given() -> None:
    known, other = _example(), _example()
    other.iou = 0.99
    sheets = [example_sheet([example], columns=1, panel=PANEL) for example in (known, other)]
    differing = (sheets[0] != sheets[1]).any(axis=-1)
    top, _ = _find(sheets[0], known.image)
    assert differing.any()
    assert not differing[top:].any()
    assert not differing[:, : sheets[0].shape[1] // 2].any()


def test_nothing_to_draw() -> None:
    with pytest.raises(ConfigError, match="got 0 examples"):
        example_sheet([])
    with pytest.raises(ConfigError, match="0 columns"):
        example_sheet([_example()], columns=0)

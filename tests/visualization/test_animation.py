"""How a model reads, as an animation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refseg.errors import ConfigError
from refseg.visualization import activity, heat, word_frames, write_gif

PANEL, GAP, MARGIN = 160, 8, 20
WORDS = ["the", "large", "thingamajig" * 4, "left"]
NOW = (214, 0, 98)


@pytest.fixture
def image() -> np.ndarray:
    return np.full((120, PANEL, 3), 120, dtype=np.uint8)


@pytest.fixture
def maps() -> np.ndarray:
    rows, columns = np.indices((120, PANEL))
    distance = np.hypot(rows - 37, columns - 50)
    return np.stack([1 / (1 + np.exp((distance - 8 * word) / 4)) for word in range(4)]).astype(
        np.float32
    )


def test_a_frame_shows_its_word_its_prediction_and_its_activation(
    image: np.ndarray, maps: np.ndarray
) -> None:
    activations = 3 * maps - 1
    frames = word_frames(image, WORDS, maps, activations, panel=PANEL)
    assert len(frames) == 4
    low, high = float(activations.min()), float(activations.max())
    marked = []
    for frame, probability, activation in zip(frames, maps, activations, strict=True):
        assert frame.shape == frames[0].shape
        assert frame.shape[1] == 2 * MARGIN + 3 * PANEL + 2 * GAP
        join = np.concatenate
        row = join([image, heat(image, probability), activity(image, activation, low, high)], 1)
        lefts = [MARGIN + column * (PANEL + GAP) for column in range(3)]
        found = [
            top
            for top in range(len(frame) - 120)
            if (join([frame[top : top + 120, x : x + PANEL] for x in lefts], 1) == row).all()
        ]
        assert len(found) == 1
        rows, columns = (frame[: found[0]] == NOW).all(-1).nonzero()
        marked.append((rows.max(), columns.min()))
        for margin in (frame[:MARGIN], frame[-MARGIN:], frame[:, :MARGIN], frame[:, -MARGIN:]):
            assert (margin == 255).all(), "nothing is clipped"
    assert marked == sorted(marked), "the mark moves in reading order"
    assert len(set(marked)) == 4


def test_the_gif_has_every_frame_in_its_colours_and_time(
    image: np.ndarray, maps: np.ndarray, tmp_path: Path
) -> None:
    frames = word_frames(image, WORDS, maps, maps, panel=PANEL)
    path = tmp_path / "folder" / "words.gif"
    write_gif(path, frames, seconds=0.5, last_seconds=1.5)
    with Image.open(path) as animation:
        assert (animation.n_frames, animation.info["loop"]) == (4, 0)
        durations = []
        for number, frame in enumerate(frames):
            animation.seek(number)
            durations.append(animation.info["duration"])
            shown = np.asarray(animation.convert("RGB")).astype(int)
            assert np.abs(shown - frame).mean() < 4
            assert (shown == NOW).all(-1).any(), "the mark is exact"
    assert durations == [500, 500, 500, 1500]


def test_what_cannot_be_drawn(image: np.ndarray, maps: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got 4 words, 3 maps and 3 maps"):
        word_frames(image, WORDS, maps[:3], maps[:3])
    with pytest.raises(ConfigError, match="at least one frame"):
        write_gif(tmp_path / "empty.gif", [])
    assert not list(tmp_path.iterdir())


def test_an_activation_that_is_the_same_everywhere(image: np.ndarray) -> None:
    flat = np.full((1, 120, PANEL), 0.5, dtype=np.float32)
    (frame,) = word_frames(image, ["star"], flat, flat, panel=PANEL)
    assert frame.dtype == np.uint8

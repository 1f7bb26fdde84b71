"""`refseg words`, as a user calls it."""

from pathlib import Path

import pytest
from PIL import Image

from refseg.__main__ import main
from refseg.data import read_image

SENTENCE = "the large red circle"


def test_strip_animation_and_page(
    run: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["words", str(photo), SENTENCE, "--checkpoint", checkpoint]
    assert main([*words, "--html", "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    stem = tmp_path / f"{photo.stem}-the-large-red-circle-words"
    for ending in (".png", ".gif", ".html"):
        assert f"{stem}{ending}" in shown
    assert [line.split()[0] for line in shown.splitlines()[:4]] == SENTENCE.split()
    height, width = read_image(photo).shape[:2]
    shown_height = max(1, round(height * 200 / max(height, width)))
    with Image.open(f"{stem}.png") as strip:
        assert strip.width == 2 * 20 + 5 * 200 + 4 * 8
        assert strip.height > 2 * shown_height, "two rows: prediction and activation"
    with Image.open(f"{stem}.gif") as animation:
        assert animation.n_frames == 4
    assert Path(f"{stem}.html").read_text().count('class="step"') == 4


def test_pictures_lie_beside_the_image_by_default(run: Path, photo: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.jpg"
    own.write_bytes(photo.read_bytes())
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    assert main(["words", str(own), "star", "--checkpoint", checkpoint, "--columns=1"]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"own.jpg", "own-star-words.png", "own-star-words.gif"}


@pytest.mark.parametrize(
    ("expression", "options", "expected"),
    [
        ("", [], "has no word"),
        ("qwertz", [], "in the vocabulary"),
        ("star", ["--columns=0"], "--columns of at least 1, got 0"),
    ],
)
def test_what_cannot_be_read(
    expression: str,
    options: list[str],
    expected: str,
    run: Path,
    photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["words", str(photo), expression, "--checkpoint", checkpoint, *options]
    assert main([*words, "--output", str(tmp_path)]) == 2
    assert expected in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_image_that_is_absent(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["words", str(tmp_path / "no.jpg"), "star", "--checkpoint", checkpoint]
    assert main(words) == 2
    assert "no.jpg is absent" in capsys.readouterr().err


def test_a_model_that_reads_at_once(
    photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from refseg.models.segmenter import Segmenter

    monkeypatch.setattr(Segmenter, "reads_word_by_word", property(lambda _: False))
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    assert main(["words", str(photo), "star", "--checkpoint", checkpoint]) == 2
    assert "needs a model that reads word by word" in capsys.readouterr().err

"""`refseg segment --words`, as a user calls it; `segment` itself is tested with the pipeline."""

from pathlib import Path

import pytest
from PIL import Image

from refseg.__main__ import main
from refseg.cli.segment import segment
from refseg.data import read_image

SENTENCE = "the large red circle"


def test_strip_animation_and_page(
    run: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["segment", str(photo), SENTENCE, "--checkpoint", checkpoint]
    assert main([*words, "--words", "--html", "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    stem = tmp_path / f"{photo.stem}-the-large-red-circle-words"
    for ending in (".png", ".gif", ".html"):
        assert f"{stem}{ending}" in shown
    head, *shares = shown.splitlines()[:5]
    assert head.startswith(f"{SENTENCE}: ")
    assert [line.split()[0] for line in shares] == SENTENCE.split()
    # The last word is the whole sentence, whose share the first line tells.
    assert shares[-1].split()[1] == head.removeprefix(f"{SENTENCE}: ").split()[0]
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
    words = ["segment", str(own), "star", "--checkpoint", checkpoint]
    assert main([*words, "--words", "--columns=1"]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    kinds = ("mask.png", "overlay.png", "words.png", "words.gif")
    assert names == {"own.jpg", *(f"own-star-{kind}" for kind in kinds)}


def test_the_page_alone_is_asked_for(run: Path, photo: Path, tmp_path: Path) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["segment", str(photo), "star", "circle", "--checkpoint", checkpoint, "--html"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("*-words.html"))) == 2


def test_a_notebook_calls_the_function(run: Path, photo: Path, tmp_path: Path) -> None:
    segment(
        photo, ["star"], checkpoint=run / "checkpoints" / "best.ckpt", output=tmp_path, columns=2
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{photo.stem}-star-mask.png",
        f"{photo.stem}-star-overlay.png",
    }


@pytest.mark.parametrize(
    ("expression", "options", "expected"),
    [
        ("", [], "has no word"),
        ("qwertz", [], "in the vocabulary"),
        ("star", ["--columns=0"], "--columns: expected a whole number from 1, got 0"),
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
    words = ["segment", str(photo), expression, "--checkpoint", checkpoint, "--words", *options]
    assert main([*words, "--output", str(tmp_path)]) == 2
    assert expected in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_image_that_is_absent(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["segment", str(tmp_path / "no.jpg"), "star", "--checkpoint", checkpoint, "--words"]
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
    words = ["segment", str(photo), "star", "--checkpoint", checkpoint]
    assert main([*words, "--words", "--output", str(tmp_path)]) == 2
    assert "needs a model that reads word by word" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

"""Text-to-mask models as the rest of the package meets them: batches, verbs, fingerprints."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import refseg
from refseg.__main__ import main
from refseg.data.readers import read_references
from refseg.inference.text_to_mask.clipseg import ClipSeg


def test_a_model_is_evaluated_in_the_images_own_sizes(
    foreign_models: Path, shapes_root: Path
) -> None:
    references = read_references(shapes_root, "shapes").split("val")
    model = ClipSeg(str(foreign_models / "clipseg"))
    found = refseg.evaluate(model, references, save_masks=True, progress=False)
    rows = found.table.to_pylist()
    assert len(rows) == len(references.expressions)
    assert found.summary["model"] == {"model": str(foreign_models / "clipseg")}
    for row in (rows[0], rows[-1]):
        mask, score = model.segment(row["image_path"], row["expression"])
        assert mask.shape == (row["height"], row["width"])
        assert abs(int(mask.sum()) - row["predicted_area"]) <= mask.size / 1000
        assert row["score"] == pytest.approx(score, abs=1e-4)


def test_the_verb_writes_masks(foreign_models: Path, photo: Path, tmp_path: Path) -> None:
    checkpoint = str(foreign_models / "clipseg")
    words = ["segment", str(photo), "red circle", "--checkpoint", checkpoint]
    assert main([*words, "--output", str(tmp_path)]) == 0
    written = np.asarray(Image.open(tmp_path / f"{photo.stem}-red-circle-mask.png")) > 0
    np.testing.assert_array_equal(
        written, refseg.load(checkpoint).segment(photo, "red circle").mask
    )
    assert main([*words, "--words", "--output", str(tmp_path)]) == 2


def test_the_verb_writes_masks_of_many_photographs(
    foreign_models: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = tmp_path / "second.png"
    second.write_bytes(photo.read_bytes())
    words = ["segment", str(photo), str(second), "--expression", "red circle", "--output"]
    words += [str(tmp_path / "masks"), "--checkpoint"]
    assert main([*words, str(foreign_models / "clipseg")]) == 0
    assert len([*(tmp_path / "masks").rglob("*.png")]) == 2
    other = [*words, str(foreign_models / "sam3")]
    assert main(other) == 2  # the folder has masks of another model
    assert "masks of another" in capsys.readouterr().err

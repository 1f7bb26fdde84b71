"""From a checkpoint to masks, in Python and on the command line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import refseg
from refseg.__main__ import main
from refseg.cli.segment import file_names
from refseg.data import ReferringDataModule, read_image
from refseg.errors import CheckpointError, DataError
from refseg.inference.pipeline import Pipeline
from refseg.losses import DiceLoss
from refseg.training.from_checkpoint import build_module
from refseg.training.module import ReferringSegmentation


@pytest.fixture(scope="module")
def pipeline(run: Path) -> Pipeline:
    """Of the tiny run's best checkpoint."""
    return refseg.load(run / "checkpoints" / "best.ckpt")


def test_a_mask_in_the_photos_size_with_a_score(pipeline: Pipeline, photo: Path) -> None:
    mask, score = pipeline.segment(photo, "the large red circle")
    height, width = read_image(photo).shape[:2]
    assert mask.shape == (height, width)
    assert mask.dtype == np.bool_
    assert score == 0 if not mask.any() else 0.5 < score <= 1


def test_paths_pictures_and_pixels_are_the_same(pipeline: Pipeline, photo: Path) -> None:
    pixels = read_image(photo)
    masks = [
        pipeline.segment(image, "red circle").mask
        for image in (photo, str(photo), Image.fromarray(pixels), pixels)
    ]
    assert all((mask == masks[0]).all() for mask in masks)
    with pytest.raises(DataError, match="expected \\(height, width\\)"):
        pipeline.segment(np.zeros((4, 4, 2), np.uint8), "red circle")


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.name == "refseg.inference.pipeline"
    ]
    caplog.clear()
    return lines


def test_unknown_words_are_named(run: Path, photo: Path, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = refseg.load(run / "checkpoints" / "best.ckpt")
    pipeline.segment(photo, "qwerty circle, Zebra on the left: zebra!")
    (line,) = told(caplog)
    assert line.startswith("The model does not know 'qwerty', 'zebra' in 'qwerty circle, Zebra")
    pipeline.read(photo, "qwerty circle, Zebra on the left: zebra!")
    pipeline.segment(photo, "the red circle")
    assert told(caplog) == []  # once for the same sentence; nothing where all words are known
    pipeline.segment_all(photo, ["red circle", "green frog"])
    assert [line.split(" in ")[0] for line in told(caplog)] == ["The model does not know 'frog'"]


def test_words_after_the_last_one_that_is_read_count_for_nothing(
    run: Path, photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = refseg.load(run / "checkpoints" / "best.ckpt")
    known = " ".join(["the red circle on"] * 5)
    alone = pipeline.segment(photo, known)
    assert told(caplog) == []
    longer = pipeline.segment(photo, known + " qwerty" * 20)
    (line,) = told(caplog)
    assert line.startswith("The model reads the first 20 words of 'the red circle on")
    assert "does not know" not in line
    assert (longer.mask == alone.mask).all()
    assert longer.score == alone.score
    with pytest.raises(DataError, match="No word of the first 20 words of 'qwerty qwerty"):
        pipeline.segment(photo, "qwerty " * 20 + known)


def test_several_expressions_encode_the_image_once(pipeline: Pipeline, photo: Path) -> None:
    calls = []
    hook = pipeline.segmenter.backbone.first.register_forward_hook(lambda *_: calls.append(1))
    expressions = ["red circle", "the blue square on the left", "star"]
    together = pipeline.segment_all(photo, expressions)
    assert len(calls) == 1
    hook.remove()
    for expression, segmentation in zip(expressions, together, strict=True):
        alone = pipeline.segment(photo, expression)
        assert (alone.mask != segmentation.mask).mean() < 1e-3
        assert alone.score == pytest.approx(segmentation.score, abs=1e-3)


def test_a_photograph_is_turned_as_its_camera_says(pipeline: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    assert pipeline.segment(path, "red circle").mask.shape == (40, 20)


def test_reading_ends_in_the_prediction(pipeline: Pipeline, photo: Path) -> None:
    reading = pipeline.read(photo, "the large red circle")
    assert reading.words == ["the", "large", "red", "circle"]
    mask, _ = pipeline.segment(photo, "the large red circle")
    assert reading.probabilities.shape == (4, *mask.shape)
    assert ((reading.probabilities[-1] > 0.5) == mask).all()


def test_pipeline_and_evaluation_agree(pipeline: Pipeline, run: Path, shapes_root: Path) -> None:
    """The masks of `segment` are those of `test`, for the images of the data set."""
    data = ReferringDataModule(
        root=shapes_root,
        image_size=pipeline.image_size,
        num_workers=0,
        vocabulary_from=run / "checkpoints" / "best.ckpt",
    )
    data.setup("validate")
    batch = next(iter(data.val_dataloader()))
    module = build_module(
        torch.load(run / "checkpoints" / "best.ckpt", weights_only=True), "best.ckpt"
    ).eval()
    with torch.no_grad():
        predictions = module.predict_step(batch, 0)
    path = batch.image_paths[0]
    asked = (batch.image_index == 0).nonzero()[:, 0].tolist()
    expressions = [batch.expressions[index] for index in asked]
    for index, segmentation in zip(asked, pipeline.segment_all(path, expressions), strict=True):
        assert (predictions[index].numpy() != segmentation.mask).mean() < 1e-3
    answers: list[torch.Tensor] = []
    hook = pipeline.segmenter.decoder.register_forward_hook(
        lambda *call: answers.append(call[2].logits)
    )
    for index, expression in zip(asked, expressions, strict=True):
        mask, _ = pipeline.segment(path, expression)
        assert module.logits is not None
        assert answers[-1][0].equal(module.logits[index]), "to the last bit"
        assert (predictions[index].numpy() == mask).all()
    hook.remove()


def test_segment_writes_mask_overlay_and_words(
    run: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["segment", str(photo), "red circle", "red circle!", "--checkpoint", checkpoint]
    assert main([*words, "--words", "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for stem in ("red-circle", "red-circle-2"):
        for kind in ("mask", "overlay", "words"):
            path = tmp_path / f"{photo.stem}-{stem}-{kind}.png"
            assert str(path) in shown
            with Image.open(path) as picture:
                if kind != "words":
                    assert (picture.height, picture.width) == read_image(photo).shape[:2]
                if kind == "mask":
                    assert set(np.unique(np.asarray(picture))) <= {0, 255}
    assert "% of the image" in shown
    assert " s for 2 expressions" in shown


def test_segment_names_unknown_words(
    run: Path, photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["segment", str(photo), "qwerty circle", "--checkpoint", checkpoint, "--words"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    (line,) = told(caplog)
    assert "'qwerty'" in line


def test_files_are_named_by_the_words_of_any_script() -> None:
    first, second = file_names(["लाल कप", "लाल कीप"])
    assert first != second
    (long,) = file_names(["ก" * 400])
    assert long
    assert len(f"photo-{long}-overlay.png".encode()) < 255


def test_lightnings_own_way_to_load_goes_through_the_same_checks(run: Path, tmp_path: Path) -> None:
    path = run / "checkpoints" / "best.ckpt"
    loss = DiceLoss()
    module = ReferringSegmentation.load_from_checkpoint(path, loss=loss)
    assert module.loss is loss
    weights = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(module.state_dict()[name], weights[name]) for name in weights)

    content = torch.load(path, weights_only=True)
    content["hyper_parameters"]["_instantiator"] = "os.system"
    content["hyper_parameters"]["optimizer"] = {"class_path": "subprocess.Popen", "init_args": {}}
    torch.save(content, tmp_path / "hostile.ckpt")
    with pytest.raises(CheckpointError, match=r"names 'subprocess\.Popen' as optimizer"):
        ReferringSegmentation.load_from_checkpoint(tmp_path / "hostile.ckpt")
    with pytest.raises(CheckpointError, match=r"names 'subprocess\.Popen' as optimizer"):
        refseg.load(tmp_path / "hostile.ckpt")


def test_a_checkpoint_whose_weights_do_not_fit_is_refused(run: Path) -> None:
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["state_dict"].popitem()
    with pytest.raises(CheckpointError, match=r"best\.ckpt.*Missing key"):
        build_module(checkpoint, "best.ckpt")

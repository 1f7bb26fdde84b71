"""`refseg data features`: stopped and gone on with, and refused where it cannot work."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from refseg.__main__ import main
from refseg.data.features import FeatureStore
from refseg.models.backbones import TorchvisionBackbone
from refseg.training import features as feature_extraction

from ...conftest import TINY_DATA

MODEL = (
    *("--config", "rmi.yaml", "--model.backbone=TorchvisionBackbone", *TINY_DATA),
    *("--model.backbone.name=squeezenet1_1", "--model.backbone.frozen=true"),
)
COMMAND = ("data", "features", *MODEL)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("??/*")}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, shapes_root: Path) -> Path:
    folder = tmp_path_factory.mktemp("store") / "features"
    assert main([*COMMAND, "--output", str(folder)]) == 0
    return folder


def test_stopped_it_goes_on(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[int] = []
    original = TorchvisionBackbone.maps

    def maps(self: TorchvisionBackbone, images: torch.Tensor, until: int | None = None) -> object:
        calls.append(len(images))
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(self, images, until)

    folder = tmp_path / "features"
    with monkeypatch.context() as patch:
        patch.setattr(TorchvisionBackbone, "maps", maps)
        assert main([*COMMAND, "--output", str(folder)]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert len(files(folder)) == 4  # one call was a look at the size, and one was the last
    assert set(calls) == {1}
    assert main([*COMMAND, "--output", str(folder)]) == 0
    output = capsys.readouterr()
    # 24, and the 12 of them that are trained on once more, mirrored
    assert "36 images, 4 of them done before" in output.err
    assert "32 of 36 images computed" in output.out
    assert files(folder) == files(store)


def test_only_some_splits(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*COMMAND, "--splits", "val", "testA", "--output", str(tmp_path / "features")]
    assert main(words) == 0
    assert "8 images, 0 of them done" in capsys.readouterr().err
    assert len(files(tmp_path / "features")) == 8
    words[words.index("testA")] = "testZ"
    assert "Unknown split 'testZ'" in complain(words, capsys)


def complain(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said on standard error by a call that must fail."""
    assert main(words) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert message.count("refseg: error: ") == 1
    return message


class Usage(NamedTuple):
    """As `shutil.disk_usage` gives it."""

    total: int
    used: int
    free: int


def test_a_disk_without_room_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(feature_extraction.shutil, "disk_usage", lambda _: Usage(0, 0, 1_500_000))
    message = complain([*COMMAND, "--output", str(tmp_path / "features")], capsys)
    # 512 channels of 12 × 12 cells in 32 bits, rounded up to whole blocks
    assert "features of an image take 299.0 kB, the others 10.8 MB; 1.5 MB are free" in message
    assert "Expected room for 10.8 MB" in message
    assert not files(tmp_path / "features")


def test_a_disk_that_has_become_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FeatureStore, "write", full)
    message = complain([*COMMAND, "--output", str(tmp_path / "features")], capsys)
    assert "No space left on device" in message
    assert "goes on where it stopped" in message


def test_other_models_do_not_mix(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*COMMAND, "--output", str(store), "--model.backbone.stride=16"]
    message = complain(words, capsys)
    assert "stride is 4 there and 16 here" in message
    assert "OTHER_FOLDER" in message
    (tmp_path / "photo.jpg").touch()
    assert "something else" in complain([*COMMAND, "--output", str(tmp_path)], capsys)


def test_a_broken_image_is_named(
    shapes_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(shapes_root, root)
    for image in (root / "images" / "shapes").iterdir():
        image.write_bytes(image.read_bytes()[:100])
    words = [*COMMAND, f"--data.root={root}", "--output", str(tmp_path / "features")]
    assert "Cannot read the image" in complain([*words, "--data.num_workers=1"], capsys)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "No model is named"),
        (["--config", "rmi.yaml", *TINY_DATA], "all of SmallBackbone is trained"),
        (["--config", "paper/lstm_cnn_referit.yaml"], "one of several stages"),
        ([*MODEL, "--nonsense=3"], "--nonsense"),
        ([*MODEL, "--model.backbone.frozen=false"], "freeze it"),
        (["--ckpt_path", "/no/where.ckpt"], "found none at /no/where.ckpt"),
    ],
)
def test_options(
    words: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = complain(["data", "features", *words, "--output", str(tmp_path / "new")], capsys)
    assert expected in message
    assert not (tmp_path / "new").exists()


def test_of_a_checkpoint(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its weights and its transform count, wherever its config says to find others."""
    words = ["fit", *MODEL, "--trainer.callbacks=null", "--seed_everything=5", "--data.fill=3"]
    assert main([*words, "--output", str(tmp_path / "run")]) == 0
    checkpoint = str(tmp_path / "run" / "checkpoints" / "best.ckpt")
    features = tmp_path / "features"
    words = ["data", "features", "--ckpt_path", checkpoint, "--data.fill=9"]
    assert main([*words, "--output", str(features), "--splits", "val"]) == 0
    key = FeatureStore.open(features).key
    assert key["fill"] == 3
    assert key["weights"] != FeatureStore.open(store).key["weights"]
    test = ["test", "--ckpt_path", checkpoint, f"--data.features={features}"]
    assert main([*test, "--data.test_splits=[val]"]) == 0
    assert "There are no features of" in complain([*test, "--data.test_splits=[testA]"], capsys)

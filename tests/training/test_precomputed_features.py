"""Features on disk give what the frozen backbone gives, to the last bit, or are refused."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from lightning.pytorch import seed_everything
from torchvision import models

from refseg.__main__ import main
from refseg.data import ReferringDataModule, ShapesOptions
from refseg.models.backbones import AtrousResNet, TorchvisionBackbone, VGG16FullyConvolutional
from refseg.training.precomputed_features import feature_key

from ..cli.test_bad_input import complain
from ..conftest import TINY_DATA

BASE = (
    *("--config", "rmi.yaml", "--model.backbone", "backbone/squeezenet.yaml", *TINY_DATA),
    # Flips, as mirror images have features of their own.
    "--data.augmentation={flip: 0.5, brightness: 0, contrast: 0, saturation: 0, hue: 0}",
    "--data.expressions_per_image=all",
    *("--model.backbone.pyramid_dim=8", "--trainer.callbacks=null"),
)
# Alone in its batch, an image has the features that it has in any batch.
FIT = ("fit", *BASE, "--data.batch_size=1", "--trainer.max_epochs=1")
LOGGED = ("--trainer.logger=logger/csv.yaml", "--trainer.log_every_n_steps=1")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a frozen backbone is filled with."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    with torch.random.fork_rng():
        torch.manual_seed(3)
        torch.save(models.squeezenet1_1().features.state_dict(), path)
    return f"--model.backbone.weights={path}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, shapes_root: Path, weights: str) -> Path:
    """A folder with the features of all images of the tiny set."""
    folder = tmp_path_factory.mktemp("store") / "features"
    assert main(["data", "features", *BASE, weights, "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, store: Path, weights: str) -> Iterator[Path]:
    """Two trainings that differ in the features alone, and in who reads them."""
    folder = tmp_path_factory.mktemp("runs")
    seed_everything(0)
    seen = [*FIT, *LOGGED, weights, "--output", str(folder / "seen")]
    assert main(seen) == 0
    read = [*FIT, *LOGGED, weights, "--output", str(folder / "read"), "--data.num_workers=2"]
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object) -> None:
            raise AssertionError("the frozen network was used, though its features are kept")

        patch.setattr(TorchvisionBackbone, "stem", refuse)
        assert main([*read, f"--data.features={store}"]) == 0
    return folder


def checkpoint(run: Path) -> str:
    return str(run / "checkpoints" / "best.ckpt")


def test_losses_and_figures_are_the_same_to_the_last_bit(runs: Path) -> None:
    curves = [(runs / run / "logs" / "metrics.csv").read_text() for run in ("seen", "read")]
    assert curves[0].count("\n") > 12
    assert curves[0] == curves[1]
    figures = [json.loads((runs / run / "metrics.json").read_text()) for run in ("seen", "read")]
    assert figures[0]["metrics"] == figures[1]["metrics"]


def test_the_checkpoint_is_as_complete_as_without(runs: Path) -> None:
    seen, read = (
        torch.load(checkpoint(runs / run), weights_only=True)["state_dict"]
        for run in ("seen", "read")
    )
    assert [*seen] == [*read]
    assert all(torch.equal(seen[name], read[name]) for name in seen)


def test_what_the_backbone_started_as_is_remembered(
    runs: Path, weights: str, tmp_path: Path
) -> None:
    path = Path(weights.partition("=")[2])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    origin = {"origin": "file", "name": "squeezenet.pth", "sha256": digest}
    for run in ("seen", "read"):
        saved = torch.load(checkpoint(runs / run), weights_only=True)
        assert saved["refseg"]["backbone_weights"] == origin
        assert json.loads((runs / run / "metrics.json").read_text())["backbone_weights"] == origin
    # Tested and trained on from the checkpoint, which has no need of the file:
    words = ["--ckpt_path", checkpoint(runs / "seen"), "--trainer.logger=false"]
    assert main(["validate", *words, "--output", str(tmp_path / "a")]) == 0
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert summary["backbone_weights"] == origin
    more = ["--trainer.max_epochs=2", "--trainer.limit_train_batches=1"]
    more += ["--config", str(runs / "seen" / "config.yaml"), "--output", str(tmp_path / "b")]
    assert main(["fit", *words, *more]) == 0
    saved = torch.load(checkpoint(tmp_path / "b"), weights_only=True)
    assert saved["refseg"]["backbone_weights"] == origin


def test_evaluation_by_either_way_is_the_same(runs: Path, store: Path, tmp_path: Path) -> None:
    # Without an option, the images are looked at: the checkpoint needs nothing else.
    words = ["test", "--ckpt_path", checkpoint(runs / "read"), "--save_masks"]
    words += ["--trainer.logger=false", "--data.test_splits=[val]"]
    assert main([*words, "--output", str(tmp_path / "seen")]) == 0
    words += [f"--data.features={store}"]
    assert main([*words, "--output", str(tmp_path / "read"), "--data.batch_size=3"]) == 0
    tables = [pq.read_table(tmp_path / run / "results.parquet") for run in ("seen", "read")]
    assert tables[0].num_rows > 10
    assert tables[0].equals(tables[1])


def test_logits_are_the_same_to_the_last_bit(store: Path, runs: Path) -> None:
    from refseg.checkpoint import read_checkpoint
    from refseg.training.from_checkpoint import build_module

    path = checkpoint(runs / "seen")
    segmenter = build_module(read_checkpoint(path), path).segmenter.eval()
    options = ShapesOptions(train_images=12, evaluation_images=4)
    loaders = [
        ReferringDataModule(
            shapes=options,
            image_size=48,
            batch_size=2,
            num_workers=0,
            vocabulary_from=Path(path),
            features=features,
        ).val_dataloader()
        for features in (None, store)
    ]
    for seen, read in zip(*loaders, strict=True):
        assert read.images is None
        with torch.no_grad():
            assert torch.equal(segmenter.one_by_one(seen).logits, segmenter.one_by_one(read).logits)
            torch.testing.assert_close(segmenter(seen).logits, segmenter(read).logits)


@pytest.mark.slow
def test_crf_and_word_curves_work_from_features(runs: Path, store: Path, tmp_path: Path) -> None:
    pytest.importorskip("pydensecrf")
    words = ["test", "--ckpt_path", checkpoint(runs / "read"), "--data.test_splits=[val]"]
    words += ["--crf", "--crf_jobs=0", "--words", "--trainer.logger=false"]
    assert main([*words, "--output", str(tmp_path / "a")]) == 0
    assert main([*words, "--output", str(tmp_path / "b"), f"--data.features={store}"]) == 0
    seen, read = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in "ab")
    assert seen["metrics"] == read["metrics"]
    assert seen["words"] == read["words"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--data.image_size=40", "--data.fill=9"],
            "size is 48 there and 40 here; fill is 0 there",
        ),
        (["--data.geometry=squash"], "geometry is None there and squash here"),
        (["--model.backbone.weights=null"], "weights is "),
        (["--trainer.precision=bf16-mixed"], "precision is 32-true there and bf16-mixed here"),
        (["--model.backbone.frozen=false"], "freeze it with --model.backbone.frozen"),
        (["--data.augmentation.shrink=0.5"], "turn it off with --data.augmentation null"),
        (["--data.features=nowhere"], "Expected a folder of features"),
    ],
)
def test_what_does_not_fit_is_said(
    options: list[str],
    expected: str,
    store: Path,
    weights: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*FIT, weights, f"--data.features={store}", "--output", str(tmp_path / "run")]
    message = complain([*words, *options], capsys)
    assert expected in message
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_features_in_half_precision(weights: str, tmp_path: Path) -> None:
    """Weights and features are rounded in the same way where they are kept and where they are used.

    The statistics of the pixels are not, nor is what a checkpoint says of them.
    """
    chosen = [weights, "--trainer.precision=bf16-true"]
    store = tmp_path / "features"
    assert main(["data", "features", *BASE, *chosen, "--output", str(store)]) == 0
    words = [*FIT, *chosen, *LOGGED, "--trainer.limit_train_batches=2"]
    for run, options in {"seen": [], "read": [f"--data.features={store}"]}.items():
        assert main([*words, *options, "--output", str(tmp_path / run)]) == 0
    curves = [(tmp_path / run / "logs" / "metrics.csv").read_text() for run in ("seen", "read")]
    assert curves[0] == curves[1]


NETWORK = {"name": "squeezenet1_1", "stride": 8, "frozen": True, "pyramid_dim": 8}


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ({}, set()),
        ({"pyramid_dim": 16}, set()),  # comes after what is kept
        ({"stride": 16}, {"stride", "units", "margin"}),
        ({"pyramid_dim": None}, {"units"}),  # dilated
        ({"normalization": "half"}, {"normalization"}),
        ({"name": "squeezenet1_0"}, {"network", "units", "margin", "weights"}),
    ],
)
def test_the_key_is_of_what_comes_before_what_is_trained(
    options: dict[str, object], differs: set[str]
) -> None:
    data = ReferringDataModule()
    keys = []
    for changes in ({}, options):
        torch.manual_seed(0)
        backbone = TorchvisionBackbone(**NETWORK | changes)  # type: ignore[arg-type]
        keys.append(feature_key(backbone, data, "32-true"))
    assert {name for name in keys[0] if keys[0][name] != keys[1][name]} == differs
    with torch.no_grad():
        next(backbone.trunk.parameters()).view(-1)[0] += 1e-3
    assert feature_key(backbone, data, "32-true")["weights"] != keys[1]["weights"]


def test_every_backbone_with_a_trunk_is_made_of_two_halves() -> None:
    images = torch.randint(0, 256, (2, 3, 61, 83), dtype=torch.uint8)
    backbones = [
        AtrousResNet(blocks=(1, 1, 1, 1), width=4),
        VGG16FullyConvolutional(image_dim=6, hidden_dim=8, width=4),
        TorchvisionBackbone(**NETWORK),  # type: ignore[arg-type]
        TorchvisionBackbone("resnet18", 16, frozen=True),
    ]
    for backbone in backbones:
        backbone.eval()
        maps = backbone.maps(images)
        assert torch.equal(backbone.neck(maps, (61, 83))[-1], backbone(images)[-1])
        key = json.dumps(feature_key(backbone, ReferringDataModule(), "32-true"))
        assert json.loads(key)["backbone"] == type(backbone).__name__


def test_augmentation_that_changes_nothing_is_no_hindrance(store: Path) -> None:
    from refseg.data import Augmentation

    nothing = Augmentation(flip=0.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
    assert ReferringDataModule(augmentation=nothing, features=store).augmentation is None


def test_mirror_images_that_have_no_features_are_named(
    store: Path, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "features", *BASE, weights, "--data.augmentation=null"]
    assert main([*words, "--output", str(tmp_path / "features")]) == 0
    upright = {path.name for path in (tmp_path / "features").glob("??/*")}
    assert upright < {path.name for path in store.glob("??/*")}
    capsys.readouterr()
    words = [*FIT, weights, f"--data.features={tmp_path / 'features'}"]
    message = complain([*words, "--output", str(tmp_path / "run")], capsys)
    assert "There are no features of the mirror image of " in message


def test_the_checkpoint_of_other_weights_is_refused(
    run: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["test", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]
    assert "all of SmallBackbone" in complain([*words, f"--data.features={store}"], capsys)


def test_missing_features_are_found_before_the_first_step(
    store: Path, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "features"
    shutil.copytree(store, folder)
    files = sorted(folder.glob("??/*.safetensors"))
    for file in files[::2]:
        file.unlink()
    words = [*FIT, weights, f"--data.features={folder}", "--output", str(tmp_path / "run")]
    message = complain(words, capsys)
    assert "There are no features of " in message
    assert "shapes" in message
    assert "other images of" in message
    assert f"refseg data features --config CONFIG --output {folder}" in message
    assert main(["data", "features", *BASE, weights, "--output", str(folder)]) == 0
    assert len(files) == len([*folder.glob("??/*.safetensors")])
    assert f"{len(files[::2])} of {len(files)} images computed" in capsys.readouterr().out


def test_regions_need_images(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: str
) -> None:
    words = [*FIT, weights, f"--data.features={store}", "--output", str(tmp_path)]
    words += ["--model.fusion=fusion/concat.yaml", "--model.regions=RegionTraining"]
    assert "leave data.features out" in complain(words, capsys)


@pytest.mark.slow
def test_two_processes_read_the_same_features(runs: Path, store: Path, tmp_path: Path) -> None:
    words = ["validate", "--ckpt_path", checkpoint(runs / "read"), f"--data.features={store}"]
    words += ["--trainer.devices=2", "--trainer.strategy=ddp", "--output", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "refseg", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    alone, together = (
        json.loads((folder / "metrics.json").read_text())["metrics"]["val"]
        for folder in (runs / "seen", tmp_path)
    )
    assert alone == together

"""Modules that are made in Python leave checkpoints which all that opens checkpoints opens."""

import shutil
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

import refseg
from refseg.__main__ import main
from refseg.checkpoint.description import described
from refseg.data import ReferringDataModule, ShapesOptions
from refseg.errors import CheckpointError, ConfigError
from refseg.models.backbones import SmallBackbone
from refseg.models.decoders import PyramidDecoder
from refseg.models.fusion import MultimodalLSTM
from refseg.models.text_encoders import LSTMEncoder
from refseg.training.module import ReferringSegmentation
from refseg.training.schedules import Polynomial

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*logging interval.*"),
]
OWN = Path(__file__).parents[1] / "cli" / "own_package.py"
SMALL = partial(SmallBackbone, width=8, image_dim=8, colour_dim=4)
QUIET = "--trainer.enable_progress_bar=false"


def trainer(folder: Path, steps: int = 2, saved: bool = True) -> Trainer:
    return Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        callbacks=[ModelCheckpoint(folder, filename="one", save_last=True)] if saved else [],
        enable_checkpointing=saved,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )


@pytest.fixture
def data(shapes_root: Path) -> ReferringDataModule:
    seed_everything(0, verbose=False)
    sizes = ShapesOptions(train_images=12, evaluation_images=4)
    data = ReferringDataModule(shapes=sizes, image_size=48, batch_size=4, num_workers=0)
    data.prepare_data()
    data.setup("fit")
    return data


def module(data: ReferringDataModule, **parts: object) -> ReferringSegmentation:
    given = {
        "backbone": SMALL,
        "text_encoder": partial(LSTMEncoder, embedding_dim=8, hidden_dim=8),
        "fusion": partial(MultimodalLSTM, hidden_dim=8),
        **parts,
    }
    return ReferringSegmentation(**given, vocab_size=data.vocab_size)


def test_every_way_of_opening(data: ReferringDataModule, photo: Path, tmp_path: Path) -> None:
    trained = module(
        data,
        decoder=partial(PyramidDecoder, hidden_dim=4),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        lr_scheduler=partial(Polynomial, power=0.5),
    )
    trainer(tmp_path).fit(trained, data)
    path = tmp_path / "one.ckpt"
    loaded = refseg.load(path)
    for name, weight in trained.segmenter.state_dict().items():
        assert loaded.segmenter.state_dict()[name].equal(weight)
    mask, _ = loaded.segment(photo, "red star")
    assert mask.dtype == np.bool_
    again = ReferringSegmentation.load_from_checkpoint(path)
    assert again.segmenter.decoder.classifier.weight.equal(
        trained.segmenter.decoder.classifier.weight
    )
    segment = ["segment", str(photo), "red star", "--checkpoint", str(path)]
    assert main([*segment, "--output", str(tmp_path / "masks")]) == 0
    shapes = ["--data.shapes.train_images=12", "--data.shapes.evaluation_images=4"]
    test = ["test", "--checkpoint", str(path), QUIET, "--output", str(tmp_path / "test")]
    assert main([*test, "--data", "data/shapes.yaml", *shapes]) == 0


def test_training_goes_on(data: ReferringDataModule, tmp_path: Path) -> None:
    trainer(tmp_path).fit(module(data), data)
    further = trainer(tmp_path, steps=3)
    further.fit(module(data), data, ckpt_path=str(tmp_path / "last.ckpt"))
    assert further.global_step == 3


def test_test_asks_on_which_data(
    data: ReferringDataModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer(tmp_path).fit(module(data), data)
    assert main(["test", "--checkpoint", str(tmp_path / "one.ckpt"), QUIET]) == 2
    assert "does not say on which data; name them" in capsys.readouterr().err


def test_classes_of_ones_own(
    data: ReferringDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refseg.checkpoint.packages._named", set())
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    shutil.copy(OWN, tmp_path / "package_for_python.py")
    mine = import_module("package_for_python")
    trained = module(data, fusion=partial(mine.MyFusion, hidden_dim=4), loss=mine.MyLoss())
    trainer(tmp_path).fit(trained, data)
    with pytest.raises(CheckpointError, match="--import package_for_python"):
        refseg.load(tmp_path / "one.ckpt")
    loaded = refseg.load(tmp_path / "one.ckpt", import_packages=["package_for_python"])
    assert isinstance(loaded.segmenter.fusion, mine.MyFusion)
    assert loaded.segmenter.fusion.dims == (4,)


def test_what_would_not_be_opened_is_refused_before_the_first_step(
    data: ReferringDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class for which no constructor asks by a class of refseg or of one's own."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "package_of_activations.py").write_text(
        "from torch import nn\nfrom refseg.models.fusion import ConcatFusion\n\n\n"
        "class Active(ConcatFusion):\n"
        "    def __init__(self, dims, word_dim, sentence_dim, act: type[nn.Module]):\n"
        "        super().__init__(dims, word_dim, sentence_dim, hidden_dim=8)\n"
    )
    mine = import_module("package_of_activations")
    trained = module(data, fusion=partial(mine.Active, act=nn.ReLU))
    with pytest.raises(ConfigError, match=r"would not be opened.*fusion.act, got the class"):
        trainer(tmp_path).fit(trained, data)


def small() -> SmallBackbone:
    return SMALL()


def test_what_cannot_be_described_is_refused_before_the_first_step(
    data: ReferringDataModule, tmp_path: Path
) -> None:
    class Local(MultimodalLSTM):
        pass

    for parts, message in (
        ({"backbone": lambda: SMALL()}, "describe backbone: expected a class, or a functools.par"),
        ({"backbone": small}, "got the function small"),
        ({"backbone": partial(small)}, "got the function small"),
        ({"fusion": Local}, "Put it into a module of its own"),
    ):
        trained = module(data, **parts)
        with pytest.raises(ConfigError, match=message):
            trainer(tmp_path).fit(trained, data)
        assert trained.global_step == 0
    trainer(tmp_path, saved=False).fit(trained, data)  # nothing to describe


def test_arguments_are_described_with_their_names() -> None:
    inner = partial(nn.Linear, 3, out_features=4)
    assert described(partial(nn.ModuleDict, [inner, Path("a/b"), (1, None)]), "part") == {
        "class_path": "torch.nn.modules.container.ModuleDict",
        "init_args": {
            "modules": [
                {
                    "class_path": "torch.nn.modules.linear.Linear",
                    "init_args": {"in_features": 3, "out_features": 4},
                },
                "a/b",
                [1, None],
            ]
        },
    }
    with pytest.raises(ConfigError, match=r"describe part.modules: .* got an object of Linear"):
        described(partial(nn.ModuleDict, modules=nn.Linear(1, 1)), "part")


def test_modules_do_not_share_a_mode(data: ReferringDataModule) -> None:
    """Lightning warns of whatever is in evaluation mode when training starts."""
    first, second = module(data), module(data)
    first.eval()
    assert all(part.training for part in second.modules())

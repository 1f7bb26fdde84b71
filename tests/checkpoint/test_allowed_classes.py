"""A description of unknown origin makes objects of known kinds, or none."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from refseg.checkpoint import import_packages
from refseg.checkpoint.allowed_classes import as_config, check_arguments, made
from refseg.data import ReferringDataModule
from refseg.errors import CheckpointError, ConfigError
from refseg.losses import CellLoss, DiceLoss
from refseg.models.fusion import ConcatFusion
from refseg.training.module import ReferringSegmentation

FUSION = "refseg.models.fusion.ConcatFusion"
LOSS = "refseg.losses.WeightedLogisticLoss"


def refusal(owner: type, described: object) -> str:
    with pytest.raises(CheckpointError, match=r"x\.ckpt ") as caught:
        check_arguments(owner, described, "x.ckpt")
    assert len(str(caught.value)) < 700
    return str(caught.value)


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"fusion": {"class_path": "no_such_package.Fusion"}}, "--import no_such_package"),
        ({"fusion": {"class_path": "subprocess.Popen", "init_args": {"args": "ls"}}}, "as fusion"),
        ({"fusion": "os.system"}, "names 'os.system' as fusion"),
        ({"fusion": "refseg.losses.DiceLoss"}, "known: ConcatFusion, CrossAttention"),
        ({"fusion": "refseg.models.fusion.Fusion"}, "names 'refseg.models.fusion.Fusion'"),
        ({"fusion": "refseg.models.fusion.NoSuch"}, "is no such class"),
        ({"lr_scheduler": "refseg.schedules.Cosine"}, "another version, or by hand. Use that"),
        ({"fusion": "evil\x1b[2J.Fusion"}, r"'evil\x1b[2J.Fusion'"),
        ({"fusion": {"class_path": ["os.system"]}}, "names a list as fusion"),
        ({"fusion": {"class_path": FUSION, "init_args": {"hidden_dim": {"class_path": LOSS}}}},
         "expected int as fusion.hidden_dim, got the class"),
        ({"fusion": {"class_path": FUSION, "init_args": {"hidden_dim": "os.system"}}},
         "'os.system'"),
        ({"fusion": {"class_path": FUSION, "init_args": {"hook": "os.system"}}}, "'hook'"),
        ({"fusion": {"class_path": FUSION, "init_args": {"dims": [3]}}}, "'dims'"),
        ({"fusion": {"class_path": FUSION, "dict_kwargs": {"a": 1}}}, "a class with its arguments"),
        ({"fusion": {"class_path": FUSION, "run": 1}}, "as fusion"),
        ({"fusion": [FUSION]}, "as fusion, got a list"),
        ({"optimizer": "torch.hub.load"}, "names 'torch.hub.load' as optimizer"),
        ({"optimizer": "torch.optim.Optimizer"}, "names 'torch.optim.Optimizer'"),
        ({"optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": "1e-3"}}}, "lr"),
        ({"lr_scheduler": {"class_path": "torch.optim.lr_scheduler.LambdaLR",
                           "init_args": {"lr_lambda": "os.system"}}}, "lr_lambda"),
        ({"loss": {"class_path": "torch.nn.Linear", "init_args": {"in_features": 1}}}, "as loss"),
        ({"loss": {"class_path": "refseg.losses.WeightedSum", "init_args": {
            "losses": [LOSS, {"class_path": "torch.nn.Linear"}], "weights": [1.0]}}},
         "loss.losses"),
        ({"loss": {"class_path": "refseg.losses.CellLoss", "init_args": {
            "loss": "torch.nn.Linear", "stride": 2}}}, "as loss.loss"),
        ({"backbone": {"class_path": "refseg.models.backbones.TransformersBackbone", "init_args": {
            "name": "x", "architecture": {"z": [{"class_path": "os.system"}]}}}}, "architecture"),
        ({"backbone": {"class_path": "refseg.models.backbones.TransformersBackbone", "init_args": {
            "name": "x"}}}, "wants files or a download for its backbone"),
        ({"decoder": {"class_path": "refseg.models.decoders.SamDecoder", "init_args": {
            "name": "x"}}}, "wants files or a download for its decoder"),
        ({"backbone": {"class_path": "refseg.models.backbones.AtrousResNet", "init_args": {
            "weights": "/etc/passwd"}}}, "wants files or a download"),
        ({"_class_path": "os.system"}, "'_class_path'"),
        ({"vocab_size": True}, "expected int as vocab_size, got True"),
        ({"vocab_size": 10**5000}, "a number of more than 40 digits"),
        ({"start_from": "a\0b"}, r"'a\x00b'"),
        ({"start_from": "/etc/config.yaml"}, "start_from"),
        ({"decayed": "abc"}, "decayed"),
        ({"decayed": ["a", {"class_path": LOSS}]}, "decayed"),
        ({3: 4}, "arguments by their names"),
        ([1, 2], "got a list"),
        ("text", "got 'text'"),
        (None, "got None"),
    ],
)  # fmt: skip
def test_what_is_foreign_is_refused_where_it_stands(described: object, expected: str) -> None:
    assert expected in refusal(ReferringSegmentation, described)


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"augmentation": {"class_path": "refseg.data.Tokenizer"}}, "as augmentation"),
        ({"shapes": {"level": 1, "cache": "/"}}, "'cache'"),
        ({"dataset": [{"name": "x", "share": "inf"}]}, "dataset"),
        ({"root": {"class_path": "pathlib.Path"}}, "as root"),
        ({"shapes": "mine.yaml"}, "as shapes"),
    ],
)
def test_data_are_numbers_texts_and_known_classes(described: object, expected: str) -> None:
    assert expected in refusal(ReferringDataModule, described)


def test_what_fit_writes_is_made() -> None:
    described = {
        "fusion": {"class_path": FUSION, "init_args": {"hidden_dim": 7, "projection_dim": None}},
        "loss": {"class_path": "CellLoss", "init_args": {"loss": LOSS, "stride": 4}},
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"betas": [0.8, 0.9]}},
        "lr_scheduler": "torch.optim.lr_scheduler.LinearLR",
        "decayed": ["*.weight"],
        "learning_rate_factors": {"backbone.*": 0.1},
        "exact_evaluation": True,
    }
    checked = check_arguments(ReferringSegmentation, described, "x.ckpt")
    fusion = made(checked["fusion"])((4,), 5, 6)
    assert isinstance(fusion, ConcatFusion)
    assert fusion.dims == (7,)
    assert isinstance(made(checked["loss"]), CellLoss)
    optimizer = made(checked["optimizer"])(fusion.parameters())
    assert isinstance(optimizer, torch.optim.AdamW)
    assert list(optimizer.defaults["betas"]) == [0.8, 0.9]
    schedule = made(checked["lr_scheduler"])(optimizer)
    assert isinstance(schedule, torch.optim.lr_scheduler.LinearLR)
    config = {name: as_config(value) for name, value in checked.items()}
    assert config["decayed"] == ["*.weight"]
    assert config["learning_rate_factors"] == {"backbone.*": 0.1}
    again = check_arguments(ReferringSegmentation, config, "x.ckpt")
    assert again == checked, "a checked config is one, too"


def test_a_module_is_not_imported_to_see_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    (tmp_path / "mine_of_elsewhere.py").write_text(f"open({str(trace)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    refusal(ReferringSegmentation, {"loss": "mine_of_elsewhere.Loss"})
    assert not trace.exists()


def test_ones_own_classes_stand_where_theirs_do_once_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "own_parts"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "losses.py").write_text(
        "from torch import Tensor\nfrom refseg.losses import DiceLoss\n"
        "class Halved(DiceLoss):\n"
        "    def __init__(self, power: int = 1, extra=None, **rest) -> None:\n"
        "        super().__init__(**rest)\n"
        "        self.power = power\n"
    )
    arguments: dict[str, Any] = {"power": 2, "smoothing": 3.0}
    described = {"loss": {"class_path": "own_parts.losses.Halved", "init_args": arguments}}
    assert "--import own_parts" in refusal(ReferringSegmentation, described)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("refseg.checkpoint.packages._named", set())
    import_packages(["own_parts"])
    loss = made(check_arguments(ReferringSegmentation, described, "x.ckpt")["loss"])
    assert isinstance(loss, DiceLoss)
    assert (loss.power, loss.smoothing) == (2, 3.0)  # type: ignore[attr-defined]  # of Halved
    arguments["extra"] = "{class_path: own_parts.losses.Halved}"
    assert "as loss.extra" in refusal(ReferringSegmentation, described)
    described["fusion"] = described.pop("loss")
    assert "no such class" in refusal(ReferringSegmentation, described), "a loss is no fusion"


@pytest.mark.parametrize("name", ["no_such_package_at_all", "os;x", "", "a..b"])
def test_a_package_that_cannot_be_imported_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=r"of --import"):
        import_packages([name])


def test_a_class_that_is_defined_already_is_not_trusted_for_it() -> None:
    module = types.ModuleType("defined_elsewhere")
    module.Other = type("Other", (DiceLoss,), {"__module__": "defined_elsewhere"})  # type: ignore[attr-defined]  # a module made here
    assert "--import defined_elsewhere" in refusal(
        ReferringSegmentation, {"loss": "defined_elsewhere.Other"}
    )

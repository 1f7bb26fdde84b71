"""Training and evaluating a network that torch compiles."""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import refseg
from refseg.errors import ConfigError
from refseg.models.backbones import SmallBackbone
from refseg.models.decoders import BilinearDecoder
from refseg.models.fusion import ConcatFusion
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import LSTMEncoder
from refseg.training.compilation import compile_network

from ..conftest import TINY


@pytest.fixture
def network() -> Segmenter:
    return Segmenter(
        partial(SmallBackbone, width=8, image_dim=8, colour_dim=4),
        partial(LSTMEncoder, embedding_dim=4, hidden_dim=4),
        partial(ConcatFusion, hidden_dim=4),
        BilinearDecoder,
        9,
    )


@pytest.mark.parametrize(
    ("device", "message"),
    [("cpu", r"a C\+\+ compiler, .*none of g\+\+"), ("cuda", "the package triton")],
)
def test_without_a_compiler_it_is_refused(
    device: str, message: str, network: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("refseg.training.compilation.shutil.which", lambda name: None)
    monkeypatch.setattr("refseg.training.compilation.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=message):
        compile_network(network, torch.device(device))


def test_with_a_compiler_it_is_compiled_once(
    network: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "my-compiler")
    asked: list[str] = []
    monkeypatch.setattr(
        "refseg.training.compilation.shutil.which", lambda name: asked.append(name) or name
    )
    for _ in range(2):
        compile_network(network, torch.device("cpu"))
    assert network.is_compiled
    assert asked == ["my-compiler"]


def fit(output: Path, *options: str) -> dict[str, Any]:
    """Train in a process of its own: the checks of shapes that tests install are not compiled."""
    fixed = ["--config", "lstm_cnn.yaml", *TINY, "--data.expressions_per_image=1"]
    command = [sys.executable, "-m", "refseg", "fit", *fixed, *options, "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((output / "metrics.json").read_text())


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="no compiler")
def test_figures_and_checkpoints_are_the_same(shapes_root: Path, tmp_path: Path) -> None:
    plain = fit(tmp_path / "plain", "--model.compile=false")
    compiled = fit(tmp_path / "compiled", "--model.compile=true")
    for name, value in plain["metrics"]["val"].items():
        assert compiled["metrics"]["val"][name] == pytest.approx(value, abs=2e-3), name
    weights = [
        refseg.load(tmp_path / run / "checkpoints" / "last.ckpt").segmenter.state_dict()
        for run in ("plain", "compiled")
    ]
    assert [*weights[0]] == [*weights[1]]
    for one, other in zip(*(each.values() for each in weights), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    options = ["--ckpt_path=last", "--trainer.max_epochs=2", "--model.compile=false"]
    assert fit(tmp_path / "compiled", *options)["steps"] == 6, "it goes on uncompiled"

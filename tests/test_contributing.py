"""The examples of CONTRIBUTING.md are classes that train, keep their promises, and are opened."""

import re
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import refseg
from refseg.__main__ import main
from refseg.models.contracts import check_decoder, check_fusion
from refseg.models.fusion import WordByWord

from .conftest import TINY_DATA

MODULE = "examples_of_contributing"
SMALL = ("--model.backbone.width=8", "--model.backbone.image_dim=8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples lie in one file, as the text says."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    assert len(blocks) == 5  # imports, and an example for each kind
    assert all(len(block.splitlines()) <= 20 for block in blocks)
    folder = tmp_path_factory.mktemp("contributing")
    (folder / f"{MODULE}.py").write_text("\n\n".join(blocks))
    return folder


@pytest.fixture
def examples(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setattr("refseg.checkpoint.packages._named", set())
    return import_module(MODULE)


def test_each_example_keeps_its_promises(examples: ModuleType) -> None:
    check_fusion(examples.Late)
    check_fusion(examples.Reader)
    assert issubclass(examples.Reader, WordByWord)
    early = partial(examples.Early, stage_dim=8)
    check_fusion(early)
    assert examples.Early.sites == (1,)
    check_decoder(examples.Query)


@pytest.mark.parametrize(
    ("part", "name", "options"),
    [
        ("fusion", "Late", []),
        ("fusion", "Reader", []),
        ("fusion", "Early", ["--model.fusion.stage_dim=8"]),
        ("decoder", "Query", []),
    ],
)
def test_each_example_trains_and_its_checkpoint_is_opened(
    examples: ModuleType, part: str, name: str, options: list[str], tmp_path: Path
) -> None:
    words = ["fit", "--config", "rmi.yaml", f"--model.{part}={MODULE}.{name}", *options]
    words += [*TINY_DATA, *SMALL, "--model.backbone.colour_dim=4", "--output", str(tmp_path)]
    assert main(words) == 0
    model = refseg.load(tmp_path / "checkpoints" / "best.ckpt", import_packages=[MODULE])
    assert isinstance(getattr(model.segmenter, part), getattr(examples, name))

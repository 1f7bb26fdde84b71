"""Paths as users write them, on the command line, in configs and in Python."""

from pathlib import Path

import pytest

import refseg
from refseg.__main__ import main, with_home_in_words
from refseg.cli.configs.files import find_config
from refseg.cli.trainer.prepared import prepare_run
from refseg.data import ReferringDataModule, read_folder, read_references
from refseg.data.mixtures import DataSource, sources_of
from refseg.data.streaming.storage import address_of
from refseg.errors import CheckpointError, ConfigError
from refseg.files import as_path, cache_folder, with_home

from .conftest import TINY
from .data.fake_folder import write_fake_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_fake_folder(tmp_path / "home" / "data")
    return tmp_path / "home"


def test_the_home_folder_wherever_it_stands(home: Path) -> None:
    assert with_home(Path("~/data")) == home / "data"
    assert [with_home(word) for word in ("~", "a ~ b", "~5")] == [str(home), "a ~ b", "~5"]
    assert as_path("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")


def test_words_that_a_shell_leaves(home: Path) -> None:
    words = ["--data.root=~/data", "--root", "~/data", "the ~ on the left", "--text=a=~/b", "-c=~"]
    assert with_home_in_words(words) == [
        *(f"--data.root={home}/data", "--root", f"{home}/data"),
        *("the ~ on the left", "--text=a=~/b", f"-c={home}"),
    ]


def test_verbs_of_data(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "verify", "mine", "--root=~/data", "--json=~/found.json"]) == 0
    assert (home / "found.json").is_file()
    assert f"{home}/found.json" in capsys.readouterr().out


def test_configs_and_options_of_the_trainer(home: Path) -> None:
    (home / "parts").mkdir()
    (home / "parts" / "mine.yaml").write_text("root: ~/data\ndataset: mine\n")
    (home / "mine.yaml").write_text("base: rmi.yaml\ntrainer: {default_root_dir: ~/runs}\n")
    run = prepare_run([
        *("--config=~/mine.yaml", "--data=~/parts/mine.yaml"),
        *(word for word in TINY if "shapes" not in word),
    ])  # fmt: skip
    assert run.data.splits.root == home / "data"
    assert run.trainer.default_root_dir == f"{home}/runs"
    assert len(run.data.mixture.parts[0].references) == 4


def test_python(home: Path, run: Path) -> None:
    for root in ("~/data", str(home / "data"), Path("~/data")):
        data = ReferringDataModule(root=root, dataset="mine", val_splits=["val"])
        assert data.splits.root == home / "data"
        assert data.mixture.parts[0].references.splits == ("train", "val", "test")
    assert len(read_references("~/data", "mine")) == len(read_folder("~/data", "mine")) == 4
    (source,) = sources_of([DataSource("mine", root=Path("~/data"))])
    assert source.root == home / "data"
    with pytest.raises(ConfigError, match=f"found no {home}/features"):
        ReferringDataModule(features="~/features")
    with pytest.raises(CheckpointError, match=f"none at {home}/best.ckpt"):
        refseg.load("~/best.ckpt")
    (home / "best.ckpt").symlink_to(run / "checkpoints" / "best.ckpt")
    (home / "photo.png").symlink_to(home / "data" / "mine" / "street.png")
    assert refseg.load("~/best.ckpt").segment("~/photo.png", "red circle").mask.shape == (36, 24)


def test_other_places(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert address_of("~/shards") == f"{home}/shards"
    assert address_of("https://host/~/shards") == "https://host/~/shards"
    monkeypatch.setenv("REFSEG_CACHE", "~/cache")
    assert cache_folder() == home / "cache"
    (home / "own.yaml").write_text("{}")
    assert find_config("~/own.yaml") == home / "own.yaml"

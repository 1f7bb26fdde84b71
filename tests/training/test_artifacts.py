"""Checkpoints that are artifacts of W&B, with a stand-in for its server."""

import json
import pickle
import shutil
import sys
from pathlib import Path

import pytest
import wandb

from refseg.__main__ import main
from refseg.errors import ConfigError
from refseg.training.artifacts import download

REFERENCE = "wandb:me/refseg/model-x:best"


class Server:
    """Has one artifact, with the files of a folder."""

    def __init__(self, files: Path) -> None:
        self.files, self.version = files, "v3"
        self.asked: list[str] = []

    def artifact(self, name: str) -> "Server":
        self.asked.append(name)
        if "missing" in name:
            raise wandb.errors.CommError(f"artifact '{name}' not found in 'me/refseg'")
        return self

    def download(self, root: str) -> str:
        return str(shutil.copytree(self.files, root, dirs_exist_ok=True))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    (tmp_path / "files").mkdir()
    server = Server(tmp_path / "files")
    monkeypatch.setattr(wandb, "Api", lambda: server)
    monkeypatch.setattr("refseg.training.artifacts.why_unreachable", lambda: None)
    monkeypatch.chdir(tmp_path)
    return server


def test_a_checkpoint_of_wandb_is_evaluated_beside_its_copy(run: Path, server: Server) -> None:
    shutil.copy(run / "checkpoints" / "best.ckpt", server.files / "model.ckpt")
    words = ["validate", "--checkpoint", REFERENCE, "--trainer.accelerator=cpu"]
    assert main([*words, "--trainer.enable_progress_bar=false"]) == 0
    assert server.asked == ["me/refseg/model-x:best"]
    found = json.loads(Path("runs/model-x-v3/validate/metrics.json").read_text())
    assert found["metrics"] == json.loads((run / "metrics.json").read_text())["metrics"]


class Evil:
    """What runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """The command."""
        return Path.touch, (Path("executed"),)


def test_nothing_in_an_artifact_is_executed(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    (server.files / "model.ckpt").write_bytes(pickle.dumps(Evil()))
    assert main(["test", f"--ckpt_path={REFERENCE}"]) == 2
    assert "model-x-v3" in capsys.readouterr().err
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("wandb:me/model-x:best", "Expected `wandb:ENTITY/PROJECT/NAME:ALIAS`"),
        ("wandb:me/refseg/../../x:v0", "Expected `wandb:ENTITY/PROJECT/NAME:ALIAS`"),
        ("wandb:me/refseg/missing:v0", "artifact 'me/refseg/missing:v0' not found"),
        (REFERENCE, "Expected one file *.ckpt"),
    ],
)
def test_what_is_no_checkpoint_is_told(
    reference: str, message: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "--ckpt_path", reference]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_best_is_meant_where_nothing_is_said(server: Server) -> None:
    (server.files / "model.ckpt").touch()
    assert download("wandb:me/refseg/model-x", Path("runs")) == Path(
        "runs/model-x-v3/checkpoints/model.ckpt"
    )
    assert server.asked == ["me/refseg/model-x:best"]


def test_who_is_not_logged_in_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(ConfigError, match="no account \\(run `wandb login`"):
        download(REFERENCE, tmp_path)


def test_without_wandb_one_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="pip install wandb"):
        download(REFERENCE, tmp_path)

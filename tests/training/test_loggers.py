"""W&B without an account."""

from pathlib import Path

import pytest

from refseg.__main__ import main
from refseg.cli.trainer.command_line import log_to_sweep
from refseg.training.loggers import why_offline

from ..conftest import TINY
from .wandb_file import read_run


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nobody has logged in to W&B."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


def test_without_an_account_it_is_offline(no_account: None) -> None:
    assert "no account" in str(why_offline())


def test_without_an_answer_it_is_offline(no_account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert "127.0.0.1 does not answer" in str(why_offline())


@pytest.mark.parametrize(("mode", "online"), [("online", True), ("offline", False)])
def test_what_the_user_wants_counts(
    mode: str, online: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    assert (why_offline() is None) == online


def test_a_login_is_found_in_netrc(
    no_account: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret")
    assert "does not answer" in str(why_offline())


def test_a_run_logs_offline_and_says_so_in_one_line(
    no_account: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--trainer.logger", "logger/wandb.yaml"]
    assert main([*words, "--trainer.log_every_n_steps=1", "--output", str(tmp_path)]) == 0
    shown = "".join(capfd.readouterr())
    assert sum("W&B offline: no account" in line for line in shown.splitlines()) == 1
    (offline,) = (tmp_path / "wandb").glob("offline-run-*")
    logged = read_run(next(offline.glob("*.wandb")))
    assert logged.name == "rmi-MultimodalLSTM-seed0"
    assert logged.config["model"]["fusion"]["class_path"].endswith("MultimodalLSTM")
    assert "vocab_size" not in logged.config  # Lightning's own record, of the same arguments again
    assert {"train/loss", "val/overall_iou", "lr-AdamW", "val/words/filenames"} <= logged.names
    (examples,) = (row for row in logged.history if "val/examples/count" in row)
    assert examples["val/examples/count"] == 4
    assert all({"prediction", "truth"} == {*masks} for masks in examples["val/examples/all_masks"])
    pictures = [offline / "files" / path for path in logged.files if path.startswith("media")]
    assert sum(path.stat().st_size for path in pictures) < 500_000  # uploaded at each validation


def test_disabled_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    words = ["fit", "--config", "rmi.yaml", *TINY, "--trainer.logger", "logger/wandb.yaml"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    shown = "".join(capfd.readouterr())
    assert "W&B is disabled" in shown
    assert "sync" not in shown
    assert (tmp_path / "metrics.json").is_file()
    assert not (tmp_path / "wandb").exists()


def test_under_a_wandb_agent_the_logger_is_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--config", "rmi.yaml"]
    assert log_to_sweep(words) == words
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    assert log_to_sweep(words)[-1] == "--trainer.logger=logger/wandb.yaml"
    chosen = [*words, "--trainer.logger=false"]
    assert log_to_sweep(chosen) == chosen

"""W&B's files and server: a real offline run is read back, and the server has a stand-in."""

import struct
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb

from refseg.errors import ConfigError
from refseg.sweeps.wandb_runs import offline_files, read_offline, read_remote


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a run that W&B's own library has written."""
    folder = tmp_path_factory.mktemp("logged")
    config = {"config": "compared/mlstm.yaml", "lr": 0.01, "model": {"dim": None}}
    settings = wandb.Settings(silent=True)
    run = wandb.init(
        project="p", name="first", dir=folder, mode="offline", config=config, settings=settings
    )
    for step, iou in enumerate((0.25, 0.5, 0.375)):
        run.log({"val/overall_iou": iou, "val/mean_iou": iou / 2}, step=step)
    run.log({"long": "x" * 100_000}, step=3)  # in several pieces
    run.finish()
    (path,) = offline_files(folder)
    for _ in range(100):  # W&B's own process writes on for a moment
        if read_offline(path).is_finished:
            break
        time.sleep(0.1)
    return path


def test_reads_what_a_run_has_logged_offline(logged: Path) -> None:
    run = read_offline(logged)
    assert run.name == "first"
    assert run.identity == logged.stem.removeprefix("run-")
    assert run.config["config"] == "compared/mlstm.yaml"
    assert run.config["lr"] == 0.01
    assert run.config["model"] == {"dim": None}
    ious = [row["val/overall_iou"] for row in run.history if "val/overall_iou" in row]
    assert ious == [0.25, 0.5, 0.375]
    assert [row["val/mean_iou"] for row in run.history if "val/mean_iou" in row][1] == 0.25
    assert [len(row["long"]) for row in run.history if "long" in row] == [100_000]
    assert run.is_finished
    assert run.folder == logged.parent


def test_reads_a_run_that_was_killed_as_far_as_it_goes(logged: Path, tmp_path: Path) -> None:
    data = logged.read_bytes()
    for part in (len(data) * 2 // 3, 9, 7):
        path = tmp_path / "run-a.wandb"
        path.write_bytes(data[:part])
        assert not read_offline(path).is_finished
    damaged = bytearray(data)
    (length,) = struct.unpack_from("<H", data, 7 + 4)
    damaged[14 : 14 + length] = b"\xff" * length
    path.write_bytes(damaged)
    assert read_offline(path).history == []


def test_refuses_another_file(tmp_path: Path) -> None:
    (tmp_path / "run-a.wandb").write_text("no")
    with pytest.raises(ConfigError, match="does not begin as one"):
        read_offline(tmp_path / "run-a.wandb")


def test_asks_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"val/overall_iou": 0.5}]
    runs = [
        SimpleNamespace(
            id=name, name=name, config={"lr": 1}, state=state, scan_history=lambda: iter(rows)
        )
        for name, state in (("a", "finished"), ("b", "killed"))
    ]
    known: dict[str, Any] = {"me/p/abc": SimpleNamespace(runs=runs)}

    class Server:
        def sweep(self, path: str) -> Any:  # noqa: ANN401 - as W&B's
            if path not in known:
                raise wandb.errors.CommError(f"no {path}")
            return known[path]

    monkeypatch.setattr(wandb, "Api", Server)
    first, second = read_remote("me/p/abc")
    assert (first.identity, first.config, first.history) == ("a", {"lr": 1}, rows)
    assert (first.is_finished, second.is_finished) == (True, False)
    with pytest.raises(ConfigError, match=r"got me/p/other, which is no folder.* no me/p/other"):
        read_remote("me/p/other")

"""Training and evaluating from shards: the figures of the folder, and an exact resume."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from refseg.__main__ import main
from refseg.data import read_references, write_shards
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch

from ..conftest import TINY
from ..data.streaming.server import Server, serve


@pytest.fixture(scope="module")
def shards(shapes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images of `TINY` runs in several shards."""
    folder = tmp_path_factory.mktemp("shards") / "shapes"
    references = read_references(shapes_root, "shapes")
    index = write_shards(references, folder, "shapes", shard_size=0.02)
    assert sum(shard.split == "train" for shard in index.shards) > 3
    return folder


@pytest.fixture(scope="module")
def server(shards: Path) -> Iterator[Server]:
    """The shards behind a web server."""
    with pytest.MonkeyPatch.context() as patch, serve(shards) as served:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield served


def figures(folder: Path) -> dict[str, dict[str, float]]:
    return json.loads((folder / "metrics.json").read_text())["metrics"]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_the_figures_of_the_folder_bit_for_bit(run: Path, server: Server, tmp_path: Path) -> None:
    words = ["test", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]
    assert main([*words, "--output", str(tmp_path / "folder")]) == 0
    stream = [f"--data.stream={server.address}", "--data.num_workers=2"]
    assert main([*words, *stream, "--output", str(tmp_path / "stream")]) == 0
    assert figures(tmp_path / "stream") == figures(tmp_path / "folder")
    assert list(figures(tmp_path / "stream")) == ["val", "testA", "testB"]


@pytest.mark.slow
def test_two_processes_count_what_one_counts(run: Path, server: Server, tmp_path: Path) -> None:
    words = [
        *("validate", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")),
        *("--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"),
        *("--data.batch_size=3", f"--data.stream={server.address}", "--output", str(tmp_path)),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "refseg", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert figures(tmp_path) == figures(run)


@pytest.mark.parametrize("source", ["folder", pytest.param("stream", marks=pytest.mark.slow)])
def test_a_run_that_is_stopped_in_an_epoch_goes_on_as_if_it_had_not_been(
    source: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches, losses and figures of the resumed run are those of the one that was left alone."""
    original = ReferringSegmentation.training_step
    seen: list[tuple[object, ...]] = []

    def watched(self: ReferringSegmentation, batch: Batch, batch_index: int) -> torch.Tensor:
        if self.global_step == stop_at:
            raise KeyboardInterrupt
        loss = original(self, batch, batch_index)
        seen.append((batch.expression_ids, int(batch.images.sum()), loss.item()))
        return loss

    monkeypatch.setattr(ReferringSegmentation, "training_step", watched)
    words = [
        *("fit", "--config", "rmi.yaml", *TINY),
        *([f"--data.stream={server.address}"] if source == "stream" else []),
        *("--data.augmentation.shrink=0.8", "--data.expressions_per_image=2"),
        *("--data.batch_size=3", "--trainer.max_epochs=2", "--model.text_encoder.dropout=0.5"),
    ]
    stop_at = -1
    assert main([*words, "--output", str(tmp_path / "whole")]) == 0
    uninterrupted, seen[:] = list(seen), []
    assert len({*uninterrupted}) == 8
    stop_at = 6
    assert main([*words, "--output", str(tmp_path / "stopped")]) == 130
    stop_at = -1
    saved = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    rest = [f"--ckpt_path={saved}", "--data.num_workers=2"]
    assert main([*words, *rest, "--output", str(tmp_path / "resumed")]) == 0
    assert seen == uninterrupted
    assert figures(tmp_path / "whole") == figures(tmp_path / "resumed")


def test_pictures_are_drawn_from_shards(
    server: Server, shards: Path, run: Path, tmp_path: Path
) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]
    assert main([*words, f"--data.stream={server.address}"]) == 0
    assert (tmp_path / "examples.png").is_file()
    checkpoint = str(tmp_path / "checkpoints" / "best.ckpt")
    words = ["predict", "--ckpt_path", checkpoint, "--output", str(tmp_path / "masks")]
    words += ["--data.test_splits=[testA]", f"--data.stream={server.address}"]  # asked for
    assert main(words) == 0
    lines = (tmp_path / "masks" / "predictions.jsonl").read_text().splitlines()
    assert all(json.loads(line)["image"].startswith(server.address) for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_every_checkpoint_of_an_epoch_leads_to_the_same_weights(
    shards: Path, tmp_path: Path, processes: int
) -> None:
    saving = "--trainer.callbacks"
    words = [
        *("fit", "--config", "rmi.yaml", *TINY, f"--data.stream=file://{shards}"),
        *(f"--trainer.devices={processes}", "--data.batch_size=1", "--data.augmentation.flip=0.5"),
        *(["--trainer.strategy=ddp"] if processes > 1 else []),
        *(f"{saving}+=lightning.pytorch.callbacks.ModelCheckpoint", f"{saving}.dirpath=steps"),
        *(f"{saving}.filename={{step}}", f"{saving}.every_n_train_steps=1"),
        f"{saving}.save_top_k=-1",
    ]

    def fit(name: str, *more: str) -> dict[str, dict[str, torch.Tensor]]:
        options = [*words, "--output", str(tmp_path / name), *more]
        if processes == 1:
            assert main(options) == 0
        else:
            command = [sys.executable, "-m", "refseg", *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
        return {path.stem: weights(path) for path in (tmp_path / name / "steps").iterdir()}

    whole = fit("whole")
    last = f"step={12 // processes}"
    for step in (2, 11) if processes == 1 else (2,):
        resumed = fit(f"from{step}", f"--ckpt_path={tmp_path}/whole/steps/step={step}.ckpt")
        assert set(resumed) == {f"step={number}" for number in range(step + 1, 12 // processes + 1)}
        assert all(torch.equal(whole[last][name], resumed[last][name]) for name in whole[last])

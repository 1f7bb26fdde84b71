"""The last state is the last one, and going on from any state is as not having been stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EMAWeightAveraging

from refseg.errors import ConfigError
from refseg.training import LastCheckpoint
from refseg.training.progress import Point

from .toy import Toy, fit

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*logging interval.*"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
]


def saved(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


class SaveEverywhere(Checkpoint):
    """Writes a checkpoint of each point, wherever there is a hook to do so."""

    def __init__(self, last: LastCheckpoint, folder: Path) -> None:
        self.last, self.folder = last, folder
        self.known: list[Point | None] = []
        self.files: list[tuple[Path, int]] = []

    def save(self, trainer: Trainer, module: LightningModule, *_: object) -> None:
        assert isinstance(module, Toy)
        assert self.last._progress is not None
        point = self.last._progress.point
        if point is None or any(point is other for other in self.known):
            return
        self.known.append(point)
        self.files.append((self.folder / f"{len(self.known)}.ckpt", len(module.seen)))
        trainer.save_checkpoint(self.files[-1][0])

    on_train_batch_start = on_train_batch_end = on_train_epoch_start = on_train_epoch_end = save
    on_validation_start = on_validation_end = on_train_end = save


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"check_val_every_n_epoch": 2, "accumulate_grad_batches": 3},
        {"val_check_interval": 2, "max_epochs": 1},
        {"check_val_every_n_epoch": None, "val_check_interval": 3, "max_steps": 7},
        {"limit_val_batches": 0},
    ],
    ids=["epochs", "accumulation", "within", "steps", "alone"],
)
@pytest.mark.parametrize("averages", [[], [EMAWeightAveraging]], ids=["", "averaged"])
def test_any_state_leads_to_the_same_end(
    averages: list[Callable[..., Callback]], options: dict[str, Any], tmp_path: Path
) -> None:
    def callbacks() -> list[Callback]:
        return [*(make(decay=0.6) for make in averages), LastCheckpoint()]

    *others, last = callbacks()
    assert isinstance(last, LastCheckpoint)
    everywhere = SaveEverywhere(last, tmp_path)
    whole = fit(tmp_path, *others, last, everywhere, **options)
    assert len(everywhere.files) >= 5
    for path, seen in everywhere.files:
        resumed = fit(tmp_path / path.stem, *callbacks(), checkpoint=path, **options)
        assert resumed.seen == whole.seen[len(whole.seen) - len(resumed.seen) :], path
        assert len(resumed.seen) >= len(whole.seen) - seen, "nothing is left out"
        if resumed.seen or not averages:  # where nothing is left to train, nothing ends
            assert torch.equal(resumed.weights, whole.weights), path


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"max_epochs": 2}, {"max_epochs": 3}),
        ({"max_epochs": -1, "max_steps": 6}, {"max_epochs": -1, "max_steps": 9}),
        (
            {"max_epochs": 1, "limit_val_batches": 0},
            {"max_epochs": 3, "limit_val_batches": 0},
        ),
    ],
    ids=["epochs", "steps", "alone"],
)
@pytest.mark.parametrize("averages", [[], [EMAWeightAveraging]], ids=["", "averaged"])
def test_a_finished_training_goes_on_for_longer(
    averages: list[Callable[..., Callback]],
    short: dict[str, Any],
    long: dict[str, Any],
    tmp_path: Path,
) -> None:
    def callbacks() -> list[Callback]:
        return [*(make(decay=0.6) for make in averages), LastCheckpoint()]

    whole = fit(tmp_path / "whole", *callbacks(), **long)
    begun = fit(tmp_path / "short", *callbacks(), **short)
    last = tmp_path / "short" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "long", *callbacks(), checkpoint=last, **long)
    assert begun.seen + resumed.seen == whole.seen
    assert torch.equal(resumed.weights, whole.weights)


@pytest.mark.parametrize("batch", [2, 5], ids=["in accumulation", "in the second epoch"])
def test_what_fails_in_a_batch_goes_on_from_the_step_before(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"accumulate_grad_batches": 2}
    whole = fit(tmp_path / "whole", LastCheckpoint(), **options)
    step = Toy.training_step

    def fail(self: Toy, *arguments: object) -> torch.Tensor:
        loss = step(self, *arguments)
        if sum(what[0] == "train" for what in self.seen) == batch + 2:
            raise RuntimeError("a broken image")
        return loss

    with monkeypatch.context() as patch:
        patch.setattr(Toy, "training_step", fail)
        with pytest.raises(RuntimeError, match="broken image"):
            fit(tmp_path / "failed", LastCheckpoint(), **options)
    last = tmp_path / "failed" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "resumed", LastCheckpoint(), checkpoint=last, **options)
    assert resumed.seen == whole.seen[-len(resumed.seen) :]
    assert torch.equal(resumed.weights, whole.weights)


def test_it_is_saved_as_time_goes_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 10 s, then after twice as long each time, up to so many minutes."""
    now = 0.0
    monkeypatch.setattr("refseg.training.last_checkpoint.time.monotonic", lambda: now)
    times: list[float] = []
    save = Trainer.save_checkpoint

    def note(self: Trainer, *arguments: object, **options: object) -> None:
        times.append(now)
        save(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "save_checkpoint", note)
    step = Toy.training_step

    def take_four_seconds(self: Toy, *arguments: object) -> torch.Tensor:
        nonlocal now
        now += 4
        return step(self, *arguments)

    monkeypatch.setattr(Toy, "training_step", take_four_seconds)
    fit(tmp_path, LastCheckpoint(minutes=0.5), max_epochs=30, limit_val_batches=0)
    assert times == [12, 24, 48, *range(80, 480, 32), 480]


def test_weights_that_are_not_finite_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Toy.training_step

    def explode(self: Toy, *arguments: object) -> torch.Tensor:
        loss = step(self, *arguments)
        return loss * float("nan") if self.global_step == 5 else loss

    monkeypatch.setattr(Toy, "training_step", explode)
    fit(tmp_path, LastCheckpoint())
    assert saved(tmp_path)["global_step"] == 4
    assert saved(tmp_path)["state_dict"]["weights"].isfinite().all()


def test_the_best_one_is_left_alone(tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    best = ModelCheckpoint(
        tmp_path / "checkpoints", "best", monitor="what", mode="max", enable_version_counter=False
    )
    validate = Toy.on_validation_epoch_end

    def log(self: Toy) -> None:
        validate(self)
        self.log("what", float(-self.global_step))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Toy, "on_validation_epoch_end", log)
        fit(tmp_path, best, LastCheckpoint())
    assert torch.load(best.best_model_path, weights_only=True)["global_step"] == 4
    last = saved(tmp_path)
    assert last["global_step"] == 8
    (state,) = (v for k, v in last["callbacks"].items() if k.startswith("ModelCheckpoint"))
    assert state["best_model_score"] == -4, "going on knows the score to beat"


def test_nothing_is_written_by_a_trial(tmp_path: Path) -> None:
    fit(tmp_path, LastCheckpoint(), fast_dev_run=True)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan")])
def test_an_interval_that_is_none(minutes: float) -> None:
    with pytest.raises(ConfigError, match=f"got {minutes}"):
        LastCheckpoint(minutes)


def test_what_fails_in_a_validation_of_averages_keeps_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the averages are in their place."""

    def callbacks() -> list[Callback]:
        return [EMAWeightAveraging(decay=0.6), LastCheckpoint()]

    def fail(self: Toy, *arguments: object) -> None:
        if self.current_epoch == 1:
            raise RuntimeError("a broken image")

    whole = fit(tmp_path / "whole", *callbacks(), max_epochs=3)
    with monkeypatch.context() as patch:
        patch.setattr(Toy, "validation_step", fail)
        with pytest.raises(RuntimeError, match="broken image"):
            fit(tmp_path / "failed", *callbacks(), max_epochs=3)
    last = tmp_path / "failed" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "resumed", *callbacks(), checkpoint=last, max_epochs=3)
    assert resumed.seen == whole.seen[-len(resumed.seen) :]
    assert resumed.seen[0][0] == "validate"
    assert torch.equal(resumed.weights, whole.weights)

"""What a log says of a training that is at work."""

import re
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning.pytorch import Trainer

from refseg.__main__ import main
from refseg.training import ProgressLines, says_progress
from tests.conftest import TINY

from .toy import Toy, ToyData, fit

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*logging interval.*"),
    pytest.mark.filterwarnings("ignore:.*many workers.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
]


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at the clock finds that a second has gone by."""
    ticks = count()
    for module in ("refseg.progress", "refseg.training.progress_lines"):
        fake = SimpleNamespace(monotonic=lambda: float(next(ticks)))
        monkeypatch.setattr(f"{module}.time", fake)


@pytest.mark.usefixtures("seconds")
def test_lines_of_a_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(tmp_path, ProgressLines(first=0.0, every=0.0))
    lines = capsys.readouterr().out.splitlines()
    training = [line for line in lines if line.startswith("Epoch")]
    assert len(training) == 8, "two epochs of four steps"
    assert [re.sub(r": loss.*", "", line) for line in training[3:5]] == [
        "Epoch 1 of 2, step 4 of 8",
        "Epoch 2 of 2, step 5 of 8",
    ]
    assert all("learning rate 0.1, " in line for line in training)
    assert training[-1].endswith("0 s left")
    assert [line for line in lines if line.startswith("Validation")][:3] == [
        "Validation after step 4, batch 1 of 3, 4 s left",
        "Validation after step 4, batch 2 of 3, 2 s left",
        "Validation after step 4, batch 3 of 3, 0 s left",
    ]


class Halved(Toy):
    """The loss is the number of the batch."""

    def training_step(self, batch: object, batch_index: int) -> object:
        return self.weights.sum() * 0 + batch_index


def test_the_loss_is_the_mean_since_the_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    due = iter([False, True])  # asked after each optimizer step
    monkeypatch.setattr("refseg.progress.Pace.is_due", lambda self: next(due, False))
    trainer = Trainer(
        max_epochs=1,
        accumulate_grad_batches=2,
        logger=False,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        accelerator="cpu",
        default_root_dir=tmp_path,
        callbacks=[ProgressLines()],
    )
    trainer.fit(Halved(), datamodule=ToyData())
    assert says_progress(trainer)
    # After the first step (batches 0 and 1) it is not time, after batch 2 neither was a step made.
    assert "step 1 of 2: loss 1, " in capsys.readouterr().out


@pytest.mark.parametrize("wanted", [True, False])
def test_a_run_whose_output_is_no_terminal_says_how_far_it_is(
    wanted: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("refseg.progress.Pace.is_due", lambda self: True)
    words = [word for word in TINY if "enable_progress_bar" not in word]
    if not wanted:
        words.append("--trainer.enable_progress_bar=false")
    assert main(["fit", "--config", "rmi.yaml", *words, "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert ("Epoch 1 of 1, step 2 of 3: loss " in out) == wanted
    assert "━" not in out.split("split")[0], "a bar is for terminals"
    checkpoint = str(tmp_path / "checkpoints" / "best.ckpt")
    options = [word for word in words if "trainer" in word and "epoch" not in word]
    assert main(["validate", "--ckpt_path", checkpoint, *options]) == 0
    out, err = capsys.readouterr()
    assert ("Validation, batch " in err) == wanted
    assert "Validation, batch" not in out, "there are the figures"

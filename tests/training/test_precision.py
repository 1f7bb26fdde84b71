"""Every precision of the trainer, with both systems: finite, and close to float32."""

import csv
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.plugins import MixedPrecision
from PIL import Image
from torch import Tensor, nn

import refseg
from refseg.__main__ import main
from refseg.cli.messages import missing_kernel
from refseg.cli.trainer.quiet import quieten
from refseg.data import ReferringDataModule
from refseg.errors import ConfigError
from refseg.losses import DiceLoss, WeightedLogisticLoss, WeightedSum
from refseg.models.backbones import SmallBackbone
from refseg.models.fusion import ConcatFusion, Fusion, MultimodalLSTM
from refseg.models.text_encoders import LSTMEncoder
from refseg.precision import check_optimizer, check_weights, in_full_precision
from refseg.training.module import ReferringSegmentation
from refseg.training.schedules import Schedule

from ..conftest import TINY

SYSTEMS = {"rmi": MultimodalLSTM, "lstm-cnn": ConcatFusion}
# How far the loss of steps 26 to 30 may be from float32's, of about 1.0; it starts at about 1.6.
DISTANCES = {
    "64-true": 0.02,
    "bf16-mixed": 0.05,
    "16-mixed": 0.05,
    "bf16-true": 0.05,
    "16-true": 0.05,
}
STEPS = 30

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of a red and a blue box on noise, 60 to train on and 200 to evaluate.

    The boxes have a thousand pixels, so that one more or less tips few IoUs over a threshold.
    """
    root = tmp_path_factory.mktemp("boxes")
    folder = root / "boxes"
    folder.mkdir()
    generator = np.random.default_rng(0)
    colours = {"red": (200, 30, 30), "blue": (30, 30, 200)}
    rows = [("image", "expression", "mask", "split")]
    for number in range(260):
        pixels = generator.integers(150, 256, (96, 128, 3), dtype=np.uint8)
        for half, name in enumerate(generator.permutation(list(colours))):
            width, height = generator.integers((20, 24), (48, 60)).tolist()
            left = 64 * half + int(generator.integers(64 - width))
            top = int(generator.integers(96 - height))
            right, bottom = left + width, top + height
            pixels[top:bottom, left:right] = colours[name]
            polygon = json.dumps([[left, top, right, top, right, bottom, left, bottom]])
            split = "train" if number < 60 else "val"
            rows.append((f"{number}.png", f"the {name} box", polygon, split))
        Image.fromarray(pixels).save(folder / f"{number}.png")
    with (folder / "annotations.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return root


def data(root: Path) -> ReferringDataModule:
    return ReferringDataModule(
        root=root,
        dataset="boxes",
        split_by=None,
        image_size=32,
        batch_size=4,
        num_workers=0,
        augmentation=None,
    )


def module(fusion: type[Fusion], vocab_size: int, sgd: bool = False) -> ReferringSegmentation:
    optimizer = (
        partial(torch.optim.SGD, lr=0.2, momentum=0.9)
        if sgd
        else partial(torch.optim.AdamW, lr=0.01, weight_decay=0.02)
    )
    torch.manual_seed(0)
    return ReferringSegmentation(
        backbone=partial(SmallBackbone, width=8, image_dim=8, colour_dim=4),
        text_encoder=partial(LSTMEncoder, embedding_dim=8, hidden_dim=8, embedding_range=1.0),
        fusion=partial(fusion, hidden_dim=8),
        vocab_size=vocab_size,
        loss=WeightedSum([WeightedLogisticLoss(positive_weight=2.0), DiceLoss()], [1.0, 1.0]),
        optimizer=optimizer,
        lr_scheduler=Schedule,
        exact_evaluation=False,
    )


def trainer(precision: str, steps: int = -1) -> Trainer:
    """Without clipping, which hides gradients that are too large."""
    chosen: dict[str, object] = {"precision": precision}
    if precision == "16-mixed":  # of which Lightning makes bf16-mixed on a CPU
        scaler = torch.amp.GradScaler("cpu")
        chosen = {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]}
    return Trainer(
        max_steps=steps,
        limit_val_batches=1.0 if steps < 0 else 0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **chosen,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """As quiet as the command line: 16-mixed leaves its first steps out, for one."""
    with warnings.catch_warnings():
        quieten()
        yield


def fit(
    root: Path, fusion: type[Fusion], precision: str, sgd: bool, steps: int = STEPS
) -> tuple[ReferringSegmentation, list[float]]:
    """The trained module, and the loss of each step."""
    seed_everything(0, verbose=False)
    images = data(root)
    images.setup("fit")
    network = module(fusion, images.vocab_size, sgd)
    losses: list[float] = []
    network.loss.register_forward_hook(lambda _, __, loss: losses.append(loss.item()))
    with quiet():
        trainer(precision, steps).fit(network, images)
    return network, losses


def figures(
    root: Path, fusion: type[Fusion], precision: str, weights: Mapping[str, Tensor]
) -> dict[str, float]:
    """What the same weights reach in a precision, in points."""
    images = data(root)
    images.setup("fit")
    network = module(fusion, images.vocab_size)
    network.load_state_dict(weights)
    with quiet():
        trainer(precision).validate(network, images, verbose=False)
    return {name: 100 * value for name, value in network.results["val"].items()}


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> type[Fusion]:
    return SYSTEMS[request.param]


@pytest.fixture(scope="module")
def exact_losses(system: type[Fusion], boxes: Path) -> dict[bool, list[float]]:
    """Of float32, with AdamW and with SGD."""
    return {sgd: fit(boxes, system, "32-true", sgd)[1] for sgd in (False, True)}


@pytest.fixture(scope="module")
def trained(system: type[Fusion], boxes: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Weights that find the boxes, and their figures in float32."""
    weights = fit(boxes, system, "32-true", sgd=False, steps=80)[0].state_dict()
    return weights, figures(boxes, system, "32-true", weights)


@pytest.mark.parametrize("precision", DISTANCES)
def test_losses_are_finite_and_close_to_those_of_float32(
    precision: str, system: type[Fusion], boxes: Path, exact_losses: dict[bool, list[float]]
) -> None:
    sgd = precision == "16-true"  # what Adam divides by is beyond float16
    network, losses = fit(boxes, system, precision, sgd)
    assert len(losses) == STEPS
    assert np.isfinite(losses).all()
    expected = exact_losses[sgd]
    assert losses[0] == pytest.approx(expected[0], abs=1e-2)
    assert np.mean(expected[-5:]) < 0.9 * expected[0], "it learns"
    assert np.mean(losses[-5:]) == pytest.approx(np.mean(expected[-5:]), abs=DISTANCES[precision])
    assert all(weight.isfinite().all() for weight in network.parameters())


@pytest.mark.parametrize(
    "precision",
    [
        "bf16-mixed",
        "bf16-true",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("16-mixed", "16-true", "64-true")
        ),
    ],
)
def test_figures_of_the_same_weights_are_within_half_a_point(
    precision: str,
    system: type[Fusion],
    boxes: Path,
    trained: tuple[dict[str, Tensor], dict[str, float]],
) -> None:
    weights, expected = trained
    assert 30 < expected["overall_iou"] < 95
    assert expected["precision@0.5"] > 10
    found = figures(boxes, system, precision, weights)
    assert found == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    "precision", ["bf16-true", pytest.param("64-true", marks=pytest.mark.slow)]
)
def test_a_run_from_fit_to_segment(precision: str, photo: Path, tmp_path: Path) -> None:
    """Every verb takes the checkpoint; outside of the trainer it computes in float32."""
    chosen = ["--trainer.precision", precision]
    words = ["fit", "--config", "rmi.yaml", *TINY, *chosen, "--output", str(tmp_path / "run")]
    assert main(words) == 0
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    weights = torch.load(path, weights_only=True)["state_dict"]
    expected = {"bf16-true": torch.bfloat16, "64-true": torch.float64}[precision]
    assert {weight.dtype for weight in weights.values()} == {expected, torch.int64}
    evaluated = ["--ckpt_path", str(path), *chosen, "--trainer.logger=false"]
    if precision == "bf16-true":  # the rest is the same
        words = ["test", *evaluated, "--words", "--data.test_splits=[val]"]
        assert main([*words, "--output", str(tmp_path / "test")]) == 0
        curves = json.loads((tmp_path / "test" / "metrics.json").read_text())
        assert curves["words"]["val"]["1.0"] == curves["metrics"]["val"]
        assert main(["predict", *evaluated, "--output", str(tmp_path / "predict")]) == 0
        assert any((tmp_path / "predict" / "masks").rglob("*.png"))
    pipeline = refseg.load(path)
    assert {weight.dtype for weight in pipeline.segmenter.parameters()} == {torch.float32}
    assert 0 <= pipeline.segment(photo, "red circle").score <= 1
    assert len(pipeline.read(photo, "red circle").probabilities) == 2


def test_adam_in_float16_is_refused_before_the_first_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--trainer.precision=16-true"]
    assert main([*words, "--output", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "Expected an eps of AdamW that is more than 0 in float16" in message
    assert "--trainer.precision 16-mixed or bf16-true" in message
    assert "Traceback" not in message


def test_what_an_optimizer_divides_by() -> None:
    """Adam by hand: of a weight without a gradient, 0 / (√0 + eps)."""
    for dtype, epsilon in (
        (torch.float16, 1e-4),
        (torch.bfloat16, 1e-8),
        (torch.float64, 1e-8),
    ):
        weight = nn.Parameter(torch.ones(2, dtype=dtype))
        optimizer = torch.optim.Adam([weight], eps=epsilon)
        check_optimizer(optimizer)
        weight.grad = torch.tensor([0, 1], dtype=dtype)
        optimizer.step()
        assert weight.isfinite().all()
    weight = nn.Parameter(torch.ones(2, dtype=torch.float16))
    optimizer = torch.optim.Adam([weight])
    with pytest.raises(ConfigError, match=r"eps of Adam .* float16.* got 1e-08"):
        check_optimizer(optimizer)
    weight.grad = torch.tensor([0, 1], dtype=torch.float16)
    optimizer.step()
    assert weight.isnan().any()
    check_optimizer(torch.optim.SGD([weight]))


def test_weights_that_float16_cannot_hold_are_named() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    check_weights(network.half())
    network = network.float()
    network[1].running_var += 1e5
    check_weights(network)
    with pytest.raises(ConfigError, match=r"float16 can hold.*1\.running_var"):
        check_weights(network.half())


def test_what_torch_cannot_compute_is_said_in_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.cdist(*torch.ones(2, 2, 2, dtype=torch.float16))
    reason = missing_kernel(caught.value)
    assert reason is not None
    assert "'Half'" in reason
    assert "--trainer.precision 32-true" in reason
    assert missing_kernel(RuntimeError("size mismatch")) is None
    for raised, code in ((caught.value, 2), (RuntimeError("size mismatch"), None)):

        def fail(*_: object, error: RuntimeError = raised) -> int:
            raise error

        monkeypatch.setattr("refseg.cli.trainer.run.run_trainer", fail)
        if code is None:
            with pytest.raises(RuntimeError, match="size mismatch"):
                main(["fit"])
        else:
            assert main(["fit"]) == code
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.float32])
def test_a_layer_in_full_precision(dtype: torch.dtype) -> None:
    """Its weights are what they are; nothing else is rounded."""
    torch.manual_seed(0)
    layer, maps = nn.Conv2d(64, 3, 1).to(dtype), torch.randn(2, 64, 3, 4)
    assert layer.bias is not None
    exact = torch.einsum("nchw,dc->ndhw", maps.double(), layer.weight[:, :, 0, 0].double())
    exact += layer.bias.double()[:, None, None]
    with torch.autocast("cpu", torch.bfloat16):
        found = in_full_precision(layer, maps)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-6)
    found.sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == dtype

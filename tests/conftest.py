"""Fixtures for all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several, which share the cores: before torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from refseg.data.shapes import ShapesOptions, prepare_shapes

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# A shell starts its background jobs deaf to Ctrl-C, and so would be what tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A run of seconds: few and small images …
TINY_DATA = (
    "--data.shapes.train_images=12",
    "--data.shapes.evaluation_images=4",
    "--data.image_size=48",
    "--data.batch_size=4",
    "--data.num_workers=0",
    "--trainer.max_epochs=1",
    "--trainer.check_val_every_n_epoch=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.accelerator=cpu",
)
# … and a small network.
TINY = (
    *TINY_DATA,
    "--model.backbone.width=8",
    "--model.backbone.image_dim=8",
    "--model.backbone.colour_dim=4",
)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data and reference outputs, kept beside the checkout; else skip."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"{folder} is absent")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests generate out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As many as processes on one machine get each: the last bits of a sum follow their number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shapes_root(_own_cache: None) -> Path:
    """The images that `TINY` runs use."""
    return prepare_shapes(ShapesOptions(train_images=12, evaluation_images=4), progress=False)


@pytest.fixture(scope="session")
def photo(shapes_root: Path) -> Path:
    """A picture with shapes."""
    return min((shapes_root / "images" / "shapes").iterdir())


@pytest.fixture(scope="session")
def run(shapes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished `refseg fit`."""
    from refseg.__main__ import main

    folder = tmp_path_factory.mktemp("run")
    assert main(["fit", "--config", "rmi.yaml", *TINY, "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def eager(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that finds something everywhere; after three steps of `run` it finds nothing."""
    import torch

    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    weights = content["state_dict"]
    weights["segmenter.decoder.classifier.weight"] *= 30
    weights["segmenter.decoder.classifier.bias"].zero_()
    path = tmp_path_factory.mktemp("eager") / "eager.ckpt"
    torch.save(content, path)
    return path


@pytest.fixture(scope="session")
def foreign_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny text-to-mask models of transformers: `clipseg`, `grounding-dino`, `sam`, `sam3`."""
    pytest.importorskip("transformers")
    from .foreign_models import write_models

    folder = tmp_path_factory.mktemp("foreign")
    write_models(folder)
    return folder

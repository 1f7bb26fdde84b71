"""CLIP's ResNet against the numbers of CRIS's own code, and its files of weights."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.backbones import ClipResNet
from refseg.models.original.cris import cris_state
from refseg.types import Batch, Maps

from ...parity import Fixture, assert_close_in_scale, read, under
from ..variants import TINY_CLIP

LEVELS = ("v3", "v4", "v5")


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original's weights by our names."""
    own = {f"backbone.visual.{name}": weight for name, weight in weights.items()}
    return {name.removeprefix("backbone."): weight for name, weight in cris_state(own).items()}


def walk(backbone: ClipResNet, pixels: Tensor) -> Maps:
    """From normalised pixels to the maps of the neck."""
    current, kept = backbone.entry(pixels), []
    for stage in backbone.stages:
        current = stage(current)
        kept.append(current)
    height, width = pixels.shape[-2:]
    return backbone.neck(tuple(kept[stage] for stage in backbone.taps), (height, width))


@pytest.fixture
def fixture(shared: Path) -> Fixture:
    return read(shared / "parity" / "modern" / "cris_image.npz")[0]


@pytest.fixture
def backbone(fixture: Fixture) -> ClipResNet:
    network = ClipResNet(layers=(2, 1, 2, 1), width=8, heads=4, embed_dim=24, input_resolution=96)
    network.load_state_dict(renamed(under(fixture, "w/")))
    return network


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_maps_and_gradients_are_those_of_cris(
    mode: str, backbone: ClipResNet, fixture: Fixture
) -> None:
    """Positions of 3 × 3 cells are resized to 4 × 5."""
    backbone.train(mode == "train")
    pixels = fixture["in/image"].clone().requires_grad_()
    maps = walk(backbone, pixels)
    for name, each in zip(LEVELS, maps, strict=True):
        assert_close(each, fixture[f"out/{mode}/{name}"], atol=1e-5, rtol=1e-5)
    total = torch.stack(
        [(fixture[f"in/r/{name}"] * each).sum() for name, each in zip(LEVELS, maps, strict=True)]
    ).sum()
    total.backward()
    for name, expected in renamed(under(fixture, f"grad/{mode}/")).items():
        assert_close_in_scale(backbone.get_parameter(name).grad, expected)
    if mode == "train":
        after, state = renamed(under(fixture, "after/")), backbone.state_dict()
        for name, value in after.items():
            assert_close(state[name], value, atol=1e-5, rtol=1e-5)


def test_maps_between_the_stages(backbone: ClipResNet, fixture: Fixture) -> None:
    backbone.eval()
    current = backbone.entry(fixture["in/image"])
    assert_close(current, fixture["out/eval/at/avgpool"], atol=1e-5, rtol=1e-5)
    for number, stage in enumerate(backbone.stages, start=1):
        current = stage(current)
        if number in (1, 4):
            expected = fixture[f"out/eval/at/layer{number}"]
            assert_close(current, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "parameters"), [("RN50", 38_316_896), ("RN101", 56_259_936)])
def test_sizes_of_the_published_networks(name: str, parameters: int) -> None:
    """CLIP's visual parameters; the new convolution is none of them."""
    with torch.device("meta"):
        backbone = ClipResNet(name)  # type: ignore[arg-type]  # a name of the list above
    assert sum(parameter.numel() for parameter in backbone.trunk.parameters()) == parameters


def test_pixels_are_normalised_as_clip_does() -> None:
    backbone = ClipResNet(**TINY_CLIP)
    white = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    expected = [(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258]
    assert_close(backbone.normalization(white).flatten()[:2], torch.tensor(expected))


class TestWeights:
    """Files in which CLIP's weights come."""

    @pytest.fixture
    def visual(self) -> dict[str, Tensor]:
        torch.manual_seed(1)
        return ClipResNet(**TINY_CLIP).trunk.state_dict()

    def _file(self, visual: dict[str, Tensor], folder: Path) -> Path:
        """As CLIP has them: float16, beside those of the text."""
        halved = {f"visual.{name}": w.half() if w.ndim > 1 else w for name, w in visual.items()}
        path = folder / "clip.pt"
        torch.save({**halved, "text_projection": torch.zeros(2, 3)}, path)
        return path

    def test_of_a_whole_clip(self, visual: dict[str, Tensor], tmp_path: Path) -> None:
        backbone = ClipResNet(weights=str(self._file(visual, tmp_path)), **TINY_CLIP)
        for name, weight in backbone.trunk.state_dict().items():
            assert weight.dtype == visual[name].dtype
            assert_close(weight, visual[name], atol=1e-3, rtol=1e-3)
        assert backbone.origin["origin"] == "file"
        assert backbone.portable_arguments() == {"weights": None}

    def test_of_another_size_are_refused(self, visual: dict[str, Tensor], tmp_path: Path) -> None:
        path = str(self._file(visual, tmp_path))
        with pytest.raises(ConfigError, match=r"clip\.pt do not fit.*of another shape"):
            ClipResNet(weights=path, **{**TINY_CLIP, "embed_dim": 20})

    def test_archive_that_would_be_executed_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "RN50.pt"
        with pytest.warns(FutureWarning, match="deprecated"):
            torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(path))
        with pytest.raises(ConfigError, match=r"RN50\.pt is a TorchScript archive.*state_dict"):
            ClipResNet(weights=str(path), **TINY_CLIP)


@pytest.mark.parametrize(
    "wrong", [{"layers": (1, 1, 1)}, {"width": 3}, {"heads": 5}, {"input_resolution": 100}]
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        ClipResNet(**{**TINY_CLIP, **wrong})


def test_a_frozen_network_trains_the_new_convolution_only(
    make_batch: Callable[..., Batch],
) -> None:
    backbone = ClipResNet(frozen=True, **TINY_CLIP)
    backbone(make_batch().images)[-1].sum().backward()
    trained = {name for name, p in backbone.named_parameters() if p.grad is not None}
    assert trained == {"connect.0.weight", "connect.1.weight", "connect.1.bias"}

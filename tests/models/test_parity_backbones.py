"""The papers' backbones in full size and end to end, against the original TensorFlow graphs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from refseg.models.backbones import AtrousResNet, VGG16FullyConvolutional
from refseg.models.original.pretrained import from_original

from ..parity import Fixture, drawn, read, seeded
from .test_parity import channels_first, padded

pytestmark = pytest.mark.slow  # a minute each: they draw tens of millions of random numbers


def check_stage(fixture: Fixture, stage: str, size: str, maps: Tensor) -> None:
    """Compare what is known of a layer: some values, mean, deviation, largest and norm."""
    sample = maps[0, :8, ::2, ::2].permute(1, 2, 0)
    expected = fixture[f"stage_sample_{size}/{stage}"]
    assert_close(sample, expected, rtol=0, atol=2e-5 * expected.abs().max().item())
    values = maps.double()
    figures = [values.mean(), values.std(correction=0), values.abs().max(), values.norm()]
    assert_close(torch.stack(figures), fixture[f"stage_stats_{size}/{stage}"], rtol=1e-4, atol=1e-6)


def save(folder: Path, variables: dict[str, Tensor]) -> str:
    path = folder / "variables.npz"
    np.savez(path, **{name: value.numpy() for name, value in variables.items()})  # type: ignore[arg-type]
    return str(path)


@pytest.mark.parametrize("name", ["resnet", "deeplab"])
def test_resnet(shared: Path, tmp_path: Path, name: str) -> None:
    fixture, facts = read(shared / "parity" / f"backbone_{name}.npz")
    variables = drawn(facts)
    backbone = AtrousResNet(weights=save(tmp_path, variables))
    stages = ["pool1"] + [
        f"group_{g}_{i}" for g, n in enumerate((3, 4, 23, 3), start=2) for i in range(n)
    ]
    seen: dict[str, Tensor] = {}
    for stage, layer in zip(stages, list(backbone.trunk)[5:], strict=True):
        layer.register_forward_hook(
            lambda _, __, maps, stage=stage: seen.update({stage: maps.clone()})
        )
    for size in ("64x64", "61x83"):
        image = fixture[f"in/image_{size}"]
        height, width = map(int, size.split("x"))
        prefix = facts["seed_prefix"]
        assert torch.equal(image, seeded(prefix, f"image_{size}", [1, height, width, 3], 120, 10))
        features = backbone.trunk(channels_first(image))
        expected = fixture[f"out/res5c_{size}"].permute(2, 0, 1)
        assert_close(features[0], expected, rtol=0, atol=1e-3)
        checked = [stage for stage in stages if f"stage_stats_{size}/{stage}" in fixture]
        assert len(checked) == 10
        for stage in checked:
            check_stage(fixture, stage, size, seen[stage])
        if name == "resnet":
            kernel, bias = variables["ResNet/fc1000/DW"][0, 0], variables["ResNet/fc1000/biases"]
            logits = features[0].permute(1, 2, 0) @ kernel + bias
            expected = fixture[f"out/logits_every50_{size}"]
            assert_close(logits[..., ::50], expected, rtol=0, atol=1e-3)


def test_vgg(shared: Path, tmp_path: Path) -> None:
    fixture, facts = read(shared / "parity" / "backbone_vgg.npz")
    backbone = VGG16FullyConvolutional(weights=save(tmp_path, drawn(facts)))
    seen: dict[str, Tensor] = {}
    layers = {f"pool{i}": pool for i, pool in enumerate(
        (layer for layer in backbone.trunk if isinstance(layer, nn.MaxPool2d)), start=1
    )} | {"fc6": backbone.head[1], "fc7": backbone.head[3]}  # fmt: skip
    for stage, layer in layers.items():
        layer.register_forward_hook(
            lambda _, __, maps, stage=stage: seen.update({stage: maps.clone()})
        )
    for size in ("64x64", "96x160"):
        with torch.no_grad():
            features = backbone.head(backbone.trunk(channels_first(fixture[f"in/image_{size}"])))
        expected = fixture[f"out/fc8_{size}"].permute(2, 0, 1)
        assert (features[0] - expected).abs().max() <= 1e-4 * expected.abs().max()
        for stage in layers:
            check_stage(fixture, stage, size, seen[stage])


def test_crops_are_the_centre_of_the_map() -> None:
    """A crop of 224×224 pixels is seen whole by fc6: no padding is in its vector."""
    torch.manual_seed(0)
    backbone = VGG16FullyConvolutional(image_dim=5, hidden_dim=8, width=4)
    crops = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    centre = backbone(crops)[-1][:, :, 3:4, 3:4]
    assert_close(backbone.vectors(crops), centre, rtol=1e-4, atol=1e-4)


def test_image_and_words_to_score(shared: Path) -> None:
    fixture, facts = read(shared / "parity" / "rmi_e2e_resnet.npz")
    segmenter = from_original("rmi", drawn(facts))
    assert isinstance(segmenter.backbone, AtrousResNet)
    tokens, token_mask = padded(fixture["in/words"], "right")
    index = torch.zeros(2, dtype=torch.int64)
    pixels = channels_first(fixture["in/image"])  # with the mean taken away, no 8-bit numbers
    with torch.no_grad():
        features = segmenter.backbone.trunk(pixels)
        logits = segmenter.from_features(features, tokens, token_mask, index)
        assert_close(logits, fixture["out/pred"][..., 0], rtol=0, atol=1e-4)
        text = segmenter.text_encoder(tokens, token_mask)
        fused = segmenter.fusion((features,), text, index)
        enlarged = segmenter.decoder(fused, text, (64, 96)).logits
    assert_close(enlarged, fixture["out/up"][..., 0], rtol=0, atol=1e-4)

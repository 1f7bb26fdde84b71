"""RMI's ResNet: its padding by hand, its strides and dilations, what is trained."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.backbones import AtrousResNet
from refseg.models.backbones.atrous_resnet import SamePadding


@pytest.mark.parametrize(
    ("size", "kernel", "before", "after"),
    [(320, 7, 2, 3), (160, 3, 0, 1), (61, 7, 3, 3), (31, 3, 1, 1), (5, 1, 0, 0)],
)
def test_padding_of_tensorflow(size: int, kernel: int, before: int, after: int) -> None:
    row = torch.ones(1, 1, size, size)
    padded = SamePadding(kernel, 2)(row)[0, 0]
    assert padded.shape == (before + size + after,) * 2
    inside = slice(before, before + size)
    assert padded[inside, inside].all()
    assert padded.sum() == size**2
    assert nn.MaxPool2d(kernel, 2)(padded[None, None]).shape[-1] == -(-size // 2)


def test_strides_and_dilations_of_every_block() -> None:
    trunk = AtrousResNet(blocks=(1, 2, 2, 2), width=4).trunk
    found = [
        (block.conv1.stride[0], block.conv2.stride[0], block.conv2.dilation[0])
        for block in list(trunk)[6:]
    ]
    assert found == [(1, 1, 1), (2, 1, 1), (1, 1, 1), (1, 1, 2), (1, 1, 2), (1, 1, 4), (1, 1, 4)]


def test_default_is_resnet_101() -> None:
    backbone = AtrousResNet()
    layers = [m for m in backbone.modules() if isinstance(m, nn.Conv2d) and m.kernel_size[0] > 1]
    assert len(layers) == 1 + 3 + 4 + 23 + 3
    assert sum(p.numel() for p in backbone.parameters()) == 42_394_816
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_normalisation_is_constant_even_if_trained() -> None:
    backbone = AtrousResNet(frozen=False, blocks=(1, 1, 1, 1), width=4).train()
    before = {name: buffer.clone() for name, buffer in backbone.named_buffers()}
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    backbone(images)[-1].sum().backward()
    assert all(torch.equal(before[name], buffer) for name, buffer in backbone.named_buffers())
    kinds = {type(module).__name__ for module in backbone.modules() if "Norm" in str(type(module))}
    assert kinds == {"Normalization", "FrozenBatchNorm2d"}
    for parameter in backbone.parameters():
        assert parameter.grad is not None


def test_pixels_are_bgr_minus_the_mean() -> None:
    pixel = torch.tensor([255, 51, 0], dtype=torch.uint8)[None, :, None, None]
    normalized = AtrousResNet(blocks=(1, 1, 1, 1), width=4).normalization(pixel).flatten()
    assert_close(
        normalized,
        torch.tensor([0, 51, 255.0]) - torch.tensor([104.007, 116.6688, 122.6789]),
        rtol=0,
        atol=1e-3,
    )


def test_the_originals_variables_at_another_width(tmp_path: Path) -> None:
    """Written by hand in TensorFlow's layout, they come back; other widths are named."""
    narrow = {"blocks": (1, 1, 1, 1), "width": 4}
    backbone = AtrousResNet(**narrow)  # type: ignore[arg-type]
    state = backbone.state_dict()
    scopes = {"trunk.1": "group_1/conv1", "trunk.2": "group_1/bn_conv1"}
    for group in range(2, 6):
        theirs = {"1": "block_1", "2": "block_2", "3": "block_3"}
        for number, name in theirs.items():
            scopes[f"trunk.{group + 4}.conv{number}"] = f"group_{group}_0/{name}/conv"
            scopes[f"trunk.{group + 4}.bn{number}"] = f"group_{group}_0/{name}/bn"
        scopes[f"trunk.{group + 4}.downsample.0"] = f"group_{group}_0/block_add/conv"
        scopes[f"trunk.{group + 4}.downsample.1"] = f"group_{group}_0/block_add/bn"
    kinds = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "variance"}
    variables = {}
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        if value.ndim == 4:
            variables[f"ResNet/{scopes[layer]}/DW"] = value.permute(2, 3, 1, 0).numpy()
        else:
            state[name] = torch.rand_like(value) + 0.5
            variables[f"ResNet/{scopes[layer]}/{kinds[kind]}"] = state[name].numpy()
    backbone.load_state_dict(state)
    path = str(tmp_path / "resnet.npz")
    np.savez(path, **variables)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    again = AtrousResNet(path, **narrow)  # type: ignore[arg-type]
    assert torch.equal(again(images)[-1], backbone(images)[-1])
    with pytest.raises(ConfigError, match=r"block_1/conv/DW \(expected \(1, 1, 64, 8\), got"):
        AtrousResNet(path, blocks=(1, 1, 1, 1), width=8)

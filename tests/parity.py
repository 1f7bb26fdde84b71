"""Reading the fixtures that hold inputs, weights and outputs of the papers' own code."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.testing import assert_close

Fixture = Mapping[str, Tensor]
Facts = dict[str, Any]


def read(path: Path) -> tuple[Fixture, Facts]:
    """The arrays of a fixture, and what is said about them."""
    with np.load(path, allow_pickle=False) as arrays:
        tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files if name != "meta"}
        facts = json.loads(bytes(arrays["meta"])) if "meta" in arrays.files else {}
    return tensors, facts


def under(fixture: Fixture, prefix: str) -> dict[str, Tensor]:
    """The part of a fixture whose names start with a prefix, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in fixture.items()
        if name.startswith(prefix)
    }


def seeded(prefix: str, name: str, shape: list[int], scale: float, shift: float = 0.0) -> Tensor:
    """The random numbers that stand in for weights too large to be stored."""
    generator = np.random.RandomState(zlib.crc32(f"refseg-parity-1|{prefix}/{name}".encode()))
    values = shift + scale * (2 * generator.random_sample(shape) - 1)
    return torch.from_numpy(values.astype(np.float32))


def drawn(facts: Facts) -> dict[str, Tensor]:
    """All weights of a fixture that are drawn, checked against what is known of them."""
    weights = {}
    for row in facts["draws"]:
        prefix, (name, shape, scale, shift, total, first, last) = (
            (row[0], row[1:]) if len(row) == 8 else (facts["seed_prefix"], row)
        )
        name, _, remark = name.partition(" ")
        value = seeded(prefix, name, shape, scale, shift)
        if "max(.,0)" in remark:
            value = value.clamp(min=0)
        flat = value.flatten()
        assert (flat[0].item(), flat[-1].item()) == (first, last), name
        assert abs(value.sum(dtype=torch.float64).item() - total) < 1e-6 * max(1, abs(total)), name
        weights[name] = value
    return weights


def unpacked(bits: Tensor, width: int) -> Tensor:
    """A mask whose rows are packed, eight pixels in a byte."""
    return torch.from_numpy(np.unpackbits(bits.numpy(), axis=-1)[..., :width].astype(np.bool_))


def unpacked_flat(bits: Tensor, shape: list[int]) -> Tensor:
    """Masks that are packed as one sequence of pixels."""
    flat = np.unpackbits(bits.numpy())[: int(np.prod(shape))]
    return torch.from_numpy(flat.reshape(shape).astype(np.bool_))


def synthetic_image(seed: int, height: int, width: int) -> np.ndarray:
    """A picture of integers, the same everywhere."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    channels = []
    for channel in range(3):
        a, b, d = 1 + (seed + channel) % 3, 1 + (2 * seed + channel) % 4, 7 + 5 * channel + seed
        value = (a * x * 256 // width + b * y * 256 // height + (x * y) // d + 40 * channel) % 512
        value = np.where(value > 255, 511 - value, value)
        texture = ((x * 13 + y * 7 + channel * 5 + seed) % 17) * 15
        channels.append((value * 3 + texture) // 4)
    return np.stack(channels, -1).astype(np.uint8)


def synthetic_mask(seed: int, height: int, width: int) -> np.ndarray:
    """A shape of integers: an ellipse, a bar, a border, blocks, or a diagonal."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    kind = seed % 5
    if kind == 0:
        ellipse = (2 * x - width) ** 2 * height**2 + (2 * y - height) ** 2 * width**2
        return ellipse < (width * height) ** 2 // 3
    if kind == 1:
        inside = (x >= width // 3) & (x < width // 3 + 1 + seed % 3)
        return inside & (y > height // 5) & (y < height - 3)
    if kind == 2:
        return (y < height // 4) | ((x > width - 9) & (y < height // 2))
    if kind == 3:
        return ((x // 11 + y // 13) % 5 == 0) & (x + y < (width + height) // 2)
    return (np.abs(x * height - y * width) < 3 * width) & (x > 4)


def assert_close_in_scale(actual: Tensor | None, expected: Tensor, tolerance: float = 1e-4) -> None:
    """Differences are at most this share of the largest value: a sum of many is rounded as such."""
    assert actual is not None
    scale = max(1.0, expected.abs().max().item())
    assert_close(actual / scale, expected / scale, atol=tolerance, rtol=tolerance)

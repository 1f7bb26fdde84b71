"""Swin in the transformers library, stage by stage, against the numbers of LAVT's Swin."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from refseg.errors import CheckpointError
from refseg.models.backbones.swin import SwinWalk
from refseg.models.original.swin import swin_state

from ...parity import read, under

transformers = pytest.importorskip("transformers")
ALL = [f"stage{number}" for number in range(1, 5)]


def swin(**options: object) -> Any:  # noqa: ANN401 - theirs has no types
    config = transformers.SwinConfig(
        image_size=32, window_size=4, drop_path_rate=0.0, out_features=ALL, **options
    )
    return transformers.SwinBackbone(config).eval()


@pytest.mark.parametrize(("name", "heads", "size"), [
    ("lavt_stage_padded", 3, (10, 7)),
    ("lavt_stage_last", 2, (8, 8)),
])  # fmt: skip
def test_the_blocks_of_a_stage(name: str, heads: int, size: tuple[int, int], shared: Path) -> None:
    """Windows that are padded and shifted; merging of an odd number of columns."""
    fixture, _ = read(shared / "parity" / "modern" / f"{name}.npz")
    dim = fixture["in/x"].shape[2]
    trunk = swin(embed_dim=dim, depths=[2, 2, 1, 1], num_heads=[heads] * 4)
    weights = {f"layers.0.{name}": w for name, w in under(fixture, "w/").items()}
    of_swin = {n: w for n, w in weights.items() if "fusion" not in n and "res_gate" not in n}
    state = swin_state(of_swin, trunk.state_dict())
    assert not trunk.load_state_dict(state, strict=False).unexpected_keys
    seen = fixture["in/x"].transpose(1, 2).unflatten(2, size)
    first, second = SwinWalk(trunk).stages[:2]
    expected = fixture["out/block1"]
    assert_close(first(seen).flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=1e-5)
    if name == "lavt_stage_padded":
        shown = expected + fixture["out/gate"] * fixture["out/fused"]
        merged = second.before(shown, size)  # type: ignore[attr-defined]  # of ours
        assert_close(merged, fixture["out/next"], atol=1e-5, rtol=1e-5)


def test_patches(shared: Path) -> None:
    fixture, _ = read(shared / "parity" / "modern" / "lavt_whole.npz")
    trunk = swin(embed_dim=16, depths=[2] * 4, num_heads=[2, 2, 4, 4])
    weights = under(fixture, "w/backbone.")
    of_swin = {n: w for n, w in weights.items() if "patch_embed" in n}
    trunk.load_state_dict(swin_state(of_swin, trunk.state_dict()), strict=False)
    patches = SwinWalk(trunk).stem(fixture["in/image"])
    assert_close(patches, fixture["out/eval/patches"], atol=1e-5, rtol=1e-5)


def test_stage_after_stage_is_the_whole_network() -> None:
    """With their norms, the stages' maps are those that the library computes at once."""
    torch.manual_seed(0)
    trunk = swin(embed_dim=8, depths=[2, 1, 2, 1], num_heads=[2] * 4)
    pixels = torch.randn(2, 3, 52, 76)  # 13 × 19 patches
    current = SwinWalk(trunk).stem(pixels)
    for stage, name, expected in zip(
        SwinWalk(trunk).stages, ALL, trunk(pixels).feature_maps, strict=True
    ):
        current = stage(current)
        normalized = trunk.hidden_states_norms[name](current.permute(0, 2, 3, 1))
        assert_close(normalized.permute(0, 3, 1, 2), expected)


def test_names_of_earlier_releases_of_the_library() -> None:
    prefix = "swin.encoder.layers.0.blocks.0"
    known = [
        f"{prefix}.{part}"
        for part in (
            "attention.self.query.bias",
            "attention.self.key.bias",
            "attention.self.value.bias",
            "attention.self.relative_position_bias_table",
            "attention.output.dense.bias",
            "intermediate.dense.bias",
            "output.dense.bias",
            "layernorm_before.bias",
        )
    ]
    names = ("attn.qkv.bias", "attn.relative_position_bias_table", "attn.proj.bias")
    names += ("mlp.fc1.bias", "mlp.fc2.bias", "norm1.bias")
    weights = {f"layers.0.blocks.0.{name}": torch.arange(6.0) for name in names}
    state = swin_state(weights, known)
    assert sorted(state) == sorted(known)
    assert state[f"{prefix}.attention.self.key.bias"].tolist() == [2.0, 3.0]


def test_weights_of_a_deeper_network_are_refused() -> None:
    trunk = swin(embed_dim=8, depths=[1] * 4, num_heads=[2] * 4)
    weights = {"layers.0.blocks.5.norm1.weight": torch.ones(8)}
    with pytest.raises(CheckpointError, match=r"got (swin\.)?encoder\.layers\.0\.blocks\.5"):
        swin_state(weights, trunk.state_dict())

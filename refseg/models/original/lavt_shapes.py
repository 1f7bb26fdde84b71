"""The sizes of LAVT's networks from the shapes of their weights, and the shapes from the sizes."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from refseg.errors import ConfigError
from refseg.models.original.shapes import Shape

STAGES = 4
ATTENTION = {
    "image_lang_att.f_query.0": "query",
    "image_lang_att.f_key.0": "key",
    "image_lang_att.f_value.0": "value",
    "image_lang_att.W.0": "attended",
    "vis_project.0": "seen",
    "project_mm.0": "mixed",
}
"""The layers of the pixel-word attention: the original's names and ours."""

NORM = ("weight", "bias")
BATCH_NORM = (*NORM, "running_mean", "running_var")
_CHANNELS_OF_A_HEAD = 64  # in every BERT that was published


def _shape(weights: Mapping[str, Tensor], name: str, axes: int) -> tuple[int, ...]:
    """The shape of a weight that sizes are read off."""
    if name not in weights or weights[name].ndim != axes:
        got = tuple(weights[name].shape) if name in weights else "none"
        raise ConfigError(
            f"Expected LAVT's weight {name}, of {axes} axes, got {got}; use a file that its "
            "train.py wrote."
        )
    return tuple(weights[name].shape)


def swin_sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of a `SwinConfig`."""
    embed_dim, _, patch, _ = _shape(weights, "backbone.patch_embed.proj.weight", 4)
    tables = [
        _shape(weights, f"backbone.layers.{i}.blocks.0.attn.relative_position_bias_table", 2)
        for i in range(STAGES)
    ]
    hidden, _ = _shape(weights, "backbone.layers.0.blocks.0.mlp.fc1.weight", 2)
    return {
        "patch_size": patch,
        "embed_dim": embed_dim,
        "depths": [
            _count(weights, f"backbone.layers.{i}.blocks.", ".norm1.weight") for i in range(STAGES)
        ],
        "num_heads": [heads for _, heads in tables],
        "window_size": (round(tables[0][0] ** 0.5) + 1) // 2,
        "mlp_ratio": hidden / embed_dim,
    }


def _count(weights: Mapping[str, Tensor], prefix: str, suffix: str) -> int:
    """How many modules there are, numbered from 0: one more than the largest number."""
    found = [
        int(number)
        for name in weights
        if name.startswith(prefix) and name.endswith(suffix)
        for number in [name.removeprefix(prefix).removesuffix(suffix)]
        if number.isdecimal()
    ]
    return max(found, default=0) + 1


def bert_sizes(text: Mapping[str, Tensor]) -> dict[str, int]:
    """The arguments of a `BertConfig`."""
    vocab_size, hidden = _shape(text, "embeddings.word_embeddings.weight", 2)
    intermediate, _ = _shape(text, "encoder.layer.0.intermediate.dense.weight", 2)
    return {
        "vocab_size": vocab_size,
        "hidden_size": hidden,
        "num_hidden_layers": _count(text, "encoder.layer.", ".output.dense.weight"),
        "num_attention_heads": max(1, hidden // _CHANNELS_OF_A_HEAD),
        "intermediate_size": intermediate,
        "max_position_embeddings": _shape(text, "embeddings.position_embeddings.weight", 2)[0],
        "type_vocab_size": _shape(text, "embeddings.token_type_embeddings.weight", 2)[0],
    }


def _layer(name: str, *shape: int) -> dict[str, Shape]:
    """A linear layer or a convolution with a bias."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _norm(name: str, dim: int) -> dict[str, Shape]:
    return {f"{name}.{kind}": (dim,) for kind in NORM}


def _dims(swin: Mapping[str, Any]) -> list[int]:
    return [swin["embed_dim"] * 2**stage for stage in range(STAGES)]


def swin_patterns(swin: Mapping[str, Any]) -> dict[str, Shape]:
    """The shapes of all weights of the Swin."""
    dims, patch, window = _dims(swin), swin["patch_size"], swin["window_size"]
    patterns = _layer("backbone.patch_embed.proj", dims[0], 3, patch, patch)
    patterns |= _norm("backbone.patch_embed.norm", dims[0])
    for stage, (dim, depth, heads) in enumerate(
        zip(dims, swin["depths"], swin["num_heads"], strict=True)
    ):
        hidden = int(swin["mlp_ratio"] * dim)
        for number in range(depth):
            block = f"backbone.layers.{stage}.blocks.{number}"
            patterns |= _norm(f"{block}.norm1", dim) | _norm(f"{block}.norm2", dim)
            patterns |= _layer(f"{block}.attn.qkv", 3 * dim, dim)
            patterns |= _layer(f"{block}.attn.proj", dim, dim)
            patterns |= _layer(f"{block}.mlp.fc1", hidden, dim)
            patterns |= _layer(f"{block}.mlp.fc2", dim, hidden)
            table = f"{block}.attn.relative_position_bias_table"
            patterns[table] = ((2 * window - 1) ** 2, heads)
            patterns[f"{block}.attn.relative_position_index"] = (window**2, window**2)
        if stage < STAGES - 1:
            merging = f"backbone.layers.{stage}.downsample"
            patterns[f"{merging}.reduction.weight"] = (2 * dim, 4 * dim)
            patterns |= _norm(f"{merging}.norm", 4 * dim)
    return patterns


def fusion_patterns(swin: Mapping[str, Any], word_dim: int) -> dict[str, Shape]:
    """The shapes of what speaks after each stage of the Swin: attention, gate and norm."""
    patterns: dict[str, Shape] = {}
    for stage, dim in enumerate(_dims(swin)):
        for theirs, ours in ATTENTION.items():
            inputs = word_dim if ours in {"key", "value"} else dim
            patterns |= _layer(f"backbone.layers.{stage}.fusion.{theirs}", dim, inputs, 1)
        for number in (0, 2):
            patterns[f"backbone.layers.{stage}.res_gate.{number}.weight"] = (dim, dim)
        patterns |= _norm(f"backbone.norm{stage}", dim)
    return patterns


def decoder_patterns(swin: Mapping[str, Any]) -> dict[str, Shape]:
    """The shapes of the decoder of that Swin."""
    dims = _dims(swin)
    hidden = width = dims[-1] // 2
    patterns = _layer("classifier.conv1_1", 2, hidden, 1, 1)
    above = dims[-1]
    for number, dim in zip((4, 3, 2), dims[-2::-1], strict=True):
        for half, inputs in ((1, above + dim), (2, width)):
            patterns[f"classifier.conv{half}_{number}.weight"] = (hidden, inputs, 3, 3)
            norm = f"classifier.bn{half}_{number}"
            patterns |= {f"{norm}.{kind}": (hidden,) for kind in BATCH_NORM}
        above = hidden
    return patterns


def bert_patterns(bert: Mapping[str, int]) -> dict[str, Shape]:
    """The shapes of BERT without its pooler."""
    dim, inner = bert["hidden_size"], bert["intermediate_size"]
    patterns: dict[str, Shape] = {
        "embeddings.word_embeddings.weight": (bert["vocab_size"], dim),
        "embeddings.position_embeddings.weight": (bert["max_position_embeddings"], dim),
        "embeddings.token_type_embeddings.weight": (bert["type_vocab_size"], dim),
        **_norm("embeddings.LayerNorm", dim),
    }
    for number in range(bert["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            patterns |= _layer(f"{layer}.attention.self.{part}", dim, dim)
        patterns |= _layer(f"{layer}.attention.output.dense", dim, dim)
        patterns |= _norm(f"{layer}.attention.output.LayerNorm", dim)
        patterns |= _layer(f"{layer}.intermediate.dense", inner, dim)
        patterns |= _layer(f"{layer}.output.dense", dim, inner)
        patterns |= _norm(f"{layer}.output.LayerNorm", dim)
    return patterns

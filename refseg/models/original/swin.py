"""Swin's weights as Microsoft's code names them, in the modules of the transformers library."""

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from refseg.errors import CheckpointError

_ENCODER = "swin.encoder.layers."
_BLOCK = re.compile(r"layers\.(\d+)\.blocks\.(\d+)\.(.+)\.(\w+)")
_PARTS = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "attn.proj": "attention.o_proj",
}
_EMBEDDINGS = {
    "patch_embed.proj": "swin.embeddings.patch_embeddings.projection",
    "patch_embed.norm": "swin.embeddings.norm",
}
# Names that release 5.0 of transformers has.
_OLDER = {
    "attention.q_proj": "attention.self.query",
    "attention.k_proj": "attention.self.key",
    "attention.v_proj": "attention.self.value",
    "attention.o_proj": "attention.output.dense",
    "attention.relative_position_bias.": "attention.self.",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def swin_state(weights: Mapping[str, Tensor], known: Collection[str]) -> dict[str, Tensor]:
    """The weights of a `SwinBackbone` of the transformers library.

    Fused queries, keys and values are taken apart; what is computed from the window's size alone
    (`relative_position_index`) is left out. A norm of the last map or a classifier is not read.

    Args:
        weights: by the names of microsoft/Swin-Transformer: `patch_embed.*`, `layers.*.blocks.*`,
            `layers.*.downsample.*`.
        known: names of the parameters of the backbone that they are for.

    Raises:
        CheckpointError: a weight has no place there.
    """
    state: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if not name.endswith(("relative_position_index", "attn_mask")):
            state |= _renamed(name, weight)
    if not any(name.startswith(_ENCODER) for name in known):
        state = {name.removeprefix("swin."): weight for name, weight in state.items()}
    if not set(state) <= set(known):
        state = {_older(name): weight for name, weight in state.items()}
    foreign = sorted(set(state) - set(known))
    if foreign:
        raise CheckpointError(
            f"Expected the weights of a Swin of the same depth, got {foreign[0]}, which the "
            f"backbone does not have ({len(foreign)} of {len(state)} names)."
        )
    return state


def _renamed(name: str, weight: Tensor) -> dict[str, Tensor]:
    part, _, kind = name.rpartition(".")
    if part in _EMBEDDINGS:
        return {f"{_EMBEDDINGS[part]}.{kind}": weight}
    found = _BLOCK.fullmatch(name)
    if found is None:
        return {f"swin.encoder.{name}": weight}  # merging
    layer, block, inner, kind = found.groups()
    prefix = f"{_ENCODER}{layer}.blocks.{block}"
    if inner == "attn.qkv":
        parts = zip("qkv", weight.chunk(3), strict=True)
        return {f"{prefix}.attention.{letter}_proj.{kind}": cut for letter, cut in parts}
    if kind == "relative_position_bias_table":
        return {f"{prefix}.attention.relative_position_bias.{kind}": weight}
    return {f"{prefix}.{_PARTS.get(inner, inner)}.{kind}": weight}


def _older(name: str) -> str:
    for today, before in _OLDER.items():
        if f".{today}" in name:
            return name.replace(today, before)
    return name

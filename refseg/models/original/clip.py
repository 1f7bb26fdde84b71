"""CLIP's text weights as OpenAI's code names them, in the modules of the transformers library."""

from collections.abc import Mapping

from torch import Tensor

_LAYERS = "transformer.resblocks."
_PARTS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
_OTHERS = {
    "token_embedding.weight": "trunk.embeddings.token_embedding.weight",
    "positional_embedding": "trunk.embeddings.position_embedding.weight",
    "ln_final.weight": "trunk.final_layer_norm.weight",
    "ln_final.bias": "trunk.final_layer_norm.bias",
}


def clip_text_state(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a `ClipTextEncoder`; those of the image tower are left out.

    Args:
        weights: by OpenAI's names: `token_embedding.weight`, `transformer.resblocks.*`, ...
    """
    state: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name in _OTHERS:
            state[_OTHERS[name]] = weight
        elif name == "text_projection":
            state["projection.weight"] = weight.T.contiguous()
        elif name.startswith(_LAYERS):
            number, _, inner = name.removeprefix(_LAYERS).partition(".")
            state |= _of_layer(f"trunk.encoder.layers.{number}", inner, weight)
    return state


def _of_layer(prefix: str, inner: str, weight: Tensor) -> dict[str, Tensor]:
    if inner.startswith("attn.in_proj_"):
        kind = inner.removeprefix("attn.in_proj_")
        parts = zip("qkv", weight.chunk(3), strict=True)
        return {f"{prefix}.self_attn.{letter}_proj.{kind}": cut for letter, cut in parts}
    part, _, kind = inner.rpartition(".")
    return {f"{prefix}.{_PARTS.get(part, part)}.{kind}": weight}

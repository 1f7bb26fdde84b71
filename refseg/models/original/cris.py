"""CRIS's weights as its own code names them, in the parts of refseg."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from refseg.errors import ConfigError
from refseg.models.original.clip import clip_text_state
from refseg.models.original.heads import OriginalModel

PREFIX = "module."  # of every name in a published file, by DistributedDataParallel
_UNUSED = "backbone.logit_scale"  # CLIP's; CRIS compares nothing with it

# Of several names that a name starts with, the first counts.
_PLACES = {
    "backbone.visual.attnpool.connect.": "backbone.connect.",
    "backbone.visual.": "backbone.trunk.",
    "neck.txt_proj.": "fusion.neck.sentence.",
    "neck.f1_v_proj.": "fusion.neck.coarsest.",
    "neck.norm_layer.": "fusion.neck.multiplied.",
    "neck.f2_v_proj.": "fusion.neck.laterals.0.",
    "neck.f2_cat.": "fusion.neck.merges.0.",
    "neck.f3_v_proj.": "fusion.neck.laterals.1.",
    "neck.f3_cat.": "fusion.neck.merges.1.",
    "neck.f4_proj5.": "fusion.neck.outputs.0.",
    "neck.f4_proj4.": "fusion.neck.outputs.1.",
    "neck.f4_proj3.": "fusion.neck.outputs.2.",
    "neck.aggr.": "fusion.neck.aggregation.",
    "neck.coordconv.0.conv1.0.": "fusion.neck.located.convolution.",
    "neck.coordconv.0.conv1.1.": "fusion.neck.located.normalization.",
    "neck.coordconv.1.": "fusion.neck.smoothing.",
    "decoder.norm.": "fusion.normalization.",
    "proj.vis.1.": "decoder.enlarged_twice.",
    "proj.vis.3.": "decoder.enlarged_four_times.",
    "proj.vis.4.": "decoder.projection.",
    "proj.txt.": "decoder.classifier.",
}
_LAYER = re.compile(r"decoder\.layers\.(\d+)\.(\w+)\.(.+)")
_PARTS = {
    "norm1": "before_cells",
    "self_attn": "cells",
    "self_attn_norm": "after_cells",
    "norm2": "before_words",
    "multihead_attn": "words",
    "cross_attn_norm": "after_words",
    "norm3": "before_feedforward",
    "ffn": "feedforward",
}


def cris_state(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a `Segmenter` of CRIS's parts.

    Args:
        weights: by the names of CRIS's code, with or without `module.` before them.

    Raises:
        ConfigError: a name is none of CRIS's.
    """
    state: dict[str, Tensor] = {}
    foreign: list[str] = []
    for given, weight in weights.items():
        name = given.removeprefix(PREFIX)
        if name == _UNUSED:
            continue
        of_text = clip_text_state({name.removeprefix("backbone."): weight})
        ours = _renamed(name)
        if name.startswith("backbone.") and of_text:
            state |= {f"text_encoder.{place}": each for place, each in of_text.items()}
        elif ours is not None:
            state[ours] = weight
        else:
            foreign.append(given)
    if foreign:
        raise ConfigError(
            f"Expected the weights of CRIS, got {foreign[0]}, which its code does not have "
            f"({len(foreign)} of {len(weights)} names)."
        )
    return state


def translate_cris(weights: Mapping[str, Tensor], heads: int = 8) -> OriginalModel:
    """CRIS in terms of refseg: its parts with the sizes that the weights have.

    Args:
        weights: by the names of CRIS's code, with or without `module.` before them.
        heads: of the vision-language decoder, which no weight shows; 8 in all of CRIS's recipes.

    Raises:
        ConfigError: weights are missing, superfluous or misshapen.
    """
    state = cris_state(weights)
    own = {name.removeprefix(PREFIX): weight for name, weight in weights.items()}
    try:
        parts = _parts(own, heads)
        vocab_size = own["backbone.token_embedding.weight"].shape[0]
    except KeyError as error:
        raise ConfigError(
            f"Expected the weights of CRIS, but {error.args[0]} is missing."
        ) from None
    return OriginalModel(parts, vocab_size, state)


def _renamed(name: str) -> str | None:
    found = _LAYER.fullmatch(name)
    if found is not None:
        number, part, rest = found.groups()
        return f"fusion.layers.{number}.{_PARTS[part]}.{rest}" if part in _PARTS else None
    for theirs, ours in _PLACES.items():
        if name.startswith(theirs):
            return name.replace(theirs, ours, 1)
    return None


def _parts(own: Mapping[str, Tensor], heads: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each part's class, and its arguments as the shapes tell them."""
    visual, text = "backbone.visual.", "backbone.transformer.resblocks."
    width = own[f"{visual}conv3.weight"].shape[0]
    positions, deepest = own[f"{visual}attnpool.positional_embedding"].shape
    text_width, embed_dim = own["backbone.text_projection"].shape
    hidden_dim = own["neck.aggr.0.weight"].shape[0]
    feedforward_dim = own["decoder.layers.0.ffn.0.weight"].shape[0]
    backbone = {
        "layers": [_count(own, f"{visual}layer{stage}.") for stage in range(1, 5)],
        "width": width,
        "heads": max(1, deepest // 64),
        "embed_dim": embed_dim,
        "input_resolution": 32 * round((positions - 1) ** 0.5),
    }
    text_encoder = {
        "width": text_width,
        "layers": _count(own, text),
        "projection_dim": embed_dim,
        "positions": own["backbone.positional_embedding"].shape[0],
    }
    fusion = {
        "hidden_dim": hidden_dim,
        "fine_dim": own["neck.f3_v_proj.0.weight"].shape[0],
        "coarse_dim": own["neck.f1_v_proj.0.weight"].shape[0],
        "layers": _count(own, "decoder.layers."),
        "heads": heads,
        "feedforward_dim": feedforward_dim,
    }
    decoder = {"hidden_dim": own["proj.vis.4.weight"].shape[0]}
    return {
        "backbone": ("ClipResNet", backbone),
        "text_encoder": ("ClipTextEncoder", text_encoder),
        "fusion": ("CrossModalTransformer", fusion),
        "decoder": ("TextKernelDecoder", decoder),
    }


def _count(own: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbers follow a prefix."""
    numbers = {name.removeprefix(prefix).split(".")[0] for name in own if name.startswith(prefix)}
    return len(numbers)

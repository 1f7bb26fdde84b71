"""CRIS's weights as its own code names them, in the parts of refseg."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from refseg.errors import ConfigError
from refseg.models.original.clip import clip_text_state
from refseg.models.original.cris_shapes import UNUSED, cris_patterns, cris_sizes
from refseg.models.original.heads import OriginalModel, prefixed
from refseg.models.original.shapes import infer_widths

_OF_CLIP = "backbone."
_PREFIX = "module."  # of every name in a published file, by DistributedDataParallel
_NOTES = (
    "Left out: CLIP's logit_scale, which nothing depends on.",
    "Sentences are cut after 22 tokens, as theirs of RefCOCOg; of RefCOCO and RefCOCO+, after 17.",
)

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


def translate_cris(content: Mapping[str, Any], heads: int = 8) -> OriginalModel:
    """The network of a file of CRIS, with its weights.

    Args:
        content: of the file: the weights are its `state_dict`; or the weights themselves.
        heads: of the vision-language decoder, which no weight shows; 8 in all of CRIS's recipes.

    Raises:
        ConfigError: weights are missing, superfluous or misshapen; the message names them all.
    """
    weights = _weights(content)
    sizes = cris_sizes(weights)
    infer_widths(cris_patterns(sizes), weights)
    parts: dict[str, tuple[str, dict[str, Any]]] = {
        "backbone": ("ClipResNet", {**sizes.visual}),
        "text_encoder": ("ClipTextEncoder", {**sizes.text}),
        "fusion": ("CrossModalTransformer", {**sizes.fusion, "heads": heads}),
        "decoder": ("TextKernelDecoder", {"hidden_dim": sizes.kernel_dim}),
    }
    # The border is about the mean colour, which theirs is.
    transform = {"image_size": 416, "fill": 115, "resampling": "cubic"}
    state = cris_state(weights)
    return OriginalModel(parts, sizes.vocab_size, state, transform, 22, clean=True, notes=_NOTES)


def cris_state(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a `Segmenter` of CRIS's parts; names that are none of CRIS's are left out.

    Args:
        weights: by the names of CRIS's code.
    """
    state: dict[str, Tensor] = {}
    for name, weight in weights.items():
        ours = _renamed(name)
        if ours is not None:
            state[ours] = weight
        elif name.startswith(_OF_CLIP) and name != UNUSED:
            of_text = clip_text_state({name.removeprefix(_OF_CLIP): weight})
            state |= prefixed("text_encoder", of_text)
    return {n: w.float() if w.is_floating_point() else w for n, w in state.items()}


def _weights(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """By the names of CRIS's code, without what comes before them."""
    found = content.get("state_dict", content)
    if not isinstance(found, Mapping) or not all(isinstance(w, Tensor) for w in found.values()):
        raise ConfigError(
            "Expected the weights of CRIS as state_dict, got something else; there are "
            f"{', '.join(map(str, content)) or 'no entries'}. Use a file that its train.py wrote."
        )
    return {name.removeprefix(_PREFIX): weight for name, weight in found.items()}


def _renamed(name: str) -> str | None:
    found = _LAYER.fullmatch(name)
    if found is not None:
        number, part, rest = found.groups()
        return f"fusion.layers.{number}.{_PARTS[part]}.{rest}" if part in _PARTS else None
    for theirs, ours in _PLACES.items():
        if name.startswith(theirs):
            return name.replace(theirs, ours, 1)
    return None

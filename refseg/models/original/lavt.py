"""LAVT, from the files that its own code writes: Swin, pixel-word attention, decoder and BERT."""

import re
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from refseg.errors import ConfigError
from refseg.models.original.heads import OriginalModel, prefixed
from refseg.models.original.lavt_shapes import (
    ATTENTION,
    BATCH_NORM,
    NORM,
    STAGES,
    bert_patterns,
    bert_sizes,
    decoder_patterns,
    fusion_patterns,
    swin_patterns,
    swin_sizes,
)
from refseg.models.original.shapes import infer_widths
from refseg.models.original.swin import swin_state

_IN_MODEL = "text_encoder."  # of `lavt_one`, whose text encoder is part of the model
_BATCHES = "num_batches_tracked"
_DISTANCES = "relative_position_index"
_NOTES = (
    "Left out: the gate of the last stage, which feeds nothing.",
    "Of the logits of background and foreground, the difference is kept.",
)


def translate_lavt(content: Mapping[str, Any]) -> OriginalModel:
    """The network of a file of LAVT, with its weights.

    The sizes of Swin and BERT are read off the shapes; the heads of the pixel-word attention, which
    no shape shows, off the options in the file, else there is one. Of the two logits, the
    difference is kept. The gate of the last stage, which feeds nothing, is left out.

    Args:
        content: of the file: the weights of `model`; of `bert_model`, unless they are in `model`
            (`lavt_one`); options of the command line as `args`.

    Raises:
        ConfigError: weights are missing, superfluous or misshapen; the message names them all.
    """
    model = _weights(content, "model")
    weights = {name: weight for name, weight in model.items() if not name.startswith(_IN_MODEL)}
    inside = {
        name.removeprefix(_IN_MODEL): weight
        for name, weight in model.items()
        if name.startswith(_IN_MODEL)
    }
    text = inside or _weights(content, "bert_model")
    swin, bert = swin_sizes(weights), bert_sizes(text)
    patterns = swin_patterns(swin) | fusion_patterns(swin, bert["hidden_size"])
    patterns |= decoder_patterns(swin)
    patterns |= {_IN_MODEL + name: shape for name, shape in bert_patterns(bert).items()}
    infer_widths(patterns, {**weights, **{_IN_MODEL + n: w for n, w in text.items()}})
    state = _backbone_state(weights, swin) | _fusion_state(weights) | _decoder_state(weights)
    state |= prefixed("text_encoder.trunk", text)
    options = _options(content)
    fusion = {"heads": _heads(options.get("mha")), "sentence_token": False}
    parts: dict[str, tuple[str, dict[str, Any]]] = {
        "backbone": ("TransformersBackbone", _backbone_arguments(swin)),
        "text_encoder": ("TransformersEncoder", _text_arguments(bert)),
        "fusion": ("LanguageAwareFusion", fusion),
        "decoder": ("SkipConnectionDecoder", {}),
    }
    state = {n: w.float() if w.is_floating_point() else w for n, w in state.items()}
    transform = {
        "image_size": _image_size(options.get("img_size", 480)),
        "geometry": "squash",
        "resampling": "pillow",
    }
    return OriginalModel(parts, bert["vocab_size"], state, transform, notes=_NOTES)


def _weights(content: Mapping[str, Any], entry: str) -> dict[str, Tensor]:
    found = content.get(entry)
    is_state = isinstance(found, Mapping) and all(isinstance(w, Tensor) for w in found.values())
    if not is_state or not found:
        raise ConfigError(
            f"Expected the weights of LAVT's {entry}, got "
            f"{'none' if found is None else 'something else'}; there are "
            f"{', '.join(map(str, content)) or 'no entries'}. Use a file that its train.py wrote."
        )
    return {
        name: weight
        for name, weight in found.items()
        if not name.endswith((_BATCHES, "position_ids")) and not name.startswith("pooler.")
    }


def _options(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the original was trained with; empty where the file does not say."""
    options = content.get("args")
    return dict(vars(options)) if isinstance(options, Namespace) else {}


def _heads(option: object) -> list[int]:
    """The heads of the pixel-word attention of each stage, written as `4-4-4-4`."""
    if option in (None, ""):
        return [1] * STAGES
    counts = str(option).split("-")
    if len(counts) != STAGES or not all(count.isdecimal() for count in counts):
        raise ConfigError(
            f"Expected the option `mha` in LAVT's file as {'-'.join('1' * STAGES)}, got {option!r}."
        )
    return [int(count) for count in counts]


def _image_size(option: object) -> int:
    if not isinstance(option, int) or option < 1:
        raise ConfigError(
            f"Expected the option `img_size` in LAVT's file in pixels, got {option!r}."
        )
    return option


def _backbone_arguments(swin: Mapping[str, Any]) -> dict[str, Any]:
    config = {**swin, "model_type": "swin"}
    config["image_size"] = 384  # which Swin-B was trained with; it decides nothing here
    statistics = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    return {
        "name": "microsoft/swin-base-patch4-window12-384-in22k",
        "every_stage": True,
        "frozen": False,
        "drop_path": 0.3,
        "architecture": {"config": config, **statistics},
    }


def _text_arguments(bert: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": "bert-base-uncased",
        "frozen": False,
        "dropout": False,
        "architecture": {**bert, "model_type": "bert"},
    }


def _backbone_state(weights: Mapping[str, Tensor], swin: Mapping[str, Any]) -> dict[str, Tensor]:
    from refseg.models.backbones import TransformersBackbone
    from refseg.models.weights.huggingface import Architecture

    arguments = _backbone_arguments(swin)
    architecture = Architecture(arguments.pop("architecture"))
    with torch.device("meta"):
        expected = TransformersBackbone(**arguments, architecture=architecture).state_dict()
    of_swin = {
        name.removeprefix("backbone."): weight
        for name, weight in weights.items()
        if name.startswith(("backbone.patch_embed", "backbone.layers"))
        and ".fusion." not in name
        and ".res_gate." not in name
    }
    names = {name.removeprefix("trunk.") for name in expected}
    state = prefixed("trunk", swin_state(of_swin, names))
    # What transformers has besides: norms that nothing uses once a fusion gives the maps, and, in
    # its release 5.0, which two places of a window have which distance.
    for name in set(expected) - set(state):
        if name.endswith(_DISTANCES):
            layer, block = re.findall(r"\d+", name)
            state[name] = weights[f"backbone.layers.{layer}.blocks.{block}.attn.{_DISTANCES}"]
        else:
            fill = torch.ones if name.endswith("weight") else torch.zeros
            state[name] = fill(expected[name].shape)
    return prefixed("backbone", state)


def _fusion_state(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for stage in range(STAGES):
        layer = f"backbone.layers.{stage}"
        for theirs, ours in ATTENTION.items():
            name = f"{layer}.fusion.{theirs}"
            state[f"attention.{stage}.{ours}.weight"] = weights[f"{name}.weight"][:, :, 0]
            state[f"attention.{stage}.{ours}.bias"] = weights[f"{name}.bias"]
        for kind in NORM:
            state[f"normalization.{stage}.{kind}"] = weights[f"backbone.norm{stage}.{kind}"]
        if stage < STAGES - 1:
            state[f"gate.{stage}.hidden.weight"] = weights[f"{layer}.res_gate.0.weight"]
            state[f"gate.{stage}.gate.weight"] = weights[f"{layer}.res_gate.2.weight"]
    return prefixed("fusion", state)


def _decoder_state(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for block, number in enumerate((4, 3, 2)):
        for half in (1, 2):
            ours = f"blocks.{block}.{half - 1}"
            name = f"classifier.conv{half}_{number}.weight"
            state[f"{ours}.0.weight"] = weights[name]
            for kind in BATCH_NORM:
                state[f"{ours}.1.{kind}"] = weights[f"classifier.bn{half}_{number}.{kind}"]
            state[f"{ours}.1.{_BATCHES}"] = torch.tensor(0)
    for kind in ("weight", "bias"):
        background, foreground = weights[f"classifier.conv1_1.{kind}"].split(1)
        state[f"classifier.{kind}"] = foreground - background
    return prefixed("decoder", state)

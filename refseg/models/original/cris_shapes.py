"""The sizes of CRIS from the shapes of its weights, and the shapes from the sizes."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from refseg.errors import ConfigError
from refseg.models.original.shapes import Shape

UNUSED = "backbone.logit_scale"
"""CLIP's; CRIS compares nothing with it."""

_VISUAL = "backbone.visual."
_TEXT_LAYERS = "backbone.transformer.resblocks."
_LAYERS = "decoder.layers."
_CHANNELS_OF_A_HEAD = 64  # in every CLIP
_PIXELS_OF_A_CELL = 32


class CrisSizes(NamedTuple):
    """The sizes of a CRIS, by the arguments of refseg's parts.

    Args:
        visual: of the `ClipResNet`.
        text: of the `ClipTextEncoder`.
        fusion: of the `CrossModalTransformer`, but for its heads.
        kernel_dim: `hidden_dim` of the `TextKernelDecoder`.
        vocab_size: number of token ids.
    """

    visual: dict[str, int | list[int]]
    text: dict[str, int]
    fusion: dict[str, int]
    kernel_dim: int
    vocab_size: int


def cris_sizes(weights: Mapping[str, Tensor]) -> CrisSizes:
    """Read the sizes off the shapes of the weights.

    Args:
        weights: by the names of CRIS's code.

    Raises:
        ConfigError: a weight that shows a size is missing, or has another number of axes.
    """
    positions, deepest = _shape(weights, f"{_VISUAL}attnpool.positional_embedding", 2)
    context, text_width = _shape(weights, "backbone.positional_embedding", 2)
    vocab_size, _ = _shape(weights, "backbone.token_embedding.weight", 2)
    _, embed_dim = _shape(weights, "backbone.text_projection", 2)
    fine_dim, *_ = _shape(weights, "neck.f3_v_proj.0.weight", 4)
    hidden_dim, *_ = _shape(weights, "neck.aggr.0.weight", 4)
    coarse_dim, *_ = _shape(weights, "neck.f1_v_proj.0.weight", 4)
    inner, _ = _shape(weights, f"{_LAYERS}0.ffn.0.weight", 2)
    kernel_dim, *_ = _shape(weights, "proj.vis.4.weight", 4)
    visual: dict[str, int | list[int]] = {
        "layers": [_count(weights, f"{_VISUAL}layer{stage}.") for stage in range(1, 5)],
        "width": _shape(weights, f"{_VISUAL}conv3.weight", 4)[0],
        "heads": max(1, deepest // _CHANNELS_OF_A_HEAD),
        "embed_dim": embed_dim,
        "input_resolution": _PIXELS_OF_A_CELL * round((positions - 1) ** 0.5),
    }
    text = {
        "width": text_width,
        "layers": _count(weights, _TEXT_LAYERS),
        "projection_dim": embed_dim,
        "positions": context,
    }
    fusion = {
        "hidden_dim": hidden_dim,
        "fine_dim": fine_dim,
        "coarse_dim": coarse_dim,
        "layers": _count(weights, _LAYERS),
        "feedforward_dim": inner,
    }
    return CrisSizes(visual, text, fusion, kernel_dim, vocab_size)


def cris_patterns(sizes: CrisSizes) -> dict[str, Shape]:
    """The shape of every weight of a CRIS of these sizes, by the names of its code."""
    return _visual(sizes) | _text(sizes) | _neck(sizes) | _decoder(sizes) | _projector(sizes)


def _visual(sizes: CrisSizes) -> dict[str, Shape]:
    width, embed_dim = _int(sizes.visual["width"]), _int(sizes.visual["embed_dim"])
    found: dict[str, Shape] = {}
    inputs = 3
    for number, outputs in enumerate((width // 2, width // 2, width), start=1):
        found[f"conv{number}.weight"] = (outputs, inputs, 3, 3)
        found |= _batch_norm(f"bn{number}", outputs)
        inputs = outputs
    blocks = sizes.visual["layers"]
    assert isinstance(blocks, list)
    for stage, count in enumerate(blocks):
        for block in range(count):
            found |= _bottleneck(f"layer{stage + 1}.{block}", inputs, width * 2**stage, block == 0)
            inputs = 4 * width * 2**stage
    side = _int(sizes.visual["input_resolution"]) // _PIXELS_OF_A_CELL
    found["attnpool.positional_embedding"] = (side**2 + 1, inputs)
    for part, outputs in {"q": inputs, "k": inputs, "v": inputs, "c": embed_dim}.items():
        found |= _linear(f"attnpool.{part}_proj", inputs, outputs)
    found["attnpool.connect.0.weight"] = (embed_dim, inputs, 1, 1)
    found |= _batch_norm("attnpool.connect.1", embed_dim)
    return {f"{_VISUAL}{name}": shape for name, shape in found.items()}


def _bottleneck(prefix: str, inputs: int, width: int, is_first: bool) -> dict[str, Shape]:
    found: dict[str, Shape] = {
        f"{prefix}.conv1.weight": (width, inputs, 1, 1),
        f"{prefix}.conv2.weight": (width, width, 3, 3),
        f"{prefix}.conv3.weight": (4 * width, width, 1, 1),
        **_batch_norm(f"{prefix}.bn1", width),
        **_batch_norm(f"{prefix}.bn2", width),
        **_batch_norm(f"{prefix}.bn3", 4 * width),
    }
    if is_first:
        found[f"{prefix}.downsample.0.weight"] = (4 * width, inputs, 1, 1)
        found |= _batch_norm(f"{prefix}.downsample.1", 4 * width)
    return found


def _text(sizes: CrisSizes) -> dict[str, Shape]:
    width = sizes.text["width"]
    found: dict[str, Shape] = {
        "backbone.positional_embedding": (sizes.text["positions"], width),
        "backbone.text_projection": (width, sizes.text["projection_dim"]),
        "backbone.token_embedding.weight": (sizes.vocab_size, width),
        UNUSED: (),
        **_layer_norm("backbone.ln_final", width),
    }
    for layer in range(sizes.text["layers"]):
        prefix = f"{_TEXT_LAYERS}{layer}"
        found |= _attention(f"{prefix}.attn", width)
        found |= _linear(f"{prefix}.mlp.c_fc", width, 4 * width)
        found |= _linear(f"{prefix}.mlp.c_proj", 4 * width, width)
        found |= _layer_norm(f"{prefix}.ln_1", width) | _layer_norm(f"{prefix}.ln_2", width)
    return found


def _neck(sizes: CrisSizes) -> dict[str, Shape]:
    width, embed_dim = _int(sizes.visual["width"]), _int(sizes.visual["embed_dim"])
    fine, hidden, coarse = (sizes.fusion[f"{kind}_dim"] for kind in ("fine", "hidden", "coarse"))
    found: dict[str, Shape] = {
        "neck.txt_proj.0.weight": (coarse, embed_dim),
        **_batch_norm("neck.txt_proj.1", coarse),
        **_batch_norm("neck.norm_layer.0", coarse),
    }
    for name, outputs, inputs, kernel in (
        ("f1_v_proj", coarse, embed_dim, 1),
        ("f2_v_proj", hidden, 16 * width, 3),
        ("f2_cat", hidden, hidden + coarse, 1),
        ("f3_v_proj", fine, 8 * width, 3),
        ("f3_cat", hidden, fine + hidden, 1),
        ("f4_proj5", hidden, coarse, 3),
        ("f4_proj4", hidden, hidden, 3),
        ("f4_proj3", hidden, hidden, 3),
        ("aggr", hidden, 3 * hidden, 1),
        ("coordconv.0.conv1", hidden, hidden + 2, 3),
        ("coordconv.1", hidden, hidden, 3),
    ):
        found[f"neck.{name}.0.weight"] = (outputs, inputs, kernel, kernel)
        found |= _batch_norm(f"neck.{name}.1", outputs)
    return found


def _decoder(sizes: CrisSizes) -> dict[str, Shape]:
    width, inner = sizes.fusion["hidden_dim"], sizes.fusion["feedforward_dim"]
    found: dict[str, Shape] = _layer_norm("decoder.norm", width)
    for layer in range(sizes.fusion["layers"]):
        prefix = f"{_LAYERS}{layer}"
        found |= _attention(f"{prefix}.self_attn", width)
        found |= _attention(f"{prefix}.multihead_attn", width)
        found |= _linear(f"{prefix}.ffn.0", width, inner) | _layer_norm(f"{prefix}.ffn.3", inner)
        found |= _linear(f"{prefix}.ffn.4", inner, width)
        for norm in ("self_attn_norm", "cross_attn_norm", "norm1", "norm2", "norm3"):
            found |= _layer_norm(f"{prefix}.{norm}", width)
    return found


def _projector(sizes: CrisSizes) -> dict[str, Shape]:
    width, dim = sizes.fusion["hidden_dim"], sizes.kernel_dim
    return {
        "proj.vis.1.0.weight": (width, width, 3, 3),
        **_batch_norm("proj.vis.1.1", width),
        "proj.vis.3.0.weight": (dim, width, 3, 3),
        **_batch_norm("proj.vis.3.1", dim),
        "proj.vis.4.weight": (dim, dim, 1, 1),
        "proj.vis.4.bias": (dim,),
        **_linear("proj.txt", _int(sizes.visual["embed_dim"]), 9 * dim + 1),
    }


def _batch_norm(prefix: str, width: int) -> dict[str, Shape]:
    of_channels = ("weight", "bias", "running_mean", "running_var")
    shapes: dict[str, Shape] = {f"{prefix}.{kind}": (width,) for kind in of_channels}
    return {**shapes, f"{prefix}.num_batches_tracked": ()}


def _layer_norm(prefix: str, width: int) -> dict[str, Shape]:
    return {f"{prefix}.{kind}": (width,) for kind in ("weight", "bias")}


def _linear(prefix: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{prefix}.weight": (outputs, inputs), f"{prefix}.bias": (outputs,)}


def _attention(prefix: str, width: int) -> dict[str, Shape]:
    return {
        f"{prefix}.in_proj_weight": (3 * width, width),
        f"{prefix}.in_proj_bias": (3 * width,),
        **_linear(f"{prefix}.out_proj", width, width),
    }


def _int(size: int | list[int]) -> int:
    assert isinstance(size, int)
    return size


def _shape(weights: Mapping[str, Tensor], name: str, axes: int) -> tuple[int, ...]:
    """The shape of a weight that sizes are read off."""
    if name not in weights or weights[name].ndim != axes:
        got = tuple(weights[name].shape) if name in weights else "none"
        raise ConfigError(
            f"Expected CRIS's weight {name}, of {axes} axes, got {got}; use a file that its "
            "train.py wrote."
        )
    return tuple(weights[name].shape)


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbers follow a prefix."""
    return len({name[len(prefix) :].split(".")[0] for name in weights if name.startswith(prefix)})

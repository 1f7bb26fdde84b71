"""The mask decoders of SAM and SAM 2, walked so that prompts of different lengths go together."""

from collections.abc import Callable
from importlib import import_module
from math import tau
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.weights.huggingface import (
    Architecture,
    PreTrainedConfig,
    check_architecture,
    import_transformers,
    load_pretrained,
)
from refseg.models.weights.sam import load_sam_config
from refseg.precision import full_precision, without_autocast
from refseg.types import Maps

_HALVES = (torch.float16, torch.bfloat16)


class _Kind(NamedTuple):
    """Names of the transformers library, and what differs between SAM and SAM 2.

    Args:
        module: where the mask decoder is.
        decoder: its class.
        config: class of its configuration.
        whole: class of the whole model.
        finer: channels of the finer maps that the decoder adds, as shares of its own.
    """

    module: str
    decoder: str
    config: str
    whole: str
    finer: tuple[int, ...]


_KINDS = {
    "sam_mask_decoder": _Kind(
        "transformers.models.sam.modeling_sam",
        "SamMaskDecoder",
        "SamMaskDecoderConfig",
        "SamModel",
        (),
    ),
    "sam2_mask_decoder": _Kind(
        "transformers.models.sam2.modeling_sam2",
        *("Sam2MaskDecoder", "Sam2MaskDecoderConfig", "Sam2Model"),
        finer=(8, 4),
    ),
}
"""By the kind of the mask decoder's configuration."""


class SamMasks(nn.Module):
    """SAM's mask decoder, and what it needs of SAM's prompt encoder, under their own names.

    The library's modules are used, and their order is that of the library. What it lacks is a mask
    of the prompt tokens: with it, the padding of a batch of prompts is attended by nobody.

    Args:
        model_type: `sam_mask_decoder` or `sam2_mask_decoder`; older configurations do not say.
        config: of the mask decoder, a `SamMaskDecoderConfig` or `Sam2MaskDecoderConfig` of the
            transformers library.
    """

    def __init__(self, model_type: str, config: PreTrainedConfig) -> None:
        super().__init__()
        self.model_type, kind = model_type, _KINDS[model_type]
        config._attn_implementation = "sdpa"  # which takes masks of True and False
        self.config, self.dim = config, config.hidden_size
        self.finer_dims = tuple(self.dim // share for share in kind.finer)
        self.mask_decoder = getattr(import_module(kind.module), kind.decoder)(config)
        self.no_mask_embed = nn.Embedding(1, self.dim)
        self.shared_image_embedding = GridPositions(self.dim)

    @classmethod
    def load(cls, name: str, architecture: Architecture | None, *, pretrained: bool) -> "SamMasks":
        """Make it with the weights of a SAM, or with random ones.

        Args:
            name: on the Hugging Face hub, or a folder.
            architecture: of the mask decoder, a checkpoint's copy.
            pretrained: load the weights, unless there is a copy of the architecture.

        Raises:
            ConfigError: there is no such model, or it is not of SAM's kind.
        """
        transformers = import_transformers()
        if architecture is not None:
            check_architecture(architecture)
            options = {key: value for key, value in architecture.items() if key != "model_type"}
            model_type = str(architecture["model_type"])
            return cls(model_type, getattr(transformers, _KINDS[model_type].config)(**options))
        config = load_sam_config(name)
        model_type = f"{config.model_type}_mask_decoder"
        masks = cls(model_type, config.mask_decoder_config)
        if pretrained:
            model = load_pretrained(
                getattr(transformers, _KINDS[model_type].whole),
                name,
                _without_image(config),
                is_part=True,
            )
            masks.mask_decoder.load_state_dict(model.mask_decoder.state_dict())
            masks.no_mask_embed.load_state_dict(model.prompt_encoder.no_mask_embed.state_dict())
            positions = model.shared_image_embedding.state_dict()
            masks.shared_image_embedding.load_state_dict(positions)
        return masks

    def keep_unused(self) -> None:
        """Train nothing that the first mask does not depend on, nor the prompt encoder."""
        self.no_mask_embed.requires_grad_(False)
        decoder = self.mask_decoder
        unused = [decoder.iou_prediction_head, *decoder.output_hypernetworks_mlps[1:]]
        for name in ("pred_obj_score_head", "conv_s0", "conv_s1"):  # the latter: of the backbone
            unused += [getattr(decoder, name)] if hasattr(decoder, name) else []
        for other in unused:
            other.requires_grad_(False)

    def forward(
        self,
        seen: Float[Tensor, " expressions dim h w"],
        prompt: Float[Tensor, " expressions tokens dim"],
        token_mask: Bool[Tensor, " expressions tokens"],
        finer: Maps = (),
    ) -> Float[Tensor, " expressions fine_h fine_w"]:
        """The first mask as logits, four times as fine as the map.

        Args:
            seen: of the image, plus the dense prompt.
            prompt: the sparse one.
            token_mask: False at padding.
            finer: maps of four and of two times as many rows, which SAM 2 adds on the way.
        """
        decoder: Any = self.mask_decoder
        h, w = seen.shape[-2:]
        first = 2 if finer else 1
        own = torch.cat(
            [
                *([decoder.obj_score_token.weight] if finer else []),
                *(decoder.iou_token.weight, decoder.mask_tokens.weight),
            ]
        )
        tokens = torch.cat([own.to(prompt.dtype).expand(prompt.shape[0], -1, -1), prompt], dim=1)
        tokens = tokens[:, None]  # [expressions 1 tokens dim]: the library has several prompts
        heard = functional.pad(token_mask, (len(own), 0), value=True)[:, None, None]
        where = self.shared_image_embedding(h, w).to(seen.dtype)
        cells = seen.flatten(2).transpose(1, 2)[:, None]
        queries = tokens
        for layer in decoder.transformer.layers:
            queries, cells = _attend(layer, queries, cells, tokens, where, heard)
        last = decoder.transformer
        attended, _ = last.final_attn_token_to_image(
            query=queries + tokens, key=cells + where, value=cells
        )
        first_mask = last.layer_norm_final_attn(queries + attended)[:, 0, first]
        kernel = decoder.output_hypernetworks_mlps[0](first_mask)
        fine = decoder.upscale_conv1(cells[:, 0].transpose(1, 2).unflatten(2, (h, w)))
        fine = decoder.activation(decoder.upscale_layer_norm(_added(fine, finer[1:])))
        fine = decoder.activation(_added(decoder.upscale_conv2(fine), finer[:1]))
        with without_autocast(fine.device):
            return torch.einsum("ed,edhw->ehw", full_precision(kernel), full_precision(fine))


def _without_image(config: PreTrainedConfig) -> PreTrainedConfig:
    """The same model without the layers of its image side, which is the backbone's."""
    if config.model_type == "sam":
        config.vision_config.num_hidden_layers = 0
    else:
        hiera = config.vision_config.backbone_config
        hiera.blocks_per_stage = [0] * len(hiera.blocks_per_stage)
    return config


def _added(fine: Tensor, finer: Maps) -> Tensor:
    """What SAM 2 adds of a finer map; where an image does not fill its cells, there are fewer."""
    for each in finer:
        fine = fine[..., : each.shape[-2], : each.shape[-1]] + each.to(fine.dtype)
    return fine


def _attend(
    layer: Any,  # noqa: ANN401 - the transformers library has no types
    queries: Tensor,
    cells: Tensor,
    tokens: Tensor,
    where: Tensor,
    heard: Tensor,
) -> tuple[Tensor, Tensor]:
    """One layer: tokens ask each other and the cells, and the cells ask the tokens."""
    if layer.skip_first_layer_pe:
        queries, _ = layer.self_attn(
            query=queries, key=queries, value=queries, attention_similarity=heard
        )
    else:
        asking = queries + tokens
        said, _ = layer.self_attn(
            query=asking, key=asking, value=queries, attention_similarity=heard
        )
        queries = queries + said
    queries = layer.layer_norm1(queries)
    shown, _ = layer.cross_attn_token_to_image(
        query=queries + tokens, key=cells + where, value=cells
    )
    queries = layer.layer_norm2(queries + shown)
    queries = layer.layer_norm3(queries + layer.mlp(queries))
    said, _ = layer.cross_attn_image_to_token(
        query=cells + where, key=queries + tokens, value=queries, attention_similarity=heard
    )
    return queries, layer.layer_norm4(cells + said)


class GridPositions(nn.Module):
    """Where each cell lies, as SAM tells it: sine and cosine of random projections.

    The projections come with the weights, are not trained, and stay float32 where weights are not:
    phases have many turns.

    Args:
        dim: channels.
    """

    positional_embedding: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("positional_embedding", torch.randn(2, dim // 2))

    def forward(self, h: int, w: int) -> Float[Tensor, " cells dim"]:
        """The vectors of a grid's cells, row by row.

        Args:
            h: rows of the grid.
            w: columns.
        """
        projection = self.positional_embedding
        y, x = (
            (torch.arange(count, device=projection.device, dtype=projection.dtype) + 0.5) / count
            for count in (h, w)
        )
        cells = torch.stack([x.expand(h, w), y[:, None].expand(h, w)], dim=-1).flatten(0, 1)
        with without_autocast(projection.device):
            phases = tau * ((2 * cells - 1) @ projection)
        return torch.cat([phases.sin(), phases.cos()], dim=-1)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "GridPositions":
        """Go along to another device, but not to a type of half the length."""
        kept = self.positional_embedding
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's has no annotations
        if self.positional_embedding.dtype in _HALVES:
            self.positional_embedding = kept.to(self.positional_embedding.device)
        return self

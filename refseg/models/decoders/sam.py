"""The mask decoder of SAM or SAM 2, prompted with an expression instead of clicks."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.decoders.base import Decoder
from refseg.models.decoders.sam_masks import SamMasks
from refseg.models.freezing import Pretrained
from refseg.models.weights.huggingface import Architecture, plain_config
from refseg.types import Maps, Output, TextFeatures


class SamDecoder(Pretrained, Decoder):
    """Asks SAM's mask decoder for what the expression names: sentence and words are its prompt.

    The vector of the sentence becomes one prompt token, Linear(ReLU(Linear(sentence))), as in
    EVF-SAM and LISA. A sentence alone is weak at "the left one of the two", so that the vector of
    each word becomes another token, by a linear layer. Tokens at padding are attended by nobody.
    The fused map may prompt as well (`dense`), where SAM takes a rough mask. Of SAM's masks the
    first is taken, that for a prompt which leaves no doubt; it has a quarter of the map's stride,
    and is enlarged bilinearly.

    Without `dense` the coarsest map is what SAM's decoder looks at: that of `SamBackbone` with
    `NoFusion`. With `dense` it is the finest, which the fusion lets pass by: `SamBackbone` with
    `for_dense_prompt` and a fusion of one map. A map of another width than SAM's goes through a
    1×1 convolution first. The mask decoder of SAM 2 also takes the finer maps of `Sam2Backbone`.

    Unlike in SAM, there is no token for a click, and the heads that are not asked (those of the
    other masks and of their quality) are loaded and not trained.

    Args:
        dims: channels of the fused maps, from fine to coarse; supplied by the fusion.
        word_dim: length of the vector of a word; supplied by the text encoder.
        sentence_dim: length of the sentence vector; supplied by the text encoder.
        name: of SAM on the Hugging Face hub, `facebook/sam-vit-base` or
            `facebook/sam2.1-hiera-base-plus` say, or a folder that `save_pretrained` wrote: the
            same as the backbone's.
        words: give the words as prompt tokens, beside the sentence; EVF-SAM has the sentence alone.
        dense: prompt with the coarsest map as well, which a fusion has made of image and words.
        frozen: leave the mask decoder as it is, and train what comes before it only.
        pretrained: load the weights; else only the architecture, with random weights.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.

    Raises:
        ConfigError: there is no such model, no network to get it, it is not of SAM's kind, or a
            dense prompt is asked for and there is one map only.

    References:
        Kirillov et al., *Segment Anything*, ICCV 2023, https://arxiv.org/abs/2304.02643, section 3
        and appendix A; Zhang et al., *EVF-SAM: Early Vision-Language Fusion for Text-Prompted
        Segment Anything Model*, 2024, https://arxiv.org/abs/2406.20076, section 3.
    """

    listens = True

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        name: str,
        words: bool = True,
        dense: bool = False,
        frozen: bool = False,
        pretrained: bool = True,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        masks = SamMasks.load(name, architecture, pretrained=pretrained)
        _check_maps(dims, masks.finer_dims, dense)
        self.hold(masks, frozen)
        masks.keep_unused()
        hidden, self.finer = masks.dim, len(masks.finer_dims)
        image_dim = dims[self.finer] if dense else dims[-1]
        self.image = nn.Conv2d(image_dim, hidden, 1) if image_dim != hidden else nn.Identity()
        self.sentence = nn.Sequential(
            nn.Linear(sentence_dim, sentence_dim),
            nn.ReLU(inplace=True),
            nn.Linear(sentence_dim, hidden),
        )
        self.word = nn.Linear(word_dim, hidden) if words else None
        self.dense = nn.Conv2d(dims[-1], hidden, 1) if dense else None

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        masks, dtype = self._masks, self._masks.no_mask_embed.weight.dtype
        seen = self.image(fused[-1 if self.dense is None else self.finer].to(dtype))
        h, w = seen.shape[-2:]
        prompt = masks.no_mask_embed.weight[0][:, None, None]
        if self.dense is not None:
            prompt = prompt + self.enlarge(self.dense(fused[-1].to(dtype)), (h, w))
        tokens, token_mask = self._tokens(text, dtype)
        logits = masks(seen + prompt, tokens, token_mask, fused[: self.finer])
        return Output(self.enlarge(logits[:, None], size)[:, 0])

    @property
    def _masks(self) -> SamMasks:
        assert isinstance(self.trunk, SamMasks)
        return self.trunk

    def _tokens(
        self, text: TextFeatures, dtype: torch.dtype
    ) -> tuple[Float[Tensor, " expressions tokens dim"], Bool[Tensor, " expressions tokens"]]:
        """The prompt of each expression, and True where it is none of padding."""
        sentence = self.sentence(text.sentence.to(dtype))[:, None]
        if self.word is None:
            return sentence, torch.ones_like(sentence[:, :, 0], dtype=torch.bool)
        words = text.words.to(dtype).masked_fill(~text.token_mask[:, :, None], 0)
        tokens = torch.cat([sentence, self.word(words).to(sentence.dtype)], dim=1)
        return tokens, functional.pad(text.token_mask, (1, 0), value=True)

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the architecture is given, in place of the files behind `name`."""
        return arguments.get("architecture") is not None

    def portable_arguments(self) -> dict[str, Any]:
        """The architecture in place of the files behind `name`."""
        plain = plain_config(self._masks.config)
        return {"architecture": {**plain, "model_type": self._masks.model_type}}


def _check_maps(dims: Sequence[int], finer_dims: tuple[int, ...], dense: bool) -> None:
    """Make sure that the maps are those of SAM's own image side, as far as it matters."""
    count = len(finer_dims) + (2 if dense else 1)
    if len(dims) < count and dense:
        raise ConfigError(
            f"Expected {count} maps for a dense prompt, those of the image and the fused one, got "
            f"{len(dims)}; set for_dense_prompt of SamBackbone or Sam2Backbone, and take a fusion "
            "that fuses the coarsest map and lets the others pass by, such as MultimodalLSTM."
        )
    if tuple(dims[: len(finer_dims)]) != finer_dims or len(dims) < count:
        raise ConfigError(
            f"Expected maps of {', '.join(map(str, finer_dims))} channels before the coarsest for "
            f"the mask decoder of SAM 2, got maps of {', '.join(map(str, dims))}; take "
            "Sam2Backbone, and a fusion that lets finer maps pass by."
        )

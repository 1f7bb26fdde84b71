"""Groups of layers of vision transformers one by one: DINO, and the image towers of CLIP's kin."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.base import Stage
from refseg.models.backbones.walk import Walk, channels_last
from refseg.types import Maps


class VisionTransformerWalk(Walk):
    """A vision transformer: a stage is a group of layers, all of one stride.

    Its class and register tokens travel along with the cells: in what a stage gives, they lie in
    additional rows above the map, padded with zeros to the map's width. A fusion sees the cells.
    """

    def stem(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images dim rows w"]:
        """The embedded patches with their positions, and the tokens beside them."""
        height, width = pixels.shape[-2:]
        return self._as_state(self.embed(pixels), height // self.patch, width // self.patch)

    @property
    def stages(self) -> Sequence[Stage]:
        """The layers up to each of the chosen ones."""
        ends = (0, *self.layers)
        return [_Stage(self, self.blocks[start:end]) for start, end in pairwise(ends)]

    def cells(self, state: Float[Tensor, " n dim _ w"]) -> Float[Tensor, " n dim _ w"]:
        """What lies below the rows of the other tokens."""
        return state[:, :, self._rows(state.shape[-1]) :]

    def with_cells(
        self, state: Float[Tensor, " n dim _ w"], cells: Float[Tensor, " n dim h w"]
    ) -> Float[Tensor, " n dim _ w"]:
        """The same tokens above other cells."""
        return torch.cat([state[:, :, : self._rows(state.shape[-1])], cells], 2)

    @property
    def patch(self) -> int:
        """Pixels per cell."""
        return self.trunk.config.patch_size

    @property
    def beside(self) -> int:
        """Tokens beside the cells: the class token, and registers where there are any."""
        return 1 + (getattr(self.trunk.config, "num_register_tokens", None) or 0)

    @property
    def blocks(self) -> nn.ModuleList:
        """The layers."""
        return self.trunk.encoder.layer

    def embed(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images tokens dim"]:
        """The tokens that the first layer is given."""
        return self.trunk.embeddings(pixels)

    def options(self, h: int, w: int) -> dict[str, Any]:
        """What each layer is told beside the tokens of a map of this size: nothing, by default."""
        return {}

    def normalized(self, maps: Maps) -> Maps:
        """Normalised by the network's last norm, as its configuration says."""
        if not self.trunk.config.apply_layernorm:
            return maps
        (norm,) = self.norms
        return tuple(channels_last(norm, each) for each in maps)

    @property
    def norms(self) -> Iterable[nn.Module]:
        """The last norm."""
        return (self.trunk.layernorm,)

    def _rows(self, width: int) -> int:
        """Rows that the other tokens fill."""
        return -(-self.beside // width)

    def _as_state(
        self, tokens: Float[Tensor, " n tokens dim"], h: int, w: int
    ) -> Float[Tensor, " n dim rows w"]:
        missing = self._rows(w) * w - self.beside
        above, cells = tokens[:, : self.beside], tokens[:, self.beside :]
        padded = torch.cat([functional.pad(above, (0, 0, 0, missing)), cells], 1)
        return padded.transpose(1, 2).unflatten(2, (-1, w))

    def _as_tokens(self, state: Float[Tensor, " n dim rows w"]) -> Float[Tensor, " n tokens dim"]:
        rows = self._rows(state.shape[-1])
        above = state[:, :, :rows].flatten(2)[:, :, : self.beside]
        return torch.cat([above, state[:, :, rows:].flatten(2)], 2).transpose(1, 2)

    def through(
        self, blocks: Iterable[nn.Module], state: Float[Tensor, " n dim rows w"]
    ) -> Float[Tensor, " n dim rows w"]:
        """Apply layers to cells and tokens."""
        h, w = state.shape[-2] - self._rows(state.shape[-1]), state.shape[-1]
        tokens, options = self._as_tokens(state), self.options(h, w)
        for block in blocks:
            tokens = block(tokens, **options)
        return self._as_state(tokens, h, w)


class Dinov3Walk(VisionTransformerWalk):
    """A `DINOv3ViTBackbone`: every layer turns its queries and keys by the places of the cells.

    While training, the library moves and scales these places at random. Here it does not: each
    stage would do so differently.
    """

    @property
    def blocks(self) -> nn.ModuleList:
        """The layers."""
        return self.trunk.model.layer

    def options(self, h: int, w: int) -> dict[str, Any]:
        """The places: cosine and sine of the angles."""
        embedding = self.trunk.embeddings.patch_embeddings.weight
        image = embedding.new_empty(1, 1, h * self.patch, w * self.patch)  # its size counts
        return {"position_embeddings": self.trunk.rope_embeddings(image)}

    def normalized(self, maps: Maps) -> Maps:
        """Normalised by the last norm; if the configuration says no, that of the last layer is."""
        *others, last = maps
        if self.trunk.config.apply_layernorm:
            return super().normalized(maps)
        is_last = self.layers[-1] == len(self.blocks)
        return (*others, channels_last(self.trunk.norm, last) if is_last else last)

    @property
    def norms(self) -> Iterable[nn.Module]:
        """The last norm."""
        return (self.trunk.norm,)

    @property
    def always_in_evaluation(self) -> Iterable[nn.Module]:
        """The places."""
        return (self.trunk.rope_embeddings,)


class TowerWalk(VisionTransformerWalk):
    """The image tower of CLIP or MetaCLIP 2: positions are interpolated, and no map is normalised.

    The maps are the model's `hidden_states`, that of the last layer its `last_hidden_state`.
    """

    @property
    def blocks(self) -> nn.ModuleList:
        """The layers."""
        return self.model.encoder.layers

    @property
    def model(self) -> Any:  # noqa: ANN401 - the transformers library has no types
        """The network with the embeddings and the encoder; older releases wrap it once more."""
        return getattr(self.trunk, "vision_model", self.trunk)

    def embed(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images tokens dim"]:
        """The tokens that the first layer is given, normalised."""
        return self.model.pre_layrnorm(self.model.embeddings(pixels, interpolate_pos_encoding=True))

    def options(self, h: int, w: int) -> dict[str, Any]:
        """Every token may be attended."""
        return {"attention_mask": None}

    def normalized(self, maps: Maps) -> Maps:
        """The maps as they are: the norm behind the last layer is that of the class token."""
        return maps

    @property
    def norms(self) -> Iterable[nn.Module]:
        """None."""
        return ()


class SiglipWalk(TowerWalk):
    """The image tower of SigLIP: without a class token; the map of its last layer is normalised."""

    beside = 0

    def embed(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images tokens dim"]:
        """The tokens that the first layer is given."""
        return self.model.embeddings(pixels, interpolate_pos_encoding=True)

    def normalized(self, maps: Maps) -> Maps:
        """The last map as the model's `last_hidden_state`, the others as its `hidden_states`."""
        *others, last = maps
        if self.layers[-1] < len(self.blocks):
            return maps
        return (*others, channels_last(self.model.post_layernorm, last))

    @property
    def norms(self) -> Iterable[nn.Module]:
        """The last norm."""
        return (self.model.post_layernorm,)


class Siglip2Walk(SiglipWalk):
    """The image tower of SigLIP 2, which takes images of any shape, cut into patches."""

    def embed(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images tokens dim"]:
        """The tokens that the first layer is given."""
        patches = functional.unfold(pixels, self.patch, stride=self.patch)  # [n 3·p·p cells]
        # row, column, colour: as the library's image processor cuts them
        patches = patches.unflatten(1, (3, -1)).permute(0, 3, 2, 1).flatten(2)
        h, w = (side // self.patch for side in pixels.shape[-2:])
        return self.model.embeddings(patches, torch.tensor([[h, w]], device="cpu"))


class _Stage:
    def __init__(self, walk: VisionTransformerWalk, blocks: Iterable[nn.Module]) -> None:
        self.walk, self.blocks = walk, blocks

    def __call__(self, state: Tensor) -> Tensor:
        return self.walk.through(self.blocks, state)

"""The stages of Swin transformers one by one."""

from collections.abc import Iterable, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from refseg.models.backbones.base import Stage
from refseg.models.backbones.walk import Walk, channels_last
from refseg.types import Maps


class SwinWalk(Walk):
    """A `SwinBackbone` of the transformers library.

    The library merges patches at the end of a stage. Here the merging belongs to the next one, so
    that what is said after a stage goes into it.
    """

    pads = False
    options: dict[str, Any] = {"always_partition": True}  # noqa: RUF012 - of a block's forward
    """The same windows whatever the size of the map, as `SwinBackbone` has them."""

    def stem(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images dim h w"]:
        """The embedded patches; the network pads with zeros to whole ones."""
        tokens, (h, w) = self.model.embeddings(pixels)
        return _as_map(tokens, h, w)

    @property
    def stages(self) -> Sequence[Stage]:
        """The blocks of each stage, after the merging that leads to it."""
        layers = self.model.encoder.layers
        mergings = [None, *(layer.downsample for layer in layers[:-1])]
        return [
            _Stage(before, layer.blocks, self.options)
            for before, layer in zip(mergings, layers, strict=True)
        ]

    def normalized(self, maps: Maps) -> Maps:
        """Normalised by the layer that the backbone has for each of its maps."""
        return tuple(channels_last(norm, each) for each, norm in zip(maps, self.norms, strict=True))

    @property
    def model(self) -> Any:  # noqa: ANN401 - the transformers library has no types
        """The network with the embeddings and the encoder."""
        return _network(self.trunk)

    @property
    def norms(self) -> Iterable[nn.Module]:
        """One for each of the chosen stages."""
        return self.trunk.hidden_states_norms.children()


class Swinv2Walk(SwinWalk):
    """A `Swinv2Backbone`, whose blocks normalise what they add, and whose maps have no norm."""

    options: dict[str, Any] = {}  # noqa: RUF012 - of a block's forward

    @property
    def model(self) -> Any:  # noqa: ANN401 - the transformers library has no types
        """The network with the embeddings and the encoder."""
        return self.trunk

    def normalized(self, maps: Maps) -> Maps:
        """The maps as they are."""
        return maps

    @property
    def norms(self) -> Iterable[nn.Module]:
        """None."""
        return ()


def _network(trunk: Any) -> Any:  # noqa: ANN401 - the transformers library has no types
    """What a `SwinBackbone` is made around; in release 5.0 of the library it is that itself."""
    return getattr(trunk, "swin", trunk)


def drop_paths_of_mlps(trunk: Any) -> None:  # noqa: ANN401 - the transformers library has no types
    """Drop the path of a block's MLP, too, as Swin's own code does; the library's drops attention.

    Args:
        trunk: a `SwinBackbone` of the transformers library; changed in place.
    """
    for layer in _network(trunk).encoder.layers:
        for block in layer.blocks:
            last = block.mlp if hasattr(block, "mlp") else block.output  # in its release 5.0
            last.register_forward_hook(_Dropped(block.drop_path))


class _Dropped:
    """A hook, an object so that a copy of a network has that of its own path."""

    def __init__(self, drop: nn.Module) -> None:
        self.drop = drop

    def __call__(self, module: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> Tensor:
        return self.drop(result)


class _Stage:
    def __init__(
        self, before: nn.Module | None, blocks: Iterable[nn.Module], options: dict[str, Any]
    ) -> None:
        self.before, self.blocks, self.options = before, blocks, options

    def __call__(self, seen: Tensor) -> Tensor:
        h, w = seen.shape[-2:]
        tokens = seen.flatten(2).transpose(1, 2)
        if self.before is not None:
            tokens = self.before(tokens, (h, w))
            h, w = (h + 1) // 2, (w + 1) // 2
        for block in self.blocks:
            tokens = block(tokens, (h, w), **self.options)[0]
        return _as_map(tokens, h, w)


def _as_map(
    tokens: Float[Tensor, " images cells dim"], h: int, w: int
) -> Float[Tensor, " images dim h w"]:
    return tokens.transpose(1, 2).unflatten(2, (h, w))

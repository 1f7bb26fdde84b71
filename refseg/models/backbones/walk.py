"""Networks of the transformers library stage by stage, so that a fusion can speak between them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from refseg.models.backbones.base import Stage
from refseg.types import Maps


class Walk(ABC):
    """The modules of a network in the order of the data.

    It has no weights: these stay where the library registers them, under their names. The maps of a
    walk, normalised, are those of the library's own forward pass.

    Args:
        trunk: a network of the transformers library.
        layers: of a network whose layers all have one stride: after which of them a stage ends,
            counted from 1. Others have the stages that they have.
    """

    pads = True
    """Images have to be padded to whole cells of the coarsest map; False: the network does so."""

    def __init__(
        self,
        trunk: Any,  # noqa: ANN401 - the transformers library has no types
        layers: Sequence[int] = (),
    ) -> None:
        self.trunk, self.layers = trunk, tuple(layers)

    @abstractmethod
    def stem(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images _ _ _"]:
        """What the first stage is given of normalised pixels."""

    @property
    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """What follows the stem."""

    def cells(self, state: Float[Tensor, " n dim _ w"]) -> Float[Tensor, " n dim _ w"]:
        """The map in what a stage gives: all of it, unless other tokens travel beside the cells."""
        return state

    def with_cells(
        self, state: Float[Tensor, " n dim _ w"], cells: Float[Tensor, " n dim h w"]
    ) -> Float[Tensor, " n dim _ w"]:
        """What a stage has given, with other cells."""
        return cells

    def normalized(self, maps: Maps) -> Maps:
        """The maps of the tapped stages as the library gives them: by default as they are."""
        return maps

    @property
    def norms(self) -> Iterable[nn.Module]:
        """The modules that only `normalized` needs."""
        return ()

    @property
    def always_in_evaluation(self) -> Iterable[nn.Module]:
        """Modules that would draw other random numbers in each stage."""
        return ()


def channels_last(norm: nn.Module, features: Tensor) -> Tensor:
    """Apply a normalisation of vectors to the cells of a map."""
    return norm(features.movedim(1, -1)).movedim(-1, 1)

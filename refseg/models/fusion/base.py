"""What every fusion promises."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor, nn

from refseg.models.backbones.base import Backbone
from refseg.types import Maps, TextFeatures


class Fusion(nn.Module, ABC):
    """Joins what an image shows with what an expression says, cell by cell.

    A fusion is built from `(dims, word_dim, sentence_dim)`, the widths of the maps that the
    backbone's neck gives and those of the text. It knows its own:

    * `dims`: channels of each map that it gives, from fine to coarse.

    An early fusion also speaks while the backbone is computed. It says where:

    * `sites`: the stages of the backbone after which `at_stage` is called; none by default.

    Up to the first site the backbone has one row per image. There the rows are gathered, and from
    there on everything is computed per expression: with seven expressions per image, the stages
    after the first site cost seven times as much.
    """

    dims: tuple[int, ...]
    sites: tuple[int, ...] = ()

    def at_stage(
        self, stage: int, seen: Float[Tensor, " expressions _ h w"], text: TextFeatures
    ) -> tuple[Float[Tensor, " expressions _ h w"], Float[Tensor, " expressions _ h w"]]:
        """Speak after a stage of the backbone.

        Args:
            stage: one of `sites`.
            seen: the stage's map, a row per expression.
            text: what is said.

        Returns:
            The map that is kept for the neck, and the map that is shown to the next stage.
        """
        return seen, seen

    @abstractmethod
    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        """Fuse each expression with the image that it looks at.

        Args:
            maps: of the neck, from fine to coarse; a row per image or, after an early fusion, a row
                per expression.
            text: of the text encoder.
            image_index: which row of the maps each expression looks at.
        """

    def keeping_image(self) -> AbstractContextManager[None]:
        """While it lasts, weights are the same, and expressions ask about one image in turn.

        What `forward` makes of the maps alone may be kept until it is given others. By default
        nothing is.
        """
        return nullcontext()

    def initialize_from(self, backbone: Backbone) -> None:
        """Start from weights of the backbone, such as its classifier; by default nothing is taken.

        Called once, by the segmenter that is made of both.

        Args:
            backbone: whose maps are fused.
        """


class WordStep(NamedTuple):
    """The state of a fusion that reads word by word, after one of the words.

    Args:
        maps: as `Fusion.forward` gives them.
        activation: of each cell of the coarsest map, to be shown of how a model reads.
    """

    maps: Maps
    activation: Float[Tensor, " expressions h w"]


class WordByWord(Fusion):
    """A fusion that reads word by word, and can show how it reads."""

    @abstractmethod
    def steps(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Iterator[WordStep]:
        """Yield what it has made of the words after each; after its last word a row stays.

        The last step's maps are those of `forward`.
        """


def finer_maps(maps: Maps, image_index: Int64[Tensor, " expressions"]) -> Maps:
    """All maps but the coarsest, a row per expression: what a fusion of one map lets pass by."""
    # index_select, since the gradient of indexing depends on the order of the threads
    return tuple(each.index_select(0, image_index) for each in maps[:-1])


def passed_dims(dims: Sequence[int], fused_dim: int) -> tuple[int, ...]:
    """The widths of a fusion that fuses the coarsest map and lets the finer ones pass by."""
    return (*dims[:-1], fused_dim)

"""What every fusion promises."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from refseg.models.backbones.base import Backbone
from refseg.types import TextFeatures


class Fusion(nn.Module, ABC):
    """Joins what an image shows with what an expression says, cell by cell.

    A fusion is built from `(image_dim, word_dim, sentence_dim)` and knows its own width:

    * `fused_dim`: channels of its output.
    """

    fused_dim: int

    @abstractmethod
    def forward(
        self,
        image_features: Float[Tensor, " images image_dim h w"],
        text: TextFeatures,
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions fused_dim h w"]:
        """Fuse each expression with the image that it looks at."""

    def start_from(self, backbone: Backbone) -> None:
        """Start from what came with the backbone's weights, where a fusion has a use for it.

        Called once, by the segmenter that is made of both.

        Args:
            backbone: whose features are fused.
        """


class RecurrentFusion(Fusion):
    """A fusion that reads word by word, and can show how it reads."""

    @abstractmethod
    def read(
        self,
        image_features: Float[Tensor, " images image_dim h w"],
        text: TextFeatures,
        image_index: Int64[Tensor, " expressions"],
    ) -> Iterator[Float[Tensor, " expressions fused_dim h w"]]:
        """What the cells hold after each word; after its last word an expression's map stays.

        Their mean over the channels is the activation that is shown of how a model reads.
        """

    def fused(
        self, cells: Float[Tensor, " expressions fused_dim h w"]
    ) -> Float[Tensor, " expressions fused_dim h w"]:
        """What the decoder is given of the cells; all of it, unless a fusion says otherwise."""
        return cells

    def steps(
        self,
        image_features: Float[Tensor, " images image_dim h w"],
        text: TextFeatures,
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " words expressions fused_dim h w"]:
        """The fused map after each word; after its last word an expression's map stays."""
        readings = self.read(image_features, text, image_index)
        return torch.stack([self.fused(cells) for cells in readings])

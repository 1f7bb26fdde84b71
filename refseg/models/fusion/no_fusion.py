"""No fusion: for decoders that listen to the words themselves."""

from collections.abc import Sequence

from jaxtyping import Int64
from torch import Tensor

from refseg.models.fusion.base import Fusion
from refseg.types import Maps, TextFeatures


class NoFusion(Fusion):
    """Gives each expression the maps of the image that it looks at, as they are.

    Words and pixels meet in the decoder alone: `SamDecoder` takes the words as a prompt.

    Args:
        dims: channels of the maps; supplied by the backbone.
        word_dim: not used.
        sentence_dim: not used.
    """

    def __init__(self, dims: Sequence[int], word_dim: int, sentence_dim: int) -> None:
        super().__init__()
        self.dims = tuple(dims)

    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        """Give each expression the image that it looks at."""
        return tuple(each.index_select(0, image_index) for each in maps)

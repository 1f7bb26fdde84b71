"""What every decoder promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.types import Maps, Output, TextFeatures


class Decoder(nn.Module, ABC):
    """Turns fused maps into logits in network size; built from `(dims, word_dim, sentence_dim)`.

    A decoder is given the widths of the fusion's maps, from fine to coarse, and those of the text.

    The logits are float32 (float64, if the weights are) in any precision of the trainer, and so is
    what is between the classifier and them: loss, prediction and score depend on their last bits.
    What is fused may be float32 where weights are not; `in_full_precision` takes both.

    A decoder that uses the text says so:

    * `listens`: reading word by word, it is given the words so far, read again at each of them.
    """

    listens: ClassVar[bool] = False

    @abstractmethod
    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels.

        Args:
            fused: of the fusion, a row per expression.
            text: of the text encoder, for decoders that listen as well.
            size: of the logits.
        """

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether these constructor arguments ask for no file and no download.

        Those of a checkpoint do not (`portable_arguments`), and one whose do is not opened.
        """
        return arguments.get("weights") is None

    def portable_arguments(self) -> dict[str, Any]:
        """Constructor arguments that make this decoder again without any file but a checkpoint.

        They replace the configured ones in a checkpoint, which carries the weights itself.
        """
        return {}

    def cell_logits(self, fused: Maps, text: TextFeatures) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the coarsest map, as LSTM-CNN's first stage trains on."""
        h, w = fused[-1].shape[-2:]
        return self(fused, text, (h, w)).logits

    def enlarge(
        self, maps: Float[Tensor, " n dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " n dim height width"]:
        """Bring any map to `size`, with each cell where the decoder takes it to lie."""
        return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)

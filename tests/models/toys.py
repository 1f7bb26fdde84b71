"""The smallest fusion that speaks early, and the smallest decoder that asks with a query."""

from collections.abc import Sequence

from jaxtyping import Int64
from torch import Tensor, nn

from refseg.models.decoders import Decoder
from refseg.models.fusion import Fusion
from refseg.precision import full_precision
from refseg.types import Maps, Output, TextFeatures


class EarlyToy(Fusion):
    """Scales the maps of two stages by the sentence; shows the next stage less than it keeps.

    Args:
        dims: of the neck's maps.
        word_dim: not used.
        sentence_dim: of the sentence.
        stage_dims: channels of the stages after which it speaks, by their numbers.
    """

    def __init__(
        self, dims: Sequence[int], word_dim: int, sentence_dim: int, stage_dims: dict[int, int]
    ) -> None:
        super().__init__()
        self.dims, self.sites = tuple(dims), tuple(stage_dims)
        self.scale = nn.ModuleDict(
            {str(stage): nn.Linear(sentence_dim, dim) for stage, dim in stage_dims.items()}
        )

    def at_stage(self, stage: int, seen: Tensor, text: TextFeatures) -> tuple[Tensor, Tensor]:
        scaled = seen * self.scale[str(stage)](text.sentence)[:, :, None, None].tanh()
        return scaled, seen + 0.5 * scaled

    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        return tuple(each.index_select(0, image_index) for each in maps)


class QueryToy(Decoder):
    """Compares each cell with one query, made of the sentence, and says when nothing is meant.

    Args:
        dims: of the fused maps.
        word_dim: not used.
        sentence_dim: of the sentence.
    """

    listens = True

    def __init__(self, dims: Sequence[int], word_dim: int, sentence_dim: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(sentence_dim, dims[-1])
        self.nothing = nn.Linear(dims[-1], 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        query = full_precision(self.classifier(text.sentence))
        seen = full_precision(fused[-1])
        similarity = (seen * query[:, :, None, None]).sum(1, keepdim=True)
        no_target = self.nothing(seen.mean((2, 3)).to(self.nothing.weight.dtype))[:, 0]
        logits = self.enlarge(similarity, size)[:, 0]
        return Output(logits, no_target, {"query": query})

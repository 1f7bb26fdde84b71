"""The network: backbone, text encoder, fusion and decoder in the order of the data."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.base import Backbone
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.decoders import BilinearDecoder, Decoder, legacy_upsample
from refseg.models.fusion.base import Fusion, RecurrentFusion
from refseg.models.text_encoders.base import TextEncoder
from refseg.types import Batch

BackboneFactory = Callable[[], Backbone]
TextEncoderFactory = Callable[[int], TextEncoder]  # vocab_size
FusionFactory = Callable[[int, int, int], Fusion]  # image_dim, word_dim, sentence_dim
DecoderFactory = Callable[[int], Decoder]  # fused_dim


class Step(NamedTuple):
    """What a network that reads word by word has made of the words so far.

    Args:
        logits: in network size, before the sigmoid.
        activations: mean over the channels of what the fusion's cells hold, in network size.
    """

    logits: Float[Tensor, " expressions height width"]
    activations: Float[Tensor, " expressions height width"]


class Segmenter(nn.Module):
    """Segments what each expression of a batch names, encoding every image once.

    Args:
        backbone: makes the backbone.
        text_encoder: makes the text encoder from `vocab_size`.
        fusion: makes the fusion from the widths of both.
        decoder: makes the decoder from the width of the fusion.
        vocab_size: number of token ids; supplied by the data.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        text_encoder: TextEncoderFactory,
        fusion: FusionFactory,
        decoder: DecoderFactory,
        vocab_size: int,
    ) -> None:
        super().__init__()
        self.backbone = backbone()
        self.text_encoder = text_encoder(vocab_size)
        self.fusion = fusion(
            self.backbone.image_dim, self.text_encoder.word_dim, self.text_encoder.sentence_dim
        )
        self.fusion.start_from(self.backbone)
        self.backbone.classifier = None  # it has served
        self.decoder = decoder(self.fusion.fused_dim)

    def forward(self, batch: Batch) -> Float[Tensor, " expressions height width"]:
        """Logits in network size, before the sigmoid."""
        fused = self._fuse(self._see(batch), batch.tokens, batch.token_mask, batch.image_index)
        return self.decoder(fused, batch.size)

    def from_features(
        self,
        image_features: Float[Tensor, " images image_dim h w"],
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the feature grid, before the sigmoid.

        Args:
            image_features: what the backbone makes of the images: cached, say, or of other code.
            tokens: padded on the right; an `LSTMEncoder` reads any other padding as well.
            token_mask: True at a word.
            image_index: which image each expression looks at.
        """
        return self.decoder.cells(self._fuse(image_features, tokens, token_mask, image_index))

    def _see(self, batch: Batch) -> Float[Tensor, " images image_dim h w"]:
        """The features of the images: by the backbone, or by what follows its trunk alone."""
        if batch.features is None:
            assert batch.images is not None
            return self.backbone(batch.images)
        assert isinstance(self.backbone, TrunkBackbone)
        return self.backbone.finish(batch.features, batch.size)

    def _fuse(
        self, image_features: Tensor, tokens: Tensor, token_mask: Tensor, image_index: Tensor
    ) -> Tensor:
        return self.fusion(image_features, self.text_encoder(tokens, token_mask), image_index)

    def one_by_one(self, batch: Batch) -> Float[Tensor, " expressions height width"]:
        """The same logits, to the last bit whatever else is in the batch.

        Convolutions and matrix products choose their kernels, and with them the order in which they
        add, by the size of the batch: the same expression in another batch has logits that differ
        in the last bits, and now and then a pixel at the threshold tips over. Here each image goes
        through the backbone once and alone, each expression through the rest alone, without the
        padding that only others need.
        """
        features: dict[int, Tensor] = {}
        logits = []
        for expression, image in enumerate(batch.image_index.tolist()):
            alone = batch.select([expression])  # a copy: in memory it lies as in its own batch
            if image not in features:
                features[image] = self._see(alone)
            tokens, token_mask = alone.tokens.contiguous(), alone.token_mask.contiguous()
            fused = self._fuse(features[image], tokens, token_mask, alone.image_index)
            logits.append(self.decoder(fused, batch.size))
        return torch.cat(logits)

    @property
    def reads_word_by_word(self) -> bool:
        """Whether `steps` is available."""
        return isinstance(self.fusion, RecurrentFusion)

    def steps(self, batch: Batch) -> Float[Tensor, " words expressions height width"]:
        """Logits in network size after each word, for a fusion that reads word by word.

        Raises:
            TypeError: the fusion reads the sentence at once.
        """
        return torch.stack([step.logits for step in self.read(batch)])

    def read(self, batch: Batch) -> Iterator[Step]:
        """What the network makes of the expressions after each word; one step at a time in memory.

        Raises:
            TypeError: the fusion reads the sentence at once.
        """
        if not isinstance(self.fusion, RecurrentFusion):
            raise TypeError(f"{type(self.fusion).__name__} reads the sentence at once, not by word")
        image_features = self._see(batch)
        text = self.text_encoder(batch.tokens, batch.token_mask)
        for cells in self.fusion.read(image_features, text, batch.image_index):
            mean = cells.mean(dim=1, keepdim=True)
            logits = self.decoder(self.fusion.fused(cells), batch.size)
            yield Step(logits, self._enlarge(mean, batch.size)[:, 0])

    def _enlarge(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """To network size, with each cell where the decoder takes it to lie."""
        if isinstance(self.decoder, BilinearDecoder) and self.decoder.grid == "legacy":
            return legacy_upsample(maps, size)
        return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)

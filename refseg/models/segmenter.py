"""The network: backbone, text encoder, fusion and decoder in the order of the data."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.models.backbones.base import Backbone
from refseg.models.decoders import Decoder
from refseg.models.fusion.base import Fusion, WordByWord
from refseg.models.text_encoders.base import TextEncoder
from refseg.precision import in_full_precision
from refseg.types import WORDS, Batch, Maps, Output, TextFeatures

BackboneFactory = Callable[[], Backbone]
TextEncoderFactory = Callable[[int], TextEncoder]  # vocab_size
FusionFactory = Callable[[tuple[int, ...], int, int], Fusion]  # dims, word_dim, sentence_dim
DecoderFactory = Callable[[tuple[int, ...], int, int], Decoder]  # dims, word_dim, sentence_dim


_COMPILED = ("see", "_speak")


class Step(NamedTuple):
    """What a network that reads word by word has made of the words so far.

    Args:
        logits: in network size, before the sigmoid.
        activations: how active each of the fusion's cells is, in network size.
    """

    logits: Float[Tensor, " expressions height width"]
    activations: Float[Tensor, " expressions height width"]


class Segmenter(nn.Module):
    """Segments what each expression of a batch names, encoding every image once.

    What no part can express is a subclass of it, which takes the same arguments and then its own:
    `model.segmenter` in a config. Every answer comes of `see`, once for an image, and `answer`,
    which it may override; what `read` shows of the words' steps does not.

    Args:
        backbone: makes the backbone.
        text_encoder: makes the text encoder from `vocab_size`.
        fusion: makes the fusion from the widths of both.
        decoder: makes the decoder from the widths of the fusion and of the text.
        vocab_size: number of token ids; supplied by the data.
        name_words: while training, also say of each cell of the backbone's coarsest map which
            words it would be called by (`auxiliary["words"]`), for `refseg.losses.WordLoss`; of the
            last map before the words are heard, where a fusion speaks between the stages.

    Raises:
        ConfigError: a fusion speaks where the backbone has no stage.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        text_encoder: TextEncoderFactory,
        fusion: FusionFactory,
        decoder: DecoderFactory,
        vocab_size: int,
        name_words: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone()
        self.text_encoder = text_encoder(vocab_size)
        text_dims = self.text_encoder.word_dim, self.text_encoder.sentence_dim
        self.fusion = fusion(self.backbone.dims, *text_dims)
        _check_sites(self.fusion, self.backbone)
        if self.fusion.sites:
            self.backbone.open_stages()
        self.fusion.initialize_from(self.backbone)
        self.backbone.classifier = None  # it has served
        self.decoder = decoder(self.fusion.dims, *text_dims)
        self.words = nn.Conv2d(self._unspoken_dim, vocab_size, 1) if name_words else None
        self.names_words = False
        """Whether words are named in evaluation too, for the loss of what is evaluated."""

    def compile(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as torch.compile
        """Compile, in place, what costs most: the image side, the fusion and the decoder.

        Weights keep their names, so that checkpoints are the same. Not compiled are the text
        encoder and fusions that read word by word, whose loops follow the lengths of the
        sentences, and what single steps of the reading need (`read`). A copy is not compiled.

        Args:
            arguments: of `torch.compile`.
            options: of `torch.compile`.
        """
        compiled = partial(torch.compile, *arguments, **options)
        for name in _COMPILED:
            self.__dict__[name] = compiled(getattr(self, name))
        for part in (self.decoder, *(() if self.reads_word_by_word else (self.fusion,))):
            part.compile(*arguments, **options)

    @property
    def is_compiled(self) -> bool:
        """Whether `compile` has been called."""
        return _COMPILED[0] in self.__dict__

    def __getstate__(self) -> dict[str, Any]:
        """All but what is compiled, which belongs to this very object."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]  # of torch
        return {name: value for name, value in state.items() if name not in _COMPILED}

    def forward(self, batch: Batch) -> Output:
        """Answer a batch; each image is encoded once, however many expressions look at it."""
        return self.answer(self.see(batch), batch, batch.image_index)

    def from_features(
        self,
        image_features: Float[Tensor, " images dim h w"],
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the feature grid, before the sigmoid.

        Args:
            image_features: the maps of the backbone's neck, computed by other code, say.
            tokens: padded on the right; an `LSTMEncoder` reads any other padding as well.
            token_mask: True at a word.
            image_index: which image each expression looks at.
        """
        text = self.text_encoder(tokens, token_mask)
        return self.decoder.cell_logits(self.fusion((image_features,), text, image_index), text)

    def one_by_one(self, batch: Batch) -> Output:
        """The output that does not depend on the rest of the batch, to the last bit.

        Convolutions and matrix products choose their kernels, and with them the order in which they
        add, by the size of the batch: the same expression in another batch has logits that differ
        in the last bits, and now and then a pixel at the threshold tips over. Here each image goes
        through the backbone once and alone, each expression through the rest alone, without the
        padding that only others need.
        """
        return together([output for _, output in self.each(batch)])

    def each(self, batch: Batch) -> Iterator[tuple[Batch, Output]]:
        """Each expression of a batch alone, with its output (`one_by_one`), in their order."""
        seen: dict[int, Maps] = {}
        with self.fusion.keeping_image():
            for expression, image in enumerate(batch.image_index.tolist()):
                alone = batch.select([expression])  # a copy: in memory it lies as in its own batch
                if image not in seen:
                    seen[image] = self.see(alone)
                yield alone, self.answer(seen[image], alone, alone.image_index)

    @property
    def first_site(self) -> int | None:
        """The stage of the backbone after which words are first heard, None: after the neck."""
        return min(self.fusion.sites, default=None)

    @property
    def _unspoken_dim(self) -> int:
        """Channels of the last map that no words have gone into."""
        if self.first_site is None:
            return self.backbone.dims[-1]
        return self.backbone.stage_dims()[self.first_site]

    def see(self, batch: Batch) -> Maps:
        """Compute all that does not depend on the words, a row per image: what the neck gives.

        Or, where a fusion speaks early, what comes before its first site.
        """
        if batch.features is not None:
            maps = batch.features
        else:
            assert batch.images is not None
            maps = self.backbone.maps(batch.images, self.first_site)
        return maps if self.fusion.sites else self.backbone.neck(maps, batch.size)

    def _listen(self, batch: Batch) -> TextFeatures:
        return self.text_encoder(batch.tokens.contiguous(), batch.token_mask.contiguous())

    def _speak(self, seen: Maps, text: TextFeatures, size: tuple[int, int]) -> Maps:
        """Compute the backbone from the first site on, a row per expression, up to the neck."""
        *kept, current = seen
        stages = self.backbone.stages
        for number in range(min(self.fusion.sites), len(stages)):
            if number > min(self.fusion.sites):
                current = stages[number](current)
            tapped = self.backbone.cells(current)
            if number in self.fusion.sites:
                tapped, shown = self.fusion.at_stage(number, tapped, text)
                current = self.backbone.with_cells(current, shown)
            if number in self.backbone.taps:
                kept.append(tapped)
        return self.backbone.neck(tuple(kept), size)

    def _meet(
        self, seen: Maps, text: TextFeatures, image_index: Tensor, size: tuple[int, int]
    ) -> tuple[Maps, Tensor]:
        """What the fusion is given of the images, and the row that each expression looks at."""
        if not self.fusion.sites:
            return seen, image_index
        gathered = tuple(each.index_select(0, image_index) for each in seen)
        every = torch.arange(image_index.shape[0], device=image_index.device)
        return self._speak(gathered, text, size), every

    def answer(self, seen: Maps, batch: Batch, image_index: Tensor) -> Output:
        """Answer each expression of a batch.

        Args:
            seen: what `see` gave of the images.
            batch: with the words; of its images the size alone is needed.
            image_index: which row of the maps each expression looks at.
        """
        text = self._listen(batch)
        maps, rows = self._meet(seen, text, image_index, batch.size)
        output = self.decoder(self.fusion(maps, text, rows), text, batch.size)
        if self.words is None or not (self.training or self.names_words):
            return output
        unspoken = maps[-1]
        if self.fusion.sites:
            unspoken, rows = self.backbone.cells(seen[-1]), image_index
        words = in_full_precision(self.words, unspoken).index_select(0, rows)
        return replace(output, auxiliary={**output.auxiliary, WORDS: words})

    @property
    def reads_word_by_word(self) -> bool:
        """Whether `steps` is available."""
        return isinstance(self.fusion, WordByWord)

    def steps(self, batch: Batch) -> Float[Tensor, " words expressions height width"]:
        """Logits in network size after each word, for a fusion that reads word by word.

        Raises:
            TypeError: the fusion reads the sentence at once.
        """
        return torch.stack([step.logits for step in self.read(batch)])

    def read(self, batch: Batch) -> Iterator[Step]:
        """The output after each word of the expressions; one step at a time in memory.

        Raises:
            TypeError: the fusion reads the sentence at once.
        """
        if not isinstance(self.fusion, WordByWord):
            raise TypeError(f"{type(self.fusion).__name__} reads the sentence at once, not by word")
        text = self._listen(batch)
        maps, rows = self._meet(self.see(batch), text, batch.image_index, batch.size)
        places = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)
        for read, step in enumerate(self.fusion.steps(maps, text, rows), start=1):
            heard = text
            if self.decoder.listens:
                heard = self._listen(replace(batch, token_mask=batch.token_mask & (places < read)))
            logits = self.decoder(step.maps, heard, batch.size).logits
            activations = self.decoder.enlarge(step.activation[:, None], batch.size)[:, 0]
            yield Step(logits, activations)


SegmenterFactory = Callable[
    # vocab_size and name_words
    [BackboneFactory, TextEncoderFactory, FusionFactory, DecoderFactory, int, bool], Segmenter
]


def _check_sites(fusion: Fusion, backbone: Backbone) -> None:
    """Make sure that the backbone has the stages after which a fusion speaks."""
    stages = len(backbone.stages)
    if all(0 <= site < stages for site in fusion.sites):
        return
    asked = ", ".join(map(str, fusion.sites))
    raise ConfigError(
        f"{type(fusion).__name__} speaks after the stages {asked} of a backbone, and "
        f"{type(backbone).__name__} "
        + (f"has the stages 0 to {stages - 1}" if stages else "is computed as a whole")
        + "; choose another backbone: SmallBackbone, AtrousResNet and ClipResNet have four stages, "
        "TorchvisionBackbone and convolutional networks of TimmBackbone one for each stride, "
        "VGG16FullyConvolutional five, and a Swin, ConvNeXt, DINO or image tower of "
        "TransformersBackbone with every_stage one for each map."
    )


def together(outputs: Sequence[Output]) -> Output:
    """The outputs of several batches as one.

    Args:
        outputs: at least one.
    """
    logits = torch.cat([output.logits for output in outputs])
    no_target = [output.no_target for output in outputs if output.no_target is not None]
    auxiliary = {
        name: torch.cat([output.auxiliary[name] for output in outputs])
        for name in outputs[0].auxiliary
    }
    return Output(logits, torch.cat(no_target) if no_target else None, auxiliary)

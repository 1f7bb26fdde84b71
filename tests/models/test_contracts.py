"""What every variant of a part promises, checked for all of them.

A new variant takes one line in `variants.py`.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.testing import assert_close

from refseg.models.backbones import (
    Backbone,
)
from refseg.models.decoders import (
    Decoder,
)
from refseg.models.fusion import (
    Fusion,
    WordByWord,
)
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import TextEncoder
from refseg.types import Batch, Maps, TextFeatures

from .variants import (
    BACKBONES,
    DECODERS,
    EARLY,
    FUSIONS,
    LOOK_AROUND,
    NETWORKS,
    OF_SEVERAL_MAPS,
    PRECISIONS,
    TEXT_ENCODERS,
)

MakeBatch = Callable[..., Batch]
VOCAB_SIZE = 50


@pytest.fixture(scope="module", params=BACKBONES)
def built_backbone(request: pytest.FixtureRequest, transformers_models: Path) -> Backbone:
    torch.manual_seed(0)
    return BACKBONES[request.param](transformers_models)()


@pytest.fixture
def backbone(built_backbone: Backbone) -> Backbone:
    return deepcopy(built_backbone)


@pytest.fixture(scope="module", params=TEXT_ENCODERS)
def built_text_encoder(request: pytest.FixtureRequest, transformers_models: Path) -> TextEncoder:
    torch.manual_seed(0)
    return TEXT_ENCODERS[request.param](transformers_models)(VOCAB_SIZE)


@pytest.fixture
def text_encoder(built_text_encoder: TextEncoder) -> TextEncoder:
    return deepcopy(built_text_encoder)


@pytest.fixture(params=FUSIONS)
def fusion(request: pytest.FixtureRequest) -> Fusion:
    torch.manual_seed(0)
    built = FUSIONS[request.param]((8, 9), 7, 5)
    # In training, statistics of the batch are meant to mix its expressions.
    return built.eval() if any(isinstance(each, _BatchNorm) for each in built.modules()) else built


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    torch.manual_seed(0)
    decoder = DECODERS[request.param]((6,), 7, 5)
    for parameter in decoder.parameters():  # what starts at 0 hides what follows
        if parameter.dim() > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return decoder


@pytest.fixture(scope="module", params=NETWORKS)
def built_segmenter(request: pytest.FixtureRequest, transformers_models: Path) -> Segmenter:
    torch.manual_seed(0)
    image, text, fusion, decoder = NETWORKS[request.param]
    network = Segmenter(
        BACKBONES[image](transformers_models),
        TEXT_ENCODERS[text](transformers_models),
        {**FUSIONS, **EARLY}[fusion],
        {**DECODERS, **OF_SEVERAL_MAPS}[decoder],
        VOCAB_SIZE,
    )
    # Fresh heads are nearly constant; trained ones are not.
    if hasattr(network.decoder, "classifier"):
        nn.init.normal_(network.decoder.classifier.weight)
    return network


@pytest.fixture
def segmenter(built_segmenter: Segmenter) -> Segmenter:
    return deepcopy(built_segmenter)


def _without_gradient(part: nn.Module) -> list[str]:
    """Names of trained parameters that the last backward pass did not reach."""
    return [
        name
        for name, parameter in part.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]


def _rounding(values: Tensor) -> float:
    """How far results of float32 may be apart: sums round at the size of their largest terms."""
    return 1e-5 * max(1.0, values.abs().max().item())


def _repeat_padding(batch: Batch, columns: int) -> Batch:
    """The same batch with more padding, under which stand arbitrary words."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, VOCAB_SIZE, batch.tokens.shape, generator=generator)
    tokens = torch.where(batch.token_mask, batch.tokens, tokens)
    more = torch.randint(0, VOCAB_SIZE, (len(tokens), columns), generator=generator)
    batch.tokens = torch.cat([tokens, more], dim=1)
    batch.token_mask = functional.pad(batch.token_mask, (0, columns))
    return batch


class TestBackbone:
    """From images to grids."""

    @pytest.mark.parametrize("size", [(64, 96), (61, 83), (57, 80)])
    def test_width_and_stride_are_true(
        self, backbone: Backbone, make_batch: MakeBatch, size: tuple[int, int]
    ) -> None:
        maps = backbone.eval()(make_batch(size=size).images)
        expected = [
            [2, dim, *(-(-side // stride) for side in size)]
            for dim, stride in zip(backbone.dims, backbone.strides, strict=True)
        ]
        assert [list(each.shape) for each in maps] == expected

    def test_stages_give_the_maps_that_the_neck_is_given(
        self, backbone: Backbone, make_batch: MakeBatch
    ) -> None:
        """A fusion may speak after each of them: the walk by hand ends where `maps` does."""
        images = make_batch(size=(64, 96)).images
        backbone.eval()
        if not backbone.stages:  # computed as a whole
            assert backbone.taps == ()
            return
        kept = {backbone.STEM: backbone.stem(images)}
        for number, stage in enumerate(backbone.stages):
            kept[number] = stage(kept[number - 1])
            *_, last = backbone.maps(images, until=number)
            assert_close(last, kept[number], rtol=1e-5, atol=1e-5)
        for tapped, each in zip(backbone.taps, backbone.maps(images), strict=True):
            assert_close(backbone.cells(kept[tapped]), each, rtol=1e-5, atol=1e-5)
            assert backbone.with_cells(kept[tapped], each).equal(kept[tapped])

    def test_batch_of_two_equals_two_of_one(
        self, backbone: Backbone, make_batch: MakeBatch
    ) -> None:
        images = make_batch().images
        backbone.eval()
        alone = [backbone(image[None]) for image in images]
        for together, *rows in zip(backbone(images), *alone, strict=True):
            scale = max(1.0, together.abs().max().item())
            assert_close(together, torch.cat(rows), rtol=1e-4, atol=1e-5 * scale)
            assert not torch.allclose(together[0], together[1], rtol=1e-2, atol=0)  # it looks

    def test_gradient_reaches_every_trained_parameter(
        self, backbone: Backbone, make_batch: MakeBatch
    ) -> None:
        maps = backbone(make_batch(size=(64, 96)).images)
        torch.stack([(each * torch.randn_like(each)).sum() for each in maps]).sum().backward()
        assert _without_gradient(backbone) == []

    def test_state_does_not_depend_on_files(self, backbone: Backbone) -> None:
        """A normalisation is a constant of the class, no weight."""
        assert not any(name.startswith("normalization") for name in backbone.state_dict())


class TestTextEncoder:
    """From tokens to vectors."""

    def test_widths_are_true(self, text_encoder: TextEncoder, make_batch: MakeBatch) -> None:
        batch = make_batch(lengths=(3, 5, 1, 5), image_index=(0, 0, 0, 0))
        text = text_encoder.eval()(batch.tokens, batch.token_mask)
        assert text.words.shape == (4, 5, text_encoder.word_dim)
        assert text.sentence.shape == (4, text_encoder.sentence_dim)
        assert text.token_mask.equal(batch.token_mask)

    def test_padding_changes_nothing(
        self, text_encoder: TextEncoder, make_batch: MakeBatch
    ) -> None:
        batch = make_batch()
        text_encoder.eval()
        before = text_encoder(batch.tokens, batch.token_mask)
        padded = _repeat_padding(batch, 5)
        after = text_encoder(padded.tokens, padded.token_mask)
        assert_close(after.sentence, before.sentence, rtol=1e-4, atol=1e-5)
        said = before.token_mask
        assert_close(after.words[:, :5][said], before.words[said], rtol=1e-4, atol=1e-5)

    def test_batch_of_many_equals_many_of_one(
        self, text_encoder: TextEncoder, make_batch: MakeBatch
    ) -> None:
        batch = make_batch()
        text_encoder.eval()
        together = text_encoder(batch.tokens, batch.token_mask)
        for row, length in enumerate(batch.token_mask.sum(1).tolist()):
            tokens, token_mask = batch.tokens[[row], :length], batch.token_mask[[row], :length]
            alone = text_encoder(tokens, token_mask)
            assert_close(together.sentence[[row]], alone.sentence, rtol=1e-4, atol=1e-5)
            assert_close(together.words[[row], :length], alone.words, rtol=1e-4, atol=1e-5)

    def test_sentence_without_words_is_zero(
        self, text_encoder: TextEncoder, make_batch: MakeBatch
    ) -> None:
        batch = make_batch(lengths=(3, 0), image_index=(0, 0))
        text = text_encoder.eval()(batch.tokens, batch.token_mask)
        reads_padding = getattr(text_encoder, "left_padding", None) is not None
        assert text.sentence[1].any() == reads_padding
        assert text.words[0].isfinite().all()
        assert text.sentence[0].any()

    def test_gradient_reaches_every_trained_parameter(
        self, text_encoder: TextEncoder, make_batch: MakeBatch
    ) -> None:
        batch = make_batch(lengths=(3, 5, 4))
        text = text_encoder(batch.tokens, batch.token_mask)
        words = text.words[text.token_mask]
        loss = (words * torch.randn_like(words)).sum()
        (loss + (text.sentence * torch.randn_like(text.sentence)).sum()).backward()
        assert _without_gradient(text_encoder) == []

    def test_words_matter(self, text_encoder: TextEncoder, make_batch: MakeBatch) -> None:
        batch, other = make_batch(), make_batch(seed=1)
        text_encoder.eval()
        before = text_encoder(batch.tokens, batch.token_mask).sentence
        after = text_encoder(other.tokens, batch.token_mask).sentence
        # A pooled sentence reads one token through attention: it moves, be it little.
        assert ((before - after).abs().amax(1) > 1e-4).all()


class TestFusion:
    """From both to one map per expression."""

    lengths = (2, 4, 1)

    def _maps(self, images: int) -> Maps:
        """A fine map, which fusions of one map let pass by, and a coarse one."""
        generator = torch.Generator().manual_seed(2)
        return (
            torch.randn(images, 8, 6, 8, generator=generator),
            torch.randn(images, 9, 3, 4, generator=generator),
        )

    def test_widths_are_true(self, fusion: Fusion, make_text: Callable[..., TextFeatures]) -> None:
        fused = fusion(self._maps(2), make_text(self.lengths), torch.tensor([1, 0, 1]))
        assert [each.shape[:2] for each in fused] == [(3, dim) for dim in fusion.dims]
        assert fused[-1].shape[2:] == (3, 4)

    def test_image_index_chooses_the_image(
        self, fusion: Fusion, make_text: Callable[..., TextFeatures]
    ) -> None:
        maps, text = self._maps(3), make_text(self.lengths)
        for index in ([0, 1, 2], [2, 0, 1], [1, 1, 0], [2, 2, 2]):
            fused = fusion(maps, text, torch.tensor(index))
            as_own_image = fusion(tuple(each[index] for each in maps), text, torch.arange(3))
            assert_close(fused, as_own_image)

    def test_permuted_expressions_give_permuted_maps(
        self, fusion: Fusion, make_text: Callable[..., TextFeatures]
    ) -> None:
        maps, text = self._maps(2), make_text(self.lengths)
        index, order = torch.tensor([1, 0, 1]), torch.tensor([2, 0, 1])
        permuted = TextFeatures(text.words[order], text.sentence[order], text.token_mask[order])
        fused = fusion(maps, text, index)
        expected = tuple(each[order] for each in fused)
        assert_close(fusion(maps, permuted, index[order]), expected)
        assert not torch.allclose(fused[-1][0], fused[-1][2])  # same image, other words

    def test_padding_changes_nothing(
        self, fusion: Fusion, make_text: Callable[..., TextFeatures]
    ) -> None:
        text, index = make_text(self.lengths), torch.tensor([0, 1, 0])
        before = fusion(self._maps(2), text, index)
        words = functional.pad(text.words, (0, 0, 0, 5))
        token_mask = functional.pad(text.token_mask, (0, 5))
        words = torch.where(token_mask[..., None], words, 100 * torch.randn_like(words))
        after = fusion(self._maps(2), TextFeatures(words, text.sentence, token_mask), index)
        assert_close(after, before)

    def test_expressions_do_not_touch_each_other(
        self, fusion: Fusion, make_text: Callable[..., TextFeatures]
    ) -> None:
        maps, text = self._maps(2), make_text(self.lengths)
        index = torch.tensor([1, 0, 1])
        together = fusion(maps, text, index)
        for row, image in enumerate(index.tolist()):
            own = TextFeatures(text.words[[row]], text.sentence[[row]], text.token_mask[[row]])
            alone = fusion(tuple(each[[image]] for each in maps), own, torch.tensor([0]))
            expected = tuple(each[[row]] for each in together)
            assert_close(alone, expected, rtol=1e-4, atol=1e-6)

    def test_gradient_reaches_parameters_words_and_image(
        self, fusion: Fusion, make_text: Callable[..., TextFeatures]
    ) -> None:
        maps = tuple(each.requires_grad_() for each in self._maps(2))
        text = make_text(self.lengths)
        text.words.requires_grad_()
        text.sentence.requires_grad_()
        fused = fusion(maps, text, torch.tensor([1, 0, 1]))
        torch.stack([(each * torch.randn_like(each)).sum() for each in fused]).sum().backward()
        assert _without_gradient(fusion) == []
        for each in maps:
            assert each.grad is not None
            assert each.grad.flatten(1).any(1).all()
        read = text.words.grad if text.words.grad is not None else text.sentence.grad
        assert read is not None
        assert read.flatten(1).any(1).all()
        if text.words.grad is not None:
            assert not text.words.grad[~text.token_mask].any()

    def test_empty_features_give_finite_gradients(
        self, fusion: Fusion, make_text: Callable[..., TextFeatures]
    ) -> None:
        """Cells and sentences of zeros occur: after a ReLU, and where nothing was said."""
        maps = tuple(torch.zeros_like(each[:1]).requires_grad_() for each in self._maps(1))
        text = make_text(self.lengths)
        text.sentence = torch.zeros_like(text.sentence).requires_grad_()
        fusion(maps, text, torch.tensor([0, 0, 0]))[-1].sum().backward()
        assert maps[-1].grad is not None
        assert maps[-1].grad.isfinite().all()
        assert maps[-1].grad.abs().max() < 1e9

    def test_steps_are_the_forward_passes_of_prefixes(
        self, fusion: Fusion, make_text: Callable[..., TextFeatures]
    ) -> None:
        if not isinstance(fusion, WordByWord):
            assert not hasattr(fusion, "steps")
            return
        maps, text, index = self._maps(2), make_text(self.lengths), torch.tensor([1, 0, 1])
        steps = list(fusion.steps(maps, text, index))
        assert len(steps) == 4
        assert_close(steps[-1].maps, fusion(maps, text, index))
        for read, step in enumerate(steps, start=1):
            mask = text.token_mask & (torch.arange(4) < read)
            prefix = TextFeatures(text.words, text.sentence, mask)
            assert_close(step.maps, fusion(maps, prefix, index))
            assert step.activation.shape == (3, 3, 4)

    def test_exports(self, fusion: Fusion, make_text: Callable[..., TextFeatures]) -> None:
        """The exported program is for any number of images and expressions, and any lengths."""
        images, expressions = Dim("images", min=2), Dim("expressions", min=2)
        program = torch.export.export(
            _Exported(fusion.eval()),
            (self._maps(2), *_parts(make_text(self.lengths)), torch.tensor([1, 0, 1])),
            dynamic_shapes=(
                ({0: images}, {0: images}),
                *({0: expressions} for _ in range(4)),
            ),
        ).module()
        for lengths, index in (((2, 4, 1), [1, 0, 1]), ((4, 1, 1, 3, 2), [2, 0, 1, 1, 0])):
            maps, text = self._maps(max(index) + 1), make_text(lengths, seed=1)
            exported = program(maps, *_parts(text), torch.tensor(index))
            assert_close(exported, fusion(maps, text, torch.tensor(index)), rtol=1e-4, atol=1e-6)


class _Exported(nn.Module):
    """A fusion that is called with tensors alone."""

    def __init__(self, fusion: Fusion) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(
        self, maps: Maps, words: Tensor, sentence: Tensor, token_mask: Tensor, image_index: Tensor
    ) -> Maps:
        return self.fusion(maps, TextFeatures(words, sentence, token_mask), image_index)


def _parts(text: TextFeatures) -> tuple[Tensor, Tensor, Tensor]:
    return text.words, text.sentence, text.token_mask


class TestDecoder:
    """From maps to logits."""

    @pytest.mark.parametrize("size", [(12, 16), (11, 30)])
    def test_size_is_as_asked(
        self, decoder: Decoder, make_text: Callable[..., TextFeatures], size: tuple[int, int]
    ) -> None:
        output = decoder(self._maps(), make_text((2, 4, 1)), size)
        assert output.logits.shape == (3, *size)

    def test_cells_have_one_logit_each(
        self, decoder: Decoder, make_text: Callable[..., TextFeatures]
    ) -> None:
        (fused,), text = self._maps(), make_text((2, 4, 1))
        logits = decoder.eval().cell_logits((fused,), text)
        assert logits.shape == (3, 3, 4)
        if isinstance(decoder, LOOK_AROUND):
            return
        apart = [
            decoder.cell_logits((fused[:, :, [i]][..., [j]],), text)
            for i in range(3)
            for j in range(4)
        ]
        assert_close(logits, torch.cat(apart, dim=2).view(3, 3, 4))

    def test_gradient_reaches_every_trained_parameter(
        self, decoder: Decoder, make_text: Callable[..., TextFeatures]
    ) -> None:
        maps = tuple(each.requires_grad_() for each in self._maps())
        output = decoder(maps, make_text((2, 4, 1)), (12, 16))
        said = output.logits if output.no_target is None else output.no_target
        (output.logits.square().sum() + said.square().sum()).backward()
        assert _without_gradient(decoder) == []
        for each in maps:
            assert each.grad is not None
            assert each.grad.flatten(1).any(1).all()

    def _maps(self) -> Maps:
        return (torch.randn(3, 6, 3, 4),)


class TestSegmenter:
    """All of them together."""

    def test_logits_are_in_network_size(self, segmenter: Segmenter, make_batch: MakeBatch) -> None:
        logits = segmenter.eval()(make_batch(size=(64, 48))).logits
        assert logits.shape == (3, 64, 48)

    def test_gradient_reaches_words_and_image(
        self, segmenter: Segmenter, make_batch: MakeBatch
    ) -> None:
        logits = segmenter(make_batch(lengths=(3, 5, 4))).logits
        (logits * torch.randn_like(logits)).sum().backward()
        assert _without_gradient(segmenter.backbone) == []
        assert _without_gradient(segmenter.text_encoder) == []

    def test_padding_changes_nothing(self, segmenter: Segmenter, make_batch: MakeBatch) -> None:
        batch = make_batch()
        before = segmenter.eval()(batch).logits
        assert_close(segmenter(_repeat_padding(batch, 5)).logits, before, rtol=1e-4, atol=1e-5)

    def test_one_image_with_three_expressions_equals_three_images(
        self, segmenter: Segmenter, make_batch: MakeBatch
    ) -> None:
        batch = make_batch(image_index=(0, 0, 0))
        together = segmenter.eval()(batch).logits
        batch.images, batch.image_index = batch.images.expand(3, -1, -1, -1), torch.arange(3)
        assert_close(segmenter(batch).logits, together, rtol=1e-4, atol=_rounding(together))
        assert not torch.allclose(together[0], together[1], atol=1e-4)  # it reads the words

    def test_batch_of_two_equals_two_batches_of_one(
        self, segmenter: Segmenter, make_batch: MakeBatch
    ) -> None:
        batch = make_batch(lengths=(3, 5), image_index=(1, 0))
        together = segmenter.eval()(batch).logits
        for row, image in enumerate([1, 0]):
            alone = make_batch(lengths=(3, 5), image_index=(1, 0))
            alone.images, alone.image_index = alone.images[[image]], torch.tensor([0])
            alone.tokens, alone.token_mask = alone.tokens[[row]], alone.token_mask[[row]]
            expected = together[[row]]
            assert_close(segmenter(alone).logits, expected, rtol=1e-4, atol=_rounding(expected))

    @pytest.mark.parametrize("precision", PRECISIONS)
    def test_every_precision_stays_finite_and_close(
        self, segmenter: Segmenter, make_batch: MakeBatch, precision: str
    ) -> None:
        batch = make_batch()
        exact = segmenter.eval()(batch).logits
        dtype, is_mixed = PRECISIONS[precision]
        segmenter = segmenter if is_mixed else segmenter.to(dtype)
        with torch.autocast("cpu", dtype if is_mixed else None, enabled=is_mixed):
            rough = segmenter(batch).logits
            alone = segmenter.one_by_one(batch).logits
        assert rough.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        rough.square().mean().backward()
        assert (rough - exact).abs().mean() < 0.1 * exact.std() + 0.05
        assert (alone - exact).abs().mean() < 0.1 * exact.std() + 0.05
        gradients = [p.grad for p in segmenter.parameters() if p.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients)

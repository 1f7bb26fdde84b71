"""The whole network: widths flow, an image is encoded once, words are read one by one."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models import BilinearDecoder, Segmenter
from refseg.models.backbones import Backbone, SmallBackbone
from refseg.models.fusion import ConcatFusion, Fusion, LanguageAwareFusion, MultimodalLSTM
from refseg.models.segmenter import BackboneFactory, DecoderFactory, FusionFactory
from refseg.models.text_encoders import LSTMEncoder
from refseg.types import WORDS, Batch, Maps, Output

from .toys import EarlyToy, QueryToy

MakeBatch = Callable[..., Batch]
SMALL = partial(SmallBackbone, width=8, image_dim=12, colour_dim=4)


class WholeBackbone(Backbone):
    """Without stages of its own."""

    dims, strides = (12,), (64,)

    def maps(self, images: torch.Tensor, until: int | None = None) -> Maps:
        return (torch.zeros(len(images), 12, 1, 1),)


def _segmenter(fusion: FusionFactory, decoder: DecoderFactory = BilinearDecoder) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(
        SMALL,
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        fusion,
        decoder,
        vocab_size=50,
    ).eval()


@pytest.mark.parametrize("kind", [ConcatFusion, MultimodalLSTM])
def test_widths_flow_in_the_order_of_the_data(kind: type) -> None:
    seen: list[tuple[tuple[int, ...], int, int]] = []

    def fusion(dims: tuple[int, ...], word_dim: int, sentence_dim: int) -> Fusion:
        seen.append((dims, word_dim, sentence_dim))
        return kind(dims, word_dim, sentence_dim, hidden_dim=10)

    segmenter = _segmenter(fusion)
    assert seen == [((12,), 14, 6)]
    assert segmenter.decoder.classifier.in_channels == 10
    assert segmenter.text_encoder.embedding.num_embeddings == 50


def test_image_is_encoded_once_for_all_its_expressions(make_batch: MakeBatch) -> None:
    segmenter = _segmenter(partial(MultimodalLSTM, hidden_dim=6))
    encoded: list[int] = []
    projected: list[int] = []
    segmenter.backbone.first.register_forward_hook(lambda _, __, maps: encoded.append(len(maps)))
    segmenter.fusion.visual.register_forward_hook(lambda _, __, maps: projected.append(len(maps)))
    logits = segmenter(make_batch(lengths=[4] * 10, image_index=[0] * 10)).logits
    assert len(logits) == 10
    assert encoded == [1]
    assert projected == [1]


@pytest.mark.parametrize("decoder", [BilinearDecoder, QueryToy])
def test_steps_end_with_the_forward_pass(make_batch: MakeBatch, decoder: DecoderFactory) -> None:
    """A decoder that listens hears no word before its turn."""
    segmenter, batch = _segmenter(partial(MultimodalLSTM, hidden_dim=6), decoder), make_batch()
    assert segmenter.reads_word_by_word
    steps = segmenter.steps(batch)
    assert steps.shape == (5, 3, 64, 64)
    assert_close(steps[-1], segmenter(batch).logits)
    batch.token_mask[:, 2:] = False
    assert_close(steps[1], segmenter(batch).logits)


def test_steps_of_a_fusion_that_reads_at_once(make_batch: MakeBatch) -> None:
    segmenter = _segmenter(partial(ConcatFusion, hidden_dim=6))
    assert not segmenter.reads_word_by_word
    with pytest.raises(TypeError, match="ConcatFusion reads the sentence at once"):
        segmenter.steps(make_batch())


def test_words_are_named_while_training_from_the_image_alone(make_batch: MakeBatch) -> None:
    """Of two expressions about one image the same; nothing is added to what is evaluated."""
    torch.manual_seed(0)
    parts = (partial(ConcatFusion, hidden_dim=6), BilinearDecoder)
    text_encoder = partial(LSTMEncoder, embedding_dim=8, hidden_dim=6)
    segmenter = Segmenter(SMALL, text_encoder, *parts, vocab_size=50, name_words=True)
    batch = make_batch()  # expressions about the images 0, 1 and 0
    words = segmenter.train()(batch).auxiliary[WORDS]
    assert words.shape == (3, 50, 16, 16)
    assert_close(words[0], words[2])
    assert not torch.allclose(words[0], words[1])
    words.sum().backward()
    assert all(p.grad is not None for p in segmenter.backbone.parameters())
    assert all(p.grad is None for p in segmenter.fusion.parameters())
    assert not segmenter.eval()(batch).auxiliary


def test_words_are_named_from_the_map_before_they_are_heard(make_batch: MakeBatch) -> None:
    """Where a fusion speaks after the stages 1 and 2: of stage 1, the same whatever was said."""
    torch.manual_seed(0)
    segmenter = Segmenter(
        SMALL,
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        partial(LanguageAwareFusion, stages=[1, 2]),
        BilinearDecoder,
        vocab_size=50,
        name_words=True,
    ).train()
    batch, other = make_batch(), make_batch(seed=1)
    other.images = batch.images
    words = segmenter(batch).auxiliary[WORDS]
    assert words.shape == (3, 50, 16, 16)  # stride 4
    assert_close(words[0], words[2])
    assert_close(words, segmenter(other).auxiliary[WORDS])
    words.sum().backward()
    assert all(p.grad is None for p in segmenter.fusion.parameters())


def _early(sites: dict[int, int], backbone: BackboneFactory = SMALL) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(
        backbone,
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        partial(EarlyToy, stage_dims=sites),
        BilinearDecoder,
        vocab_size=50,
    ).eval()


def test_early_fusion_has_a_row_per_image_before_its_first_site_and_per_expression_after(
    make_batch: MakeBatch,
) -> None:
    segmenter = _early({1: 8, 2: 16})
    rows: list[int] = []
    for stage in segmenter.backbone.stages:
        stage.register_forward_hook(lambda _, __, seen: rows.append(len(seen)))
    batch = make_batch(lengths=[4] * 5, image_index=[0, 0, 1, 1, 1])
    segmenter(batch)
    assert rows == [2, 2, 5, 5]


def test_early_fusion_by_hand(make_batch: MakeBatch) -> None:
    """The stages, spoken to after two of them, and the neck, in so many words."""
    segmenter, batch = _early({1: 8, 2: 16}), make_batch()
    backbone, fusion = segmenter.backbone, segmenter.fusion
    text = segmenter.text_encoder(batch.tokens, batch.token_mask)
    first, second, third, fourth = backbone.stages
    pixels = backbone.stem(batch.images)[batch.image_index]
    kept_second, shown = fusion.at_stage(1, second(first(pixels)), text)
    kept_third, shown = fusion.at_stage(2, third(shown), text)
    maps = backbone.neck((pixels, kept_second, kept_third, fourth(shown)), batch.size)
    expected = segmenter.decoder(maps, text, batch.size).logits
    assert_close(segmenter(batch).logits, expected, rtol=1e-4, atol=1e-5)
    assert_close(segmenter.one_by_one(batch).logits, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(expected[0], expected[1])  # one image, other words


def test_features_kept_for_an_early_fusion_end_at_its_first_site(make_batch: MakeBatch) -> None:
    segmenter, batch = _early({2: 16}), make_batch()
    assert segmenter.first_site == 2
    maps = segmenter.backbone.maps(batch.images, until=2)
    assert [each.shape[1] for each in maps] == [3, 8, 16]  # pixels, the stage before, its stage
    kept = replace(batch, images=None, features=maps)
    assert_close(segmenter(kept).logits, segmenter(batch).logits)


@pytest.mark.parametrize(
    ("backbone", "has"),
    [(SMALL, "has the stages 0 to 3"), (WholeBackbone, "is computed as a whole")],
)
def test_a_fusion_that_speaks_where_there_is_no_stage_is_refused(
    backbone: BackboneFactory, has: str
) -> None:
    with pytest.raises(ConfigError, match=rf"EarlyToy speaks after the stages 1, 4 .*{has}"):
        _early({1: 8, 4: 16}, backbone)


def test_what_means_nothing_is_not_segmented() -> None:
    logits = torch.randn(3, 4, 5)
    output = Output(logits, no_target=torch.tensor([-1.0, 2.0, 0.0]))
    segmentation = output.segmentation()
    assert torch.equal(segmentation[[0, 2]], logits[[0, 2]])
    assert (segmentation[1].sigmoid() == 0).all()
    assert torch.equal(Output(logits).segmentation(), logits)


def test_answers_one_by_one_keep_all_that_is_said(make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    segmenter = Segmenter(
        SMALL,
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        partial(ConcatFusion, hidden_dim=6),
        QueryToy,
        vocab_size=50,
    ).eval()
    batch = make_batch()
    together, alone = segmenter(batch), segmenter.one_by_one(batch)
    assert_close(alone.no_target, together.no_target, rtol=1e-4, atol=1e-5)
    assert_close(alone.auxiliary["query"], together.auxiliary["query"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [ConcatFusion, MultimodalLSTM])
def test_an_image_is_projected_once_for_all_of_its_expressions(
    kind: type[Fusion], make_batch: MakeBatch
) -> None:
    """And the answers are to the last bit those of the expressions by themselves."""
    segmenter, batch = _segmenter(partial(kind, hidden_dim=6)), make_batch(image_index=(0, 0, 1))
    projection = segmenter.fusion.visual.image
    projected: list[torch.Tensor] = []
    projection.register_forward_hook(lambda _, __, made: projected.append(made))
    singles = [segmenter(batch.select([place])).logits for place in range(len(batch))]
    assert len(projected) == len(batch)
    projected.clear()
    found = segmenter.one_by_one(batch).logits
    assert torch.equal(found, torch.cat(singles))
    assert len(projected) == len(set(batch.image_index.tolist())) < len(batch)
    with torch.no_grad():
        projection.weight.zero_()
    assert not torch.equal(segmenter.one_by_one(batch).logits, found), "nothing is kept for later"

"""The whole network: widths flow, an image is encoded once, words are read one by one."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from refseg.models import BilinearDecoder, Segmenter
from refseg.models.backbones import SmallBackbone
from refseg.models.fusion import ConcatFusion, Fusion, MultimodalLSTM
from refseg.models.segmenter import FusionFactory
from refseg.models.text_encoders import LSTMEncoder
from refseg.types import Batch

MakeBatch = Callable[..., Batch]


def _segmenter(fusion: FusionFactory) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(
        partial(SmallBackbone, width=8, image_dim=12, colour_dim=4),
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        fusion,
        BilinearDecoder,
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


def test_steps_end_with_the_forward_pass(make_batch: MakeBatch) -> None:
    segmenter, batch = _segmenter(partial(MultimodalLSTM, hidden_dim=6)), make_batch()
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

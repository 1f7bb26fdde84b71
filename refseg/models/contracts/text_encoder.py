"""What a text encoder promises: from tokens to vectors."""

import torch
from torch.testing import assert_close

from refseg.models.contracts.requirements import require, require_gradient
from refseg.models.contracts.samples import make_batch, with_padding
from refseg.models.text_encoders.base import TextEncoder


def widths_are_true(text_encoder: TextEncoder) -> None:
    """`word_dim` and `sentence_dim` are those of the vectors; the mask is handed on."""
    batch = make_batch(lengths=(3, 5, 1, 5), image_index=(0, 0, 0, 0))
    text = text_encoder.eval()(batch.tokens, batch.token_mask)
    found = [*text.words.shape], [*text.sentence.shape]
    expected = [4, 5, text_encoder.word_dim], [4, text_encoder.sentence_dim]
    require(found == expected, f"expected words and sentences of {expected}, got {found}")
    require(text.token_mask.equal(batch.token_mask), "the token mask is another one")


def padding_changes_nothing(text_encoder: TextEncoder) -> None:
    """Neither more of it nor what stands under it."""
    batch = make_batch()
    text_encoder.eval()
    before = text_encoder(batch.tokens, batch.token_mask)
    padded = with_padding(batch, 5)
    after = text_encoder(padded.tokens, padded.token_mask)
    assert_close(after.sentence, before.sentence, rtol=1e-4, atol=1e-5)
    said = before.token_mask
    assert_close(after.words[:, :5][said], before.words[said], rtol=1e-4, atol=1e-5)


def a_batch_of_many_equals_many_of_one(text_encoder: TextEncoder) -> None:
    """What is made of a sentence does not depend on the others."""
    batch = make_batch()
    text_encoder.eval()
    together = text_encoder(batch.tokens, batch.token_mask)
    for row, length in enumerate(batch.token_mask.sum(1).tolist()):
        tokens, token_mask = batch.tokens[[row], :length], batch.token_mask[[row], :length]
        alone = text_encoder(tokens, token_mask)
        assert_close(together.sentence[[row]], alone.sentence, rtol=1e-4, atol=1e-5)
        assert_close(together.words[[row], :length], alone.words, rtol=1e-4, atol=1e-5)


def a_sentence_without_words_is_zero(text_encoder: TextEncoder) -> None:
    """Unless the encoder reads padding, as LSTM-CNN's does (`left_padding`)."""
    batch = make_batch(lengths=(3, 0), image_index=(0, 0))
    text = text_encoder.eval()(batch.tokens, batch.token_mask)
    reads_padding = getattr(text_encoder, "left_padding", None) is not None
    is_zero = not text.sentence[1].any()
    require(is_zero != reads_padding, "a sentence without words is not a vector of zeros")
    require(text.words[0].isfinite().all(), "vectors of words are not finite")
    require(text.sentence[0].any(), "a sentence with words is a vector of zeros")


def gradients_reach_every_trained_parameter(text_encoder: TextEncoder) -> None:
    """No weight is trained that changes nothing."""
    batch = make_batch(lengths=(3, 5, 4))
    text = text_encoder(batch.tokens, batch.token_mask)
    words = text.words[text.token_mask]
    loss = (words * torch.randn_like(words)).sum()
    (loss + (text.sentence * torch.randn_like(text.sentence)).sum()).backward()
    require_gradient(text_encoder)


def words_matter(text_encoder: TextEncoder) -> None:
    """Other words make another sentence."""
    batch, other = make_batch(), make_batch(seed=1)
    text_encoder.eval()
    before = text_encoder(batch.tokens, batch.token_mask).sentence
    after = text_encoder(other.tokens, batch.token_mask).sentence
    # A pooled sentence reads one token through attention: it moves, be it little.
    moved = (before - after).abs().amax(1)
    require((moved > 1e-4).all(), "other words make the same vector of the sentence")


CHECKS = (
    widths_are_true,
    padding_changes_nothing,
    a_batch_of_many_equals_many_of_one,
    a_sentence_without_words_is_zero,
    gradients_reach_every_trained_parameter,
    words_matter,
)

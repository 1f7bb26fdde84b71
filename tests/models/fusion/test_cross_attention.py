"""Cross-attention against a softmax worked out by hand, and against torch's own layer."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.fusion.cross_attention import CrossAttention
from refseg.types import TextFeatures


def text_of(words: torch.Tensor, lengths: list[int]) -> TextFeatures:
    mask = torch.arange(words.shape[1])[None] < torch.tensor(lengths)[:, None]
    return TextFeatures(words, torch.zeros(len(words), 0), mask)


def test_it_is_the_cross_attention_of_a_transformer_decoder_layer() -> None:
    """`nn.TransformerDecoderLayer` without its self-attention, whose weights are set to 0."""
    torch.manual_seed(0)
    fusion = CrossAttention((5,), 8, 0, hidden_dim=8, heads=2, feedforward_dim=12)
    layer = nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
    ours = fusion.attention
    with torch.no_grad():
        for parameter in layer.self_attn.parameters():
            parameter.zero_()
        for weight in (fusion.attended.weight, fusion.finished.weight):
            weight.uniform_(0.5, 1.5)
        layer.multihead_attn.in_proj_weight.copy_(ours.in_proj_weight)
        layer.multihead_attn.in_proj_bias.copy_(ours.in_proj_bias.normal_())
        layer.multihead_attn.out_proj.load_state_dict(ours.out_proj.state_dict())
        layer.norm1.load_state_dict({"weight": torch.ones(8), "bias": torch.zeros(8)})
        layer.norm2.load_state_dict(fusion.attended.state_dict())
        layer.norm3.load_state_dict(fusion.finished.state_dict())
        layer.linear1.load_state_dict(fusion.feedforward[0].state_dict())
        layer.linear2.load_state_dict(fusion.feedforward[3].state_dict())
    layer.norm1.eps = 0.0  # applied twice, it changes nothing
    maps, words = torch.randn(2, 5, 3, 4), torch.randn(3, 6, 8)
    text, rows = text_of(words, [1, 6, 4]), torch.tensor([1, 0, 1])
    # The layer normalises what it is given (norm1), so that its input is normalised beforehand.
    visual = fusion.visual(maps)
    fusion.visual.forward = lambda _: layer.norm1(visual.transpose(1, 3)).transpose(1, 3)
    (fused,) = fusion((maps,), text, rows)
    cells = fusion.visual(maps)[rows].flatten(2).transpose(1, 2)
    expected = layer(cells, words, memory_key_padding_mask=~text.token_mask)
    assert_close(fused.flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=1e-5)


def test_padding_may_be_anything_and_one_word_is_heard() -> None:
    torch.manual_seed(0)
    fusion = CrossAttention((5,), 8, 0, hidden_dim=8, heads=2)
    maps, rows = torch.randn(1, 5, 3, 4), torch.tensor([0])
    word, other = torch.randn(2, 1, 1, 8)
    padded = torch.cat([word, torch.full((1, 3, 8), torch.nan)], dim=1)
    (one,) = fusion((maps,), text_of(word, [1]), rows)
    (same,) = fusion((maps,), text_of(padded, [1]), rows)
    (different,) = fusion((maps,), text_of(other, [1]), rows)
    assert_close(same, one)
    assert (different - one).abs().max() > 0.1


def test_each_level_is_a_fusion_of_its_own() -> None:
    torch.manual_seed(0)
    options = {"hidden_dim": 8, "heads": 2, "feedforward_dim": 12}
    fusion = CrossAttention((3, 4, 5), 8, 0, **options, levels=2)
    assert fusion.dims == (3, 8, 8)
    maps = torch.randn(2, 3, 8, 8), torch.randn(2, 4, 4, 4), torch.randn(2, 5, 2, 2)
    text, rows = text_of(torch.randn(3, 6, 8), [1, 6, 4]), torch.tensor([1, 0, 1])
    passed, *fused = fusion(maps, text, rows)
    assert passed.equal(maps[0][rows])
    weights = fusion.state_dict()
    for dim, given, ours, prefix in ((4, maps[1], fused[0], "finer."), (5, maps[2], fused[1], "")):
        alone = CrossAttention((dim,), 8, 0, **options)
        names = alone.state_dict().keys()
        alone.load_state_dict({name: weights[prefix + name] for name in names})
        assert_close(ours, alone((given,), text, rows)[0])
    assert CrossAttention((3, 4, 5), 8, 0, **options, levels=9).dims == (8, 8, 8)
    with pytest.raises(ConfigError, match="at least one map to fuse, got levels 0"):
        CrossAttention((5,), 8, 0, levels=0)


def test_heads_share_the_width() -> None:
    with pytest.raises(ConfigError, match="that its 3 heads can share, got 8"):
        CrossAttention((5,), 8, 0, hidden_dim=8, heads=3)

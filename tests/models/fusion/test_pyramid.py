"""Words at every scale, against the sum of its two parts worked out apart."""

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.coordinates import coordinates
from refseg.models.fusion import PyramidFusion
from refseg.types import TextFeatures

DRAWN = torch.Generator().manual_seed(0)
MAPS = torch.randn(2, 5, 6, 4, generator=DRAWN), torch.randn(2, 7, 3, 2, generator=DRAWN)
ROWS = torch.tensor([1, 0, 1])


def text_of(words: torch.Tensor, lengths: list[int]) -> TextFeatures:
    mask = torch.arange(words.shape[1])[None] < torch.tensor(lengths)[:, None]
    return TextFeatures(words, words[:, 0, :3].nan_to_num(), mask)


def fusion_of(dims: tuple[int, ...] = (5, 7)) -> PyramidFusion:
    torch.manual_seed(0)
    return PyramidFusion(dims, 9, 3, hidden_dim=8, heads=2)


def test_the_parts_are_added_cell_by_cell() -> None:
    """A 1x1 convolution over map and coordinates, scaled and shifted, with what the words say."""
    fusion, text = fusion_of(), text_of(torch.randn(3, 4, 9), [4, 2, 3])
    for level, seen, fused in zip(fusion.levels, MAPS, fusion(MAPS, text, ROWS), strict=True):
        h, w = seen.shape[-2:]
        where = coordinates(h, w, seen.device).expand(2, -1, -1, -1)
        weight = torch.cat([level.visual.image.weight, level.visual.coordinates.weight], dim=1)
        cells = functional.conv2d(torch.cat([seen, where], 1), weight, level.visual.image.bias)
        for row, image in enumerate(ROWS.tolist()):
            change, summand = (
                (level.modulation.weight @ text.sentence[row]).add(level.modulation.bias).chunk(2)
            )
            own = cells[image].flatten(1).T
            modulated = ((1 + change) * own + summand).clamp(min=0)
            length = int(text.token_mask[row].sum())
            words = text.words[row : row + 1, :length]
            said = level.attention(own[None], words, torch.ones(1, length, dtype=torch.bool))[0]
            expected = functional.layer_norm(modulated + said, (8,))
            assert_close(fused[row].flatten(1).T, expected, rtol=1e-5, atol=1e-5)


def test_each_map_is_fused_for_itself() -> None:
    fusion, text = fusion_of(), text_of(torch.randn(3, 4, 9), [4, 2, 3])
    before = fusion(MAPS, text, ROWS)
    after = fusion((MAPS[0], MAPS[1] + 1), text, ROWS)
    assert fusion.dims == (8, 8)
    assert [each.shape for each in before] == [(3, 8, 6, 4), (3, 8, 3, 2)]
    assert_close(after[0], before[0], rtol=0, atol=0)
    assert (after[1] - before[1]).abs().max() > 0.1


def test_padding_may_be_anything_and_one_word_is_heard() -> None:
    fusion, rows = fusion_of(), torch.tensor([0])
    word, other = torch.randn(2, 1, 1, 9)
    padded = torch.cat([word, torch.full((1, 3, 9), torch.nan)], dim=1)
    one, same, different = (
        fusion(MAPS, text_of(words, [1]), rows)[1] for words in (word, padded, other)
    )
    assert_close(same, one)
    assert (different - one).abs().max() > 0.1


def test_heads_share_the_width() -> None:
    with pytest.raises(ConfigError, match="its 3 heads can share, got 8"):
        PyramidFusion((5,), 9, 3, hidden_dim=8, heads=3)

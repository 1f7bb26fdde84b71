"""Maps go to the decoder as they are."""

import torch

from refseg.models.fusion import NoFusion
from refseg.types import TextFeatures


def test_each_expression_is_given_the_maps_of_its_image() -> None:
    text = TextFeatures(torch.zeros(3, 1, 7), torch.zeros(3, 5), torch.ones(3, 1).bool())
    fine, coarse = torch.randn(2, 8, 6, 8), torch.randn(2, 9, 3, 4)
    fusion = NoFusion((8, 9), 7, 5)
    maps = fusion((fine, coarse), text, torch.tensor([1, 0, 1]))
    assert fusion.dims == (8, 9)
    for each, given in zip(maps, (fine, coarse), strict=True):
        assert torch.equal(each, torch.stack([given[1], given[0], given[1]]))

"""The decoder against its two steps by hand."""

import torch
from torch.nn import functional
from torch.testing import assert_close

from refseg.models.decoders import BilinearDecoder


def test_one_logit_per_cell_then_bilinear() -> None:
    torch.manual_seed(0)
    decoder, fused = BilinearDecoder(4), torch.randn(2, 4, 3, 5)
    weight, bias = decoder.classifier.weight.view(4), decoder.classifier.bias
    assert bias is not None
    cells = torch.einsum("nchw,c->nhw", fused, weight) + bias
    assert_close(decoder(fused, (3, 5)), cells)
    expected = functional.interpolate(cells[:, None], scale_factor=8, mode="bilinear")[:, 0]
    assert_close(decoder(fused, (24, 40)), expected)


def test_pixel_centres_lie_on_cell_centres() -> None:
    """A map and its mirror image are decoded to a mask and its mirror image."""
    torch.manual_seed(0)
    decoder, fused = BilinearDecoder(4), torch.randn(1, 4, 3, 5)
    assert_close(decoder(fused.flip(3), (24, 40)), decoder(fused, (24, 40)).flip(2))


def test_dropout_in_training_only() -> None:
    decoder, fused = BilinearDecoder(4, dropout=0.5), torch.randn(1, 4, 3, 5)
    assert not torch.equal(decoder(fused, (3, 5)), decoder(fused, (3, 5)))
    decoder.eval()
    assert torch.equal(decoder(fused, (3, 5)), decoder(fused, (3, 5)))

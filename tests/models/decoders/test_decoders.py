"""The decoder against its two steps by hand."""

import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.models.decoders import (
    BilinearDecoder,
    Decoder,
    DeconvolutionDecoder,
    MaskEmbeddingDecoder,
    PyramidDecoder,
    legacy_upsample,
)
from refseg.types import TextFeatures

NO_TEXT = TextFeatures(torch.zeros(1, 1, 1), torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool))


def decode(decoder: Decoder, fused: Tensor, size: tuple[int, int]) -> Tensor:
    return decoder((fused,), NO_TEXT, size).logits


def cell_logits(decoder: Decoder, fused: Tensor) -> Tensor:
    return decoder.cell_logits((fused,), NO_TEXT)


def test_one_logit_per_cell_then_bilinear() -> None:
    torch.manual_seed(0)
    decoder, fused = BilinearDecoder((4,), 1, 1), torch.randn(2, 4, 3, 5)
    weight, bias = decoder.classifier.weight.view(4), decoder.classifier.bias
    assert bias is not None
    cells = torch.einsum("nchw,c->nhw", fused, weight) + bias
    assert_close(decode(decoder, fused, (3, 5)), cells)
    expected = functional.interpolate(cells[:, None], scale_factor=8, mode="bilinear")[:, 0]
    assert_close(decode(decoder, fused, (24, 40)), expected)


def test_pixel_centres_lie_on_cell_centres() -> None:
    """A map and its mirror image are decoded to a mask and its mirror image."""
    torch.manual_seed(0)
    decoder, fused = BilinearDecoder((4,), 1, 1), torch.randn(1, 4, 3, 5)
    assert_close(
        decode(decoder, fused.flip(3), (24, 40)),
        decode(decoder, fused, (24, 40)).flip(2),
    )


def test_dropout_in_training_only() -> None:
    decoder, fused = BilinearDecoder((4,), 1, 1, dropout=0.5), torch.randn(1, 4, 3, 5)
    assert not torch.equal(decode(decoder, fused, (3, 5)), decode(decoder, fused, (3, 5)))
    decoder.eval()
    assert torch.equal(decode(decoder, fused, (3, 5)), decode(decoder, fused, (3, 5)))


def test_legacy_grid_puts_a_cell_on_its_first_pixel() -> None:
    maps = torch.randn(2, 3, 5, 4)
    enlarged = legacy_upsample(maps, (40, 32))
    assert_close(enlarged[:, :, ::8, ::8], maps)
    assert_close(enlarged[:, :, 4:36:8, :], (enlarged[:, :, 0:32:8] + enlarged[:, :, 8:40:8]) / 2)
    assert_close(enlarged[:, :, 36], enlarged[:, :, 32])  # beyond the last cell its value goes on
    decoder = BilinearDecoder((4,), 1, 1, grid="legacy")
    fused = torch.randn(1, 4, 3, 5)
    assert_close(
        decode(decoder, fused, (24, 40))[:, ::8, ::8],
        cell_logits(decoder, fused),
    )


def test_deconvolution_starts_bilinear_and_fades_at_the_border() -> None:
    decoder, fused = DeconvolutionDecoder((4,), 1, 1, stride=8), torch.randn(1, 4, 3, 5)
    cells = cell_logits(decoder, fused)
    logits = decode(decoder, fused, (24, 40))
    assert_close(logits[:, 4::8, 4::8], cells)
    assert_close(logits[0, 0, 4], cells[0, 0, 0] / 2)
    assert_close(
        decode(decoder, fused, (20, 33)), logits[:, :20, :33]
    )  # an image of incomplete cells
    legacy = legacy_upsample(cells[:, None], (24, 40))[:, 0]
    assert_close(logits[:, 4:20, 4:36], legacy[:, :16, :32])


def test_pyramid_by_hand() -> None:
    """Enlarge, add, convolve, on the way from the coarse map to the fine one."""
    torch.manual_seed(0)
    decoder = PyramidDecoder((2, 3), 1, 1, hidden_dim=4).eval()
    fine, coarse = torch.randn(2, 2, 6, 8), torch.randn(2, 3, 3, 4)
    found = decoder.smoothing[1](decoder.laterals[1](coarse))
    enlarged = functional.interpolate(found, (6, 8), mode="bilinear")
    outlined = decoder.smoothing[0](decoder.laterals[0](fine) + enlarged)
    expected = functional.interpolate(decoder.classifier(outlined), (12, 16), mode="bilinear")
    assert_close(decoder((fine, coarse), NO_TEXT, (12, 16)).logits, expected[:, 0])


def test_mask_embedding_by_hand() -> None:
    """Each fine pixel times what is interpolated between the cells around it."""
    torch.manual_seed(0)
    decoder = MaskEmbeddingDecoder((2, 3), 1, 1, hidden_dim=4).eval()
    fine, coarse = torch.randn(2, 2, 6, 8), torch.randn(2, 3, 3, 4)
    cells = decoder.classifier(decoder.context(coarse))
    sought = functional.interpolate(cells, (6, 8), mode="bilinear")
    logits = sought[:, 0] * fine[:, 0] + sought[:, 1] * fine[:, 1] + sought[:, 2]
    expected = functional.interpolate(logits[:, None], (12, 16), mode="bilinear")
    assert_close(decoder((fine, coarse), NO_TEXT, (12, 16)).logits, expected[:, 0])

"""Each sentence makes its own convolution: the decoder of CRIS."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.pyramid import convolution
from refseg.models.decoders.base import Decoder
from refseg.precision import full_precision, without_autocast
from refseg.types import GRID_LOGITS, Maps, Output, TextFeatures

_SIDE = 3  # cells on a side of the kernel


class TextKernelDecoder(Decoder):
    """Convolves the enlarged map with a kernel that the sentence makes.

    The coarsest map is enlarged four times, with two convolutions on the way. A linear layer turns
    the sentence into a 3×3 kernel and a bias, which give one logit for each cell of the enlarged
    map. The paper calls training them text-to-pixel contrastive learning: the logit compares the
    sentence with a cell and its neighbours.

    The logits are enlarged bilinearly to network size. CRIS enlarges probabilities instead,
    bicubically, so that they leave [0, 1] at edges. It trains on the logits before: they are
    `auxiliary["grid_logits"]`, for `refseg.losses.GridLoss`.

    Args:
        dims: channels of the fused maps, of which the coarsest is decoded; supplied by the fusion.
        word_dim: not used: this decoder listens to the sentence.
        sentence_dim: length of the sentence vector; supplied by the text encoder.
        hidden_dim: channels that the kernel is applied to; none: half of the map's, as in the
            paper, 256.

    References:
        Wang et al., *CRIS: CLIP-Driven Referring Image Segmentation*, CVPR 2022,
        https://arxiv.org/abs/2111.15174, section 3.3.

    Example:
        >>> text = TextFeatures(torch.zeros(2, 1, 1), torch.zeros(2, 5), torch.ones(2, 1).bool())
        >>> output = TextKernelDecoder((8,), 1, 5)((torch.rand(2, 8, 4, 4),), text, (64, 64))
        >>> output.logits.shape, output.auxiliary["grid_logits"].shape
        (torch.Size([2, 64, 64]), torch.Size([2, 16, 16]))
    """

    listens = True

    def __init__(
        self, dims: Sequence[int], word_dim: int, sentence_dim: int, hidden_dim: int | None = None
    ) -> None:
        super().__init__()
        self.dim = hidden_dim or max(1, dims[-1] // 2)
        self.enlarged_twice = convolution(dims[-1], dims[-1])
        self.enlarged_four_times = convolution(dims[-1], self.dim)
        self.projection = nn.Conv2d(self.dim, self.dim, 1)
        # What tells foreground from background is made anew for each sentence, by this layer.
        self.classifier = nn.Linear(sentence_dim, self.dim * _SIDE**2 + 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        pixels = fused[-1].to(self.projection.weight.dtype)
        for layer in (self.enlarged_twice, self.enlarged_four_times):
            height, width = pixels.shape[-2:]
            pixels = layer(self.enlarge(pixels, (2 * height, 2 * width)))
        logits = self.convolved(self.projection(pixels), text.sentence)
        enlarged = self.enlarge(logits[:, None], size)[:, 0]
        return Output(enlarged, auxiliary={GRID_LOGITS: logits})

    def convolved(
        self,
        pixels: Float[Tensor, " expressions hidden_dim h w"],
        sentence: Float[Tensor, " expressions sentence_dim"],
    ) -> Float[Tensor, " expressions h w"]:
        """Convolve each map with the kernel of its sentence, in float32.

        Every tap of the kernel is applied to the whole map as a matrix product; the nine results
        are moved by a cell each, and added. A convolution with a group for each expression is the
        same, and slower.

        Args:
            pixels: of the enlarged map.
            sentence: one vector per expression.
        """
        h, w = pixels.shape[-2:]
        with without_autocast(pixels.device):
            weight, bias = map(full_precision, (self.classifier.weight, self.classifier.bias))
            made = functional.linear(sentence.to(weight.dtype), weight, bias)
            taps = made[:, :-1].unflatten(1, (self.dim, _SIDE**2)).transpose(1, 2)
            responses = (taps @ pixels.to(weight.dtype).flatten(2)).unflatten(2, (h, w))
            padded = functional.pad(responses, (1, 1, 1, 1))
            moved = [
                padded[:, tap, tap // _SIDE : tap // _SIDE + h, tap % _SIDE : tap % _SIDE + w]
                for tap in range(_SIDE**2)
            ]
            return torch.stack(moved).sum(0) + made[:, -1, None, None]

"""An image's way into the network's square, and a mask's way back, as programs of `torch.export`.

What `Geometry` does with OpenCV and Pillow is here written as products of matrices, whose numbers
follow from the image's size: an exported graph takes an image of any size.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from torch import SymInt, Tensor, nn
from torch.export import Dim, ExportedProgram

from refseg.geometry import Fit, Resampling

RESAMPLINGS: tuple[Resampling, ...] = ("antialiased", "pillow")
"""What can be exported."""


class FittingGraphs(NamedTuple):
    """The way into the square and the way back, as torch exports them.

    Args:
        letterbox: `image` [height width 3], 8-bit RGB -> `images` [1 3 size size], 8-bit RGB.
        own_size: (`logits` [expressions size size], `image`, of which the size counts) -> `masks`
            [expressions height width], true where a logit is above 0.
    """

    letterbox: ExportedProgram
    own_size: ExportedProgram


def export_fitting(
    size: int, fit: Fit, resampling: Resampling, fill: int = 0
) -> FittingGraphs | None:
    """The way into the network's square and back; None where `resampling` cannot be exported.

    Args:
        size: side of the square, pixels.
        fit: `letterbox` or `squash`.
        resampling: of images.
        fill: of the border, 0–255.
    """
    if resampling not in RESAMPLINGS:
        return None
    image = torch.zeros(3, 5, 3, dtype=torch.uint8)
    logits = torch.zeros(2, size, size)
    sides = {0: Dim("height", min=1), 1: Dim("width", min=1)}
    with torch.no_grad():
        return FittingGraphs(
            torch.export.export(
                _Letterbox(size, fit, resampling, fill), (image,), dynamic_shapes=(sides,)
            ),
            torch.export.export(
                _OwnSize(size, fit),
                (logits, image),
                dynamic_shapes=({0: Dim("expressions", min=1)}, sides),
            ),
        )


class _Fitted(nn.Module):
    """Where an image lies in the square: numbers as tensors, as graphs have no others."""

    def __init__(self, size: int, fit: Fit) -> None:
        super().__init__()
        self.size, self.fit = size, fit

    def _placed(self, image: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """For rows and columns, where the image begins in the square and how long it is there."""
        sides = [torch.scalar_tensor(side, dtype=torch.float64) for side in image.shape[:2]]
        scales = [self.size / side for side in sides]
        if self.fit == "letterbox":
            scales = [torch.minimum(*scales)] * 2
        lengths = [
            torch.round(side * scale).clamp(min=1)
            for side, scale in zip(sides, scales, strict=True)
        ]
        rows, columns = (
            (torch.floor((self.size - length) / 2).float(), length.float()) for length in lengths
        )
        return rows, columns


class _Letterbox(_Fitted):
    """An image, scaled into the square."""

    def __init__(self, size: int, fit: Fit, resampling: Resampling, fill: int) -> None:
        super().__init__(size, fit)
        self.resampling, self.fill = resampling, fill

    def forward(
        self, image: UInt8[Tensor, " height width 3"]
    ) -> UInt8[Tensor, " 1 3 {self.size} {self.size}"]:
        rows, columns = self._placed(image)
        across, inside_columns = self._shares(image.shape[1], *columns)
        down, inside_rows = self._shares(image.shape[0], *rows)
        scaled = image.permute(2, 0, 1).float() @ across.T
        if self.resampling == "pillow":
            scaled = _rounded(scaled)  # it scales a row of 8 bits, then columns of 8 bits
        scaled = _rounded(down @ scaled).clamp(0, 255)
        inside = inside_rows[:, None] & inside_columns
        return torch.where(inside, scaled, float(self.fill)).to(torch.uint8)[None]

    def _shares(self, old: int | SymInt, start: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
        """What each pixel of the image gives to each of the square, [size old]; which are inside.

        Triangles as wide as a pixel of the square (Pillow), or the mean of the area that a pixel of
        the square covers (OpenCV); both bilinear where the image grows.
        """
        places = torch.arange(self.size) - start
        pixels = torch.arange(old)
        step = torch.scalar_tensor(old, dtype=torch.float32) / new
        wide = step.clamp(min=1)
        centres = ((places + 0.5) * step)[:, None]
        if self.resampling == "pillow":
            shares = (1 - ((pixels + 0.5 - centres) / wide).abs()).clamp(min=0)
            shares = shares / shares.sum(1, keepdim=True).clamp(min=1e-9)
        else:
            edges = (
                torch.minimum(centres + step / 2, pixels + 1.0),
                torch.maximum(centres - step / 2, pixels.float()),
            )
            area = (edges[0] - edges[1]).clamp(min=0) / step
            between = (centres - 0.5).clamp(min=0).minimum(pixels[-1].float())
            shares = torch.where(step > 1, area, (1 - (between - pixels).abs()).clamp(min=0))
        return shares, (places >= 0) & (places < new)


def _rounded(values: Tensor) -> Tensor:
    """With halves upwards, as OpenCV and Pillow: means of four pixels are often one."""
    return (values + 0.5).floor()


class _OwnSize(_Fitted):
    """Logits of the square, bilinearly in the image's own size."""

    def forward(
        self,
        logits: Float[Tensor, " expressions {self.size} {self.size}"],
        image: UInt8[Tensor, " height width 3"],
    ) -> Bool[Tensor, " expressions height width"]:
        rows, columns = self._placed(image)
        down = self._shares(image.shape[0], *rows)
        across = self._shares(image.shape[1], *columns)
        return down @ logits @ across.T > 0

    def _shares(self, old: int | SymInt, start: Tensor, new: Tensor) -> Tensor:
        step = new / torch.scalar_tensor(old, dtype=torch.float32)
        centres = ((torch.arange(old) + 0.5) * step - 0.5).clamp(min=0).minimum(new - 1) + start
        return (1 - (centres[:, None] - torch.arange(self.size)).abs()).clamp(min=0)

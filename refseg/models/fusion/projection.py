"""A 1×1 convolution over tiled inputs that never tiles them."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.coordinates import coordinates


class VisualProjection(nn.Module):
    """The part of a 1×1 convolution over [text, image, coordinates] that the words leave alone.

    A convolution over concatenated inputs is the sum of one convolution per input. The sum over
    image and coordinates is the same for every word and every expression, so that it is computed
    once per image; a text vector, the same in every cell, needs only a linear layer.

    Args:
        image_dim: channels of the image features.
        output_dim: channels of the result.
        normalize: scale the image's feature vector of each cell to length one, as both papers do.
    """

    def __init__(self, image_dim: int, output_dim: int, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize
        self.image = nn.Conv2d(image_dim, output_dim, 1)
        self.coordinates = nn.Conv2d(8, output_dim, 1, bias=False)

    def forward(
        self, image_features: Float[Tensor, " images image_dim h w"]
    ) -> Float[Tensor, " images output_dim h w"]:
        """Project every image once, however many expressions look at it."""
        if self.normalize:
            image_features = functional.normalize(image_features, dim=1, eps=1e-6)
        h, w = image_features.shape[-2:]
        cells = coordinates(h, w, image_features.device).to(image_features.dtype)
        return self.image(image_features) + self.coordinates(cells[None])

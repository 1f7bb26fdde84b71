"""A 1×1 convolution over tiled inputs that never tiles them."""

import torch
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
        projection_dim: channels of another 1×1 convolution over the image before it is normalised;
            1000 in RMI. None: there is no such convolution.
    """

    def __init__(
        self,
        image_dim: int,
        output_dim: int,
        normalize: bool = True,
        projection_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.normalize = normalize
        self.projection: nn.Module = nn.Identity()
        if projection_dim is not None:
            projection = nn.Conv2d(image_dim, projection_dim, 1)
            nn.init.xavier_uniform_(projection.weight)
            projection.bias = nn.Parameter(torch.zeros(projection_dim))
            self.projection, image_dim = projection, projection_dim
        self.image = nn.Conv2d(image_dim, output_dim, 1)
        self.coordinates = nn.Conv2d(8, output_dim, 1, bias=False)

    def forward(
        self,
        image_features: Float[Tensor, " images image_dim h w"],
        cells: Float[Tensor, " images 8 h w"] | None = None,
    ) -> Float[Tensor, " images output_dim h w"]:
        """Project every image once, however many expressions look at it.

        Args:
            image_features: of the backbone.
            cells: where the cells lie; None: they fill the image (`coordinates`).
        """
        image_features = self.projection(image_features)
        if self.normalize:
            image_features = functional.normalize(image_features, dim=1, eps=1e-6)
        if cells is None:
            h, w = image_features.shape[-2:]
            cells = coordinates(h, w, image_features.device)[None]
        return self.image(image_features) + self.coordinates(cells.to(image_features.dtype))

"""A 1×1 convolution over tiled inputs that never tiles them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.backbones.base import Backbone
from refseg.models.coordinates import coordinates
from refseg.models.weights.provenance import RANDOM, in_words
from refseg.precision import full_precision, in_full_precision

ProjectionStart = Literal["xavier", "classifier"]


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
        projection_start: what that convolution starts as, see `initialize_from`.

    Raises:
        ConfigError: there is no convolution to start from a classifier.
    """

    def __init__(
        self,
        image_dim: int,
        output_dim: int,
        normalize: bool = True,
        projection_dim: int | None = None,
        projection_start: ProjectionStart = "xavier",
    ) -> None:
        super().__init__()
        if projection_start == "classifier" and projection_dim is None:
            raise ConfigError(
                "A projection that starts from the backbone's classifier (projection_start) needs "
                "a width; set projection_dim to its number of classes, 1000 with ImageNet."
            )
        self.projection_start = projection_start
        self.normalize = normalize
        self.projection: nn.Module = nn.Identity()
        if projection_dim is not None:
            projection = nn.Conv2d(image_dim, projection_dim, 1)
            nn.init.xavier_uniform_(projection.weight)
            projection.bias = nn.Parameter(torch.zeros(projection_dim))
            self.projection, image_dim = projection, projection_dim
        self.image = nn.Conv2d(image_dim, output_dim, 1)
        self.coordinates = nn.Conv2d(8, output_dim, 1, bias=False)
        self._kept: list[Tensor] | None = None  # the last map and what became of it, once asked for

    @contextmanager
    def keeping_last(self) -> Iterator[None]:
        """Compute the projection of a map once while the same map is given again and again.

        The same is the very same tensor, without positions. Weights must not change meanwhile.
        """
        self._kept = []
        try:
            yield
        finally:
            self._kept = None

    @torch.no_grad()
    def initialize_from(self, backbone: Backbone) -> None:
        """Take the backbone's classifier as the projection, if it is to start from that.

        RMI's R does so: its visual feature is what ImageNet's fc1000 says of each cell. A backbone
        that is filled from nowhere, or later from a checkpoint, has none, and nothing is done.

        Args:
            backbone: whose features are projected.

        Raises:
            ConfigError: the backbone's weights came without a classifier, or it is of other widths.
        """
        if self.projection_start != "classifier" or backbone.origin == RANDOM:
            return
        assert isinstance(self.projection, nn.Conv2d)
        assert self.projection.bias is not None
        found, weight = backbone.classifier, self.projection.weight
        if found is None or found.weight.shape != weight.shape[:2]:
            classes, channels = weight.shape[:2]
            got = "none" if found is None else "one of {} × {}".format(*found.weight.shape)
            raise ConfigError(
                f"Expected a classifier of {classes} classes × {channels} channels with the "
                f"weights of the backbone ({in_words(backbone.origin)}), got {got}; use weights "
                "with their classifier, or set projection_start to xavier."
            )
        weight.copy_(found.weight[:, :, None, None])
        self.projection.bias.copy_(found.bias)

    def forward(
        self,
        image_features: Float[Tensor, " images image_dim h w"],
        positions: Float[Tensor, " images 8 h w"] | None = None,
    ) -> Float[Tensor, " images output_dim h w"]:
        """Project every image once, however many expressions look at it; in float32.

        Positions are added in full precision: neighbouring cells differ little.

        Args:
            image_features: of the backbone.
            positions: where the cells lie; None: they fill the image (`coordinates`).
        """
        if self._kept is None or positions is not None or torch.compiler.is_compiling():
            return self._projected(image_features, positions)
        if not self._kept or self._kept[0] is not image_features:
            self._kept = [image_features, self._projected(image_features, None)]
        return self._kept[1]

    def _projected(
        self, image_features: Tensor, positions: Tensor | None
    ) -> Float[Tensor, " images output_dim h w"]:
        image_features = self.projection(image_features)
        if self.normalize:
            exact = full_precision(image_features)
            image_features = functional.normalize(exact, dim=1, eps=1e-6)
        if positions is None:
            h, w = image_features.shape[-2:]
            positions = coordinates(h, w, image_features.device)[None]
        seen = self.image(image_features.to(self.image.weight.dtype))
        return seen + in_full_precision(self.coordinates, positions)

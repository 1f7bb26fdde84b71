"""In place of a backbone: features that were computed elsewhere."""

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.models.backbones.base import Backbone
from refseg.types import Maps


class PrecomputedFeatures(Backbone):
    """Knows the width and stride of features, and none of the network that made them.

    A segmenter with it works through `from_features` alone.

    Args:
        image_dim: channels of the features.
        stride: pixels per cell.
        given_dim: channels of what was computed, if a 1×1 convolution comes before it is a feature
            (fc7 before fc8 in LSTM-CNN, where everything up to fc7 is fixed); apply it with
            `project`.
    """

    def __init__(self, image_dim: int, stride: int, given_dim: int | None = None) -> None:
        super().__init__()
        self.dims, self.strides = (image_dim,), (stride,)
        self.projection: nn.Module = nn.Identity()
        if given_dim is not None:
            self.projection = nn.Conv2d(given_dim, image_dim, 1)

    def project(
        self, given: Float[Tensor, " images given_dim h w"]
    ) -> Float[Tensor, " images dim h w"]:
        """Make features of what was computed elsewhere."""
        return self.projection(given)

    def maps(
        self, images: UInt8[Tensor, " images 3 height width"], until: int | None = None
    ) -> Maps:
        """Refuse.

        Raises:
            ConfigError: always: there is no network.
        """
        raise ConfigError(
            "This model has no backbone, because the variables that it was made of had none; give "
            "those of the backbone, too, or features to `from_features`."
        )

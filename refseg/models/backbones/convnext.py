"""The stages of ConvNeXt one by one."""

from collections.abc import Iterable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from refseg.models.backbones.base import Stage
from refseg.models.backbones.walk import Walk
from refseg.types import Maps


class ConvNextWalk(Walk):
    """A `ConvNextBackbone` or `ConvNextV2Backbone`; a stage begins with its own downsampling."""

    def stem(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images dim h w"]:
        """The embedded patches of 4×4 pixels."""
        return self.trunk.embeddings(pixels)

    @property
    def stages(self) -> Sequence[Stage]:
        """The network's own."""
        return [*self.trunk.encoder.stages]

    def normalized(self, maps: Maps) -> Maps:
        """Normalised by the layer that the backbone has for each of its maps."""
        return tuple(norm(each) for each, norm in zip(maps, self.norms, strict=True))

    @property
    def norms(self) -> Iterable[nn.Module]:
        """One for each of the chosen stages."""
        return self.trunk.hidden_states_norms.children()


class Dinov3ConvNextWalk(Walk):
    """A `DINOv3ConvNextBackbone`: its first stage embeds the patches, and its maps have no norm."""

    def stem(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images 3 height width"]:
        """The pixels as they are."""
        return pixels

    @property
    def stages(self) -> Sequence[Stage]:
        """The network's own."""
        return [*getattr(self.trunk, "model", self.trunk).stages]  # without `model` in release 5.0

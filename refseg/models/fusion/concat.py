"""The fusion of LSTM-CNN: tile the sentence over the image, concatenate, convolve."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.base import Backbone
from refseg.models.fusion.base import Fusion, finer_maps, passed_dims
from refseg.models.fusion.projection import ProjectionStart, VisualProjection
from refseg.models.parameters import start_normal, start_xavier
from refseg.precision import full_precision
from refseg.types import Maps, TextFeatures


class ConcatFusion(Fusion):
    """Classifies each cell from the sentence, the image and the cell's coordinates.

    Args:
        dims: channels of the maps, of which the coarsest is fused; supplied by the backbone.
        word_dim: not used: this fusion reads the sentence only.
        sentence_dim: length of the sentence vector; supplied by the text encoder.
        hidden_dim: channels of the result; 500 in the paper.
        layers: 1×1 convolutions with ReLU, of which the paper has one before the classifier.
        normalize: scale sentence vector and cells of the image to length one, as the paper does.
        projection_dim: channels of a 1×1 convolution over the image's map before all else; 1000
            in the LSTM baseline of RMI. None, as in LSTM-CNN: there is no such convolution.
        initial_std: of the normal distribution that the weights start from, biases being 0;
            0.05 in LSTM-CNN. None: as `initialization` says.
        initialization: `torch`: its way; `xavier`: uniform by Glorot's rule with biases of 0, as in
            the LSTM baseline of RMI.
        projection_start: what the convolution of `projection_dim` starts as: random numbers
            (`xavier`), or the `classifier` that came with the backbone's weights, fc1000 of
            ImageNet in RMI's R.

    References:
        Hu, Rohrbach, Darrell, *Segmentation from Natural Language Expressions*, ECCV 2016,
        https://arxiv.org/abs/1603.06180, section 3.3.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int = 500,
        layers: int = 1,
        normalize: bool = True,
        projection_dim: int | None = None,
        initial_std: float | None = None,
        initialization: Literal["torch", "xavier"] = "torch",
        projection_start: ProjectionStart = "xavier",
    ) -> None:
        super().__init__()
        self.dims, self.normalize = passed_dims(dims, hidden_dim), normalize
        self.visual = VisualProjection(
            dims[-1], hidden_dim, normalize, projection_dim, projection_start
        )
        self.sentence = nn.Linear(sentence_dim, hidden_dim, bias=False)
        self.further = nn.Sequential(
            *(
                layer
                for _ in range(layers - 1)
                for layer in (nn.Conv2d(hidden_dim, hidden_dim, 1), nn.ReLU(inplace=True))
            )
        )
        first = (self.visual.image, self.visual.coordinates, self.sentence)
        if initial_std is not None:
            start_normal([*first, *self.further], initial_std)
        elif initialization == "xavier":
            start_xavier([layer.weight for layer in first], [self.visual.image.bias])
            for layer in self.further:
                if isinstance(layer, nn.Conv2d):
                    start_xavier([layer.weight], [layer.bias])

    def initialize_from(self, backbone: Backbone) -> None:
        """Start the projection of the image as `projection_start` says."""
        self.visual.initialize_from(backbone)

    def keeping_image(self) -> AbstractContextManager[None]:
        """Keep the projection of the last image."""
        return self.visual.keeping_last()

    def forward(
        self,
        maps: Maps,
        text: TextFeatures,
        image_index: Int64[Tensor, " expressions"],
        positions: Float[Tensor, " images 8 h w"] | None = None,
    ) -> Maps:
        """Fuse each expression with the image that it looks at.

        Args:
            maps: of the backbone.
            text: of the text encoder.
            image_index: which image each expression looks at.
            positions: where the cells lie; None: they fill the image.
        """
        sentence = text.sentence
        if self.normalize:
            sentence = functional.normalize(full_precision(sentence), dim=1, eps=1e-6)
        dtype = self.sentence.weight.dtype  # of all layers, not of what is between them
        said = self.sentence(sentence.to(dtype))[:, :, None, None]
        seen = self.visual(maps[-1], positions).index_select(0, image_index)
        fused = self.further(functional.relu(seen + said).to(dtype))
        return (*finer_maps(maps, image_index), fused)

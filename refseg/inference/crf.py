"""DenseCRF: predictions that follow the edges of the image, as RMI's evaluation refines its own.

Pure functions over arrays of numpy, light to import: they run in processes of their own.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, UInt8

from refseg.errors import ConfigError

# The original has no bounds: a probability of 0 or 1, to which float32 rounds every logit beyond
# about ±17, gives it an infinite energy. Within the bounds the two are the same.
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class CRFOptions:
    """The energies of the fully connected conditional random field; the defaults are RMI's.

    Args:
        gaussian_sxy: how far neighbours smooth each other, whatever their colours: pixels.
        gaussian_compat: weight of this smoothing.
        bilateral_sxy: how far pixels of like colour attract each other: pixels.
        bilateral_srgb: what a like colour is: levels of 0–255.
        bilateral_compat: weight of this attraction.
        iterations: of the mean-field inference.
        on: `network`, the image in the square that the network sees, as in RMI, or `image`, the
            image in its own size. Distances are pixels of it.

    Raises:
        ConfigError: a distance is not positive, or the number of iterations is negative.

    References:
        Krähenbühl, Koltun, *Efficient Inference in Fully Connected CRFs with Gaussian Edge
        Potentials*, NeurIPS 2011, https://arxiv.org/abs/1210.5644. The values are those of the code
        of Liu et al., *Recurrent Multimodal Interaction for Referring Image Segmentation*,
        ICCV 2017, https://arxiv.org/abs/1703.07939.
    """

    gaussian_sxy: float = 3.0
    gaussian_compat: float = 3.0
    bilateral_sxy: float = 20.0
    bilateral_srgb: float = 3.0
    bilateral_compat: float = 10.0
    iterations: int = 5
    on: Literal["network", "image"] = "network"

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"Expected {name} of DenseCRF above 0, got {getattr(self, name)}; 3 and 20 "
                    "pixels and 3 levels are RMI's."
                )
        if self.iterations < 0:
            raise ConfigError(
                f"Expected 0 or more iterations of DenseCRF, got {self.iterations}; 5 are RMI's."
            )


def refine(
    image: UInt8[np.ndarray, " height width 3"],
    probabilities: Float32[np.ndarray, " expressions height width"],
    options: CRFOptions = CRFOptions(),
) -> Float32[np.ndarray, " expressions height width"]:
    """Let the edges of an image decide where the foreground of each expression ends.

    What depends on the image alone is worked out once for all expressions; it takes most of the
    time. Each expression's result is the same bit for bit, alone or among others.

    Args:
        image: RGB.
        probabilities: of the foreground, [0, 1]; clipped to [1e-6, 1 - 1e-6].
        options: the energies.

    Returns:
        The probability of the foreground after the last iteration. A pixel is foreground where it
        is above 0.5.

    Raises:
        ConfigError: pydensecrf2 is not installed.

    Example:
        A prediction that spills over the edge of a black square is pulled back.

        >>> image = np.full((24, 24, 3), 255, dtype=np.uint8)
        >>> image[6:18, 6:18] = 0
        >>> probabilities = np.full((1, 24, 24), 0.2, dtype=np.float32)
        >>> probabilities[:, 6:18, 6:21] = 0.7
        >>> refined = refine(image, probabilities)[0] > 0.5
        >>> bool((refined == (image[..., 0] == 0)).all())
        True
    """
    densecrf = check_installed()
    height, width = image.shape[:2]
    field = densecrf.DenseCRF2D(width, height, 2)
    field.addPairwiseGaussian(sxy=options.gaussian_sxy, compat=options.gaussian_compat)
    field.addPairwiseBilateral(
        sxy=options.bilateral_sxy,
        srgb=options.bilateral_srgb,
        rgbim=np.require(image, requirements=["C", "W"]),
        compat=options.bilateral_compat,
    )
    refined = np.empty_like(probabilities)
    clipped = probabilities.clip(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    for foreground, result in zip(clipped, refined, strict=True):
        energies = -np.log(np.stack([1 - foreground, foreground]))
        field.setUnaryEnergy(energies.reshape(2, -1))
        result[:] = np.asarray(field.inference(options.iterations))[1].reshape(height, width)
    return refined


def check_installed() -> Any:  # noqa: ANN401 - a module without types
    """The library behind `refine`.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from pydensecrf import densecrf
    except ImportError:
        raise ConfigError(
            "DenseCRF needs the package pydensecrf2, which is not installed; run "
            '`pip install "pydensecrf2>=1.1"` (it is compiled then, by a C++ compiler; that works '
            "with Python 3.11 and 3.12, not with 3.13)."
        ) from None
    return densecrf

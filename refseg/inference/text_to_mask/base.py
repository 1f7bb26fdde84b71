"""What each family of text-to-mask models has in common: images and expressions in, masks out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from refseg.data import read_image
from refseg.errors import ConfigError, DataError, PredictionError
from refseg.evaluation.predictions import Predictions
from refseg.inference.crf import CRFOptions
from refseg.inference.pipeline import Picture, Segmentation, as_pixels
from refseg.models.weights.huggingface import explained, load_config, load_pretrained, where
from refseg.types import Batch


class TextToMaskModel(ABC):
    """A model that somebody else trained, with the methods of `Pipeline`, and a call for batches.

    The call takes what `refseg.evaluate` gives, so that the model is evaluated like any other.

    Args:
        name: of the model, for tables and summaries.
        device: where to compute, `cpu` or `cuda`, say.
    """

    def __init__(self, name: str, device: str) -> None:
        self.name = self.__name__ = name
        self.device = torch.device(device)

    def segment(
        self, image: Picture, expression: str, crf: CRFOptions | None = None
    ) -> Segmentation:
        """Segment what an expression names.

        Args:
            image: a file, a PIL image, or pixels (grey, RGB or RGBA; 8 or 16 bits, or 0–1).
            expression: the sentence.
            crf: must be None: DenseCRF is for models of refseg.

        Raises:
            ConfigError: DenseCRF is asked for.
            DataError: the image cannot be read; a sentence is empty.
            PredictionError: what the model computes is not a number.
        """
        return self.segment_all(image, [expression], crf)[0]

    def segment_all(
        self, image: Picture, expressions: Sequence[str], crf: CRFOptions | None = None
    ) -> list[Segmentation]:
        """Segment what each of several expressions names; the image is encoded once if it can be.

        Args:
            image: as `segment`, like the next ones.
            expressions: the sentences.
            crf: must be None.
        """
        if crf is not None:
            raise ConfigError(
                f"DenseCRF refines masks of models of refseg, and {self.name} is none; leave --crf "
                "(in Python: crf) out."
            )
        for expression in expressions:
            self.check(expression)
        pixels = as_pixels(image)
        with torch.inference_mode():
            return self._segment(pixels, list(expressions)) if expressions else []

    def __call__(self, batch: Batch) -> Predictions:
        """The masks of a batch, from its images' files: in their own size, not in the network's.

        Args:
            batch: whose `image_paths` can be read.
        """
        found: dict[int, Segmentation] = {}
        images = batch.image_index.tolist()
        for image, path in enumerate(batch.image_paths):
            asked = [place for place, of in enumerate(images) if of == image]
            expressions = [batch.expressions[place] for place in asked]
            found |= zip(asked, self.segment_all(read_image(path), expressions), strict=True)
        in_order = [found[place] for place in range(len(batch))]
        scores = torch.tensor([one.score for one in in_order], dtype=torch.float64)
        return Predictions([torch.from_numpy(one.mask) for one in in_order], scores)

    def check(self, expression: str) -> None:
        """Refuse what is no sentence.

        Raises:
            DataError: it has no word.
        """
        if not any(map(str.isalnum, expression)):
            raise DataError(f"The expression {expression!r} has no word; give at least one.")

    @property
    @abstractmethod
    def networks(self) -> tuple[nn.Module, ...]:
        """All networks whose weights the masks follow from."""

    @property
    def settings(self) -> tuple[object, ...]:
        """Plain values that the masks follow from beside weights."""
        return ()

    @abstractmethod
    def _segment(
        self, pixels: UInt8[np.ndarray, " height width 3"], expressions: list[str]
    ) -> list[Segmentation]:
        """The mask and the score of each expression, of which there is at least one."""

    def _to_device(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value.to(self.device) if isinstance(value, Tensor) else value
            for name, value in inputs.items()
        }

    def _check(self, values: Float[Tensor, " ..."]) -> None:
        if not bool(values.isfinite().all()):
            raise PredictionError(
                f"Expected numbers from {self.name}, got others: its weights are broken; get them "
                "again."
            )


def load_network(
    kind: Any,  # noqa: ANN401 - the transformers library has no types
    name: str,
    device: str,
) -> nn.Module:
    """A network of transformers with its weights, ready to predict.

    Args:
        kind: its class; that of the library itself, so nothing else is executed.
        name: on the hub, perhaps with a revision (`owner/name@v1`), or a folder.
        device: where to compute.

    Raises:
        ConfigError: there is no such model, or its weights do not fit.
    """
    network: nn.Module = load_pretrained(kind, name, load_config(name, None))
    return network.to(device).eval()


def load_processor(
    kind: Any,  # noqa: ANN401 - as above
    name: str,
) -> Any:  # noqa: ANN401 - as above
    """What makes inputs of a network from pixels and sentences, as its authors did.

    Args:
        kind: its class; that of the library itself, so nothing else is executed.
        name: on the hub, perhaps with a revision (`owner/name@v1`), or a folder.

    Raises:
        ConfigError: the model comes without one.
    """
    with explained(name):
        return kind.from_pretrained(**where(name))

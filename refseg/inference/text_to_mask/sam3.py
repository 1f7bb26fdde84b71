"""SAM 3: a detector and segmenter that a phrase prompts."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import nn

from refseg.evaluation.predictions import predict_from_probabilities
from refseg.geometry import Geometry
from refseg.inference.pipeline import Segmentation
from refseg.inference.text_to_mask.base import TextToMaskModel, load_network, load_processor
from refseg.inference.text_to_mask.instances import Instances, chosen, united
from refseg.models.weights.huggingface import import_transformers


class Sam3(TextToMaskModel):
    """SAM 3: an image is encoded once for all expressions; candidates are scored against each.

    A candidate's score is its own probability times that of the phrase being in the image at all.

    Args:
        name: on the Hugging Face hub (`facebook/sam3`), or a folder.
        device: where to compute, `cpu` or `cuda`, say.
        threshold: score that a candidate must exceed; 0.3 as in the library's processor.
        instances: `best` candidate or `all` above the threshold. SAM 3 was trained to find all that
            a noun phrase names; an expression means one object.

    Raises:
        ConfigError: there is no such model, or its weights do not fit.

    References:
        Carion et al., *SAM 3: Segment Anything with Concepts*, 2025,
        https://arxiv.org/abs/2511.16719.
    """

    def __init__(
        self,
        name: str,
        device: str = "cpu",
        threshold: float = 0.3,
        instances: Instances = "best",
    ) -> None:
        super().__init__(name, device)
        self.threshold = threshold
        self.instances: Instances = instances
        transformers = import_transformers()
        self.processor: Any = load_processor(transformers.Sam3Processor, name)
        self.network: Any = load_network(transformers.Sam3Model, name, device)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """The network, alone."""
        return (self.network,)

    @property
    def settings(self) -> tuple[object, ...]:
        """Threshold and choice."""
        return (self.threshold, self.instances)

    def _segment(
        self, pixels: UInt8[np.ndarray, " height width 3"], expressions: list[str]
    ) -> list[Segmentation]:
        image = self._to_device(self.processor(images=pixels, return_tensors="pt"))
        seen = self.network.get_vision_features(image["pixel_values"])
        return [self._one(seen, pixels.shape[:2], expression) for expression in expressions]

    def _one(
        self,
        seen: Any,  # noqa: ANN401 - the transformers library has no types
        size: tuple[int, int],
        expression: str,
    ) -> Segmentation:
        text = self._to_device(
            self.processor.tokenizer(
                expression,
                padding="max_length",
                truncation=True,
                max_length=self.network.config.text_config.max_position_embeddings,
                return_tensors="pt",
            )
        )
        found = self.network(vision_embeds=seen, **text)
        scores = (found.pred_logits.sigmoid() * found.presence_logits.sigmoid())[0].cpu()
        self._check(scores)
        best = chosen(scores, self.threshold, self.instances)
        probabilities = found.pred_masks[0].cpu()[best].sigmoid()
        geometry = Geometry.squash(*size, probabilities.shape[-1])
        masks = predict_from_probabilities(probabilities, geometry).masks
        return united(masks, scores[best], size)

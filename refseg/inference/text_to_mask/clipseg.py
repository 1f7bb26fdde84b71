"""CLIPSeg: a small decoder on a frozen CLIP."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import nn

from refseg.evaluation.predictions import predict_in_image
from refseg.geometry import Geometry
from refseg.inference.pipeline import Segmentation
from refseg.inference.text_to_mask.base import TextToMaskModel, load_network, load_processor
from refseg.models.weights.huggingface import import_transformers


class ClipSeg(TextToMaskModel):
    """CLIPSeg: an image is encoded once for all expressions; a pixel is foreground above 0.5.

    The map of logits is brought to the image's own size first, and compared then.

    Args:
        name: on the Hugging Face hub (`CIDAS/clipseg-rd64-refined`), or a folder.
        device: where to compute, `cpu` or `cuda`, say.

    Raises:
        ConfigError: there is no such model, or its weights do not fit.

    References:
        Lüddecke and Ecker, *Image Segmentation Using Text and Image Prompts*, CVPR 2022,
        https://arxiv.org/abs/2112.10003.
    """

    def __init__(self, name: str, device: str = "cpu") -> None:
        super().__init__(name, device)
        transformers = import_transformers()
        self.processor: Any = load_processor(transformers.CLIPSegProcessor, name)
        kind = transformers.CLIPSegForImageSegmentation
        self.network: Any = load_network(kind, name, device)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """The network, alone."""
        return (self.network,)

    def _segment(
        self, pixels: UInt8[np.ndarray, " height width 3"], expressions: list[str]
    ) -> list[Segmentation]:
        network = self.network
        image = self._to_device(self.processor(images=pixels, return_tensors="pt"))
        text = self._to_device(
            self.processor.tokenizer(
                expressions,
                padding=True,
                truncation=True,
                max_length=network.config.text_config.max_position_embeddings,
                return_tensors="pt",
            )
        )
        seen = network.clip.get_image_features(image["pixel_values"], output_hidden_states=True)
        # The first hidden state is that before the first layer.
        layers = [seen.hidden_states[layer + 1] for layer in network.extract_layers]
        sentences = network.get_conditional_embeddings(
            len(expressions), text["input_ids"], text["attention_mask"]
        )
        several = [layer.expand(len(expressions), -1, -1) for layer in layers]
        logits = network.decoder(several, sentences).logits.reshape(
            len(expressions), *image["pixel_values"].shape[-2:]
        )
        self._check(logits)
        height, width = pixels.shape[:2]
        geometry = Geometry.squash(height, width, logits.shape[-1])
        masks, scores = predict_in_image(logits, geometry)
        pairs = zip(masks, scores.tolist(), strict=True)
        return [Segmentation(mask.numpy(), score) for mask, score in pairs]

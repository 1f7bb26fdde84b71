"""Grounding DINO and SAM: the one finds a box for a phrase, the other cuts out what is in it."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.inference.pipeline import Segmentation
from refseg.inference.text_to_mask.base import TextToMaskModel, load_network, load_processor
from refseg.inference.text_to_mask.instances import Instances, chosen, united
from refseg.models.weights.huggingface import import_transformers, load_config

SAM = "facebook/sam-vit-huge"
"""The SAM of Grounded SAM, which is taken where nobody names one."""


class GroundedSam(TextToMaskModel):
    """Grounding DINO gives boxes for a sentence, SAM the mask of each chosen box.

    SAM sees an image once. Grounding DINO sees it again for each sentence: there the words reach
    into the encoder of the image. Full stops in a sentence, which separate phrases for it, are
    left out, so that the whole sentence is one phrase.

    Args:
        name: of Grounding DINO on the Hugging Face hub (`IDEA-Research/grounding-dino-tiny`), or a
            folder.
        device: where to compute, `cpu` or `cuda`, say.
        sam: name or folder of the SAM.
        threshold: score that a box must exceed; 0.25 as in the library's processor.
        instances: `best` box or `all` above the threshold.

    Raises:
        ConfigError: there is no such model, its weights do not fit, or `sam` is no SAM.

    References:
        Liu et al., *Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set Object
        Detection*, ECCV 2024, https://arxiv.org/abs/2303.05499; Ren et al., *Grounded SAM:
        Assembling Open-World Models for Diverse Visual Tasks*, 2024,
        https://arxiv.org/abs/2401.14159.
    """

    def __init__(
        self,
        name: str,
        device: str = "cpu",
        sam: str = SAM,
        threshold: float = 0.25,
        instances: Instances = "best",
    ) -> None:
        super().__init__(f"{name} + {sam}", device)
        self.threshold = threshold
        self.instances: Instances = instances
        transformers = import_transformers()
        kind = load_config(sam, None).model_type
        if kind != "sam":
            raise ConfigError(
                f"Expected a SAM (model_type 'sam') for the boxes of Grounding DINO, got {sam} of "
                f"model_type '{kind}'; name one like {SAM} with --sam (in Python: sam)."
            )
        self.sam_processor: Any = load_processor(transformers.SamProcessor, sam)
        self.sam: Any = load_network(transformers.SamModel, sam, device)
        self.processor: Any = load_processor(transformers.GroundingDinoProcessor, name)
        detector = transformers.AutoModelForZeroShotObjectDetection
        self.network: Any = load_network(detector, name, device)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """Grounding DINO and SAM."""
        return (self.network, self.sam)

    @property
    def settings(self) -> tuple[object, ...]:
        """Threshold and choice."""
        return (self.threshold, self.instances)

    def _segment(
        self, pixels: UInt8[np.ndarray, " height width 3"], expressions: list[str]
    ) -> list[Segmentation]:
        image = self.sam_processor(images=pixels, return_tensors="pt")
        seen = self.sam.get_image_embeddings(image["pixel_values"].to(self.device))
        answers = []
        for expression in expressions:
            boxes, scores = self._boxes(pixels, expression)
            best = chosen(scores, self.threshold, self.instances)
            masks = self._masks(pixels, seen, boxes[best]) if len(best) else []
            answers.append(united(masks, scores[best], pixels.shape[:2]))
        return answers

    def _boxes(
        self, pixels: UInt8[np.ndarray, " height width 3"], expression: str
    ) -> tuple[Float[Tensor, " candidates 4"], Float[Tensor, " candidates"]]:
        """Corners (left, top, right, bottom) in pixels, and scores, of all candidates."""
        phrase = " ".join(expression.lower().replace(".", " ").split()) + "."
        longest = self.network.config.max_text_len
        inputs = self.processor(
            images=pixels, text=phrase, return_tensors="pt", truncation=True, max_length=longest
        )
        found = self.network(**self._to_device(inputs))
        # Scores of words that the phrase does not have are minus infinity.
        scores = found.logits[0].sigmoid().amax(dim=-1).cpu()
        self._check(scores)
        x, y, width, height = found.pred_boxes[0].cpu().unbind(-1)
        corners = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)
        rows, columns = pixels.shape[:2]
        return corners * corners.new_tensor([columns, rows, columns, rows]), scores

    def _masks(
        self,
        pixels: UInt8[np.ndarray, " height width 3"],
        seen: Float[Tensor, " 1 dim h w"],
        boxes: Float[Tensor, " boxes 4"],
    ) -> list[Tensor]:
        inputs = self.sam_processor(
            images=pixels, input_boxes=[boxes.tolist()], return_tensors="pt"
        )
        found = self.sam(
            image_embeddings=seen,
            input_boxes=inputs["input_boxes"].to(self.device, torch.float32),
            multimask_output=False,
        )
        self._check(found.pred_masks)
        (masks,) = self.sam_processor.post_process_masks(
            found.pred_masks.cpu(), inputs["original_sizes"], inputs["reshaped_input_sizes"]
        )
        return [*masks[:, 0]]

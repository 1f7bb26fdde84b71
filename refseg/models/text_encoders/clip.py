"""CLIP's text tower by its sizes, with weights from a file of CLIP's own."""

from collections.abc import Mapping
from typing import Any

from refseg.errors import ConfigError
from refseg.models.text_encoders.transformers import TransformersEncoder
from refseg.models.weights.clip import read_clip
from refseg.models.weights.files import load_weights
from refseg.models.weights.huggingface import Architecture


class ClipTextEncoder(TransformersEncoder):
    """The text tower that belongs to a `ClipResNet`.

    `TransformersEncoder` has the text towers of CLIP's vision transformers by their names on the
    hub, where those of its ResNets are not. This one is made by its sizes, and filled from the file
    that fills the image side.

    The vector of a word is the last hidden state after the final normalisation, that of a sentence
    the state of the token that ends it, projected to where images are compared with it. As in
    CLIP's code, the token with the highest id is taken for the end. The data has to use CLIP's
    tokenizer: `TransformersTokenizer` with a name such as `openai/clip-vit-base-patch32`. (CLIP's
    code first mends signs of HTML and makes curly quotes straight, the library does not.)

    Args:
        vocab_size: number of token ids; supplied by the data, 49408 in CLIP.
        weights: none: random; else the path of a state dict (`.safetensors`, `.pt`, `.pth`) with
            the names that OpenAI and open_clip share; what it has of the image tower is ignored.
        frozen: leave the weights as they are.
        width: channels of a word; 512 with RN50 and RN101.
        layers: of the transformer; 12 in CLIP.
        heads: of each layer; none: one per 64 channels, as in CLIP.
        projection_dim: channels of the sentence, the `embed_dim` of the image tower: 1024 with
            RN50, 512 with RN101.
        positions: most tokens of a sentence; 77 in CLIP.

    Raises:
        ConfigError: sizes or weights do not fit, or the file cannot be read without running it.

    References:
        Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*
        (CLIP), ICML 2021, https://arxiv.org/abs/2103.00020, section 2.4.
    """

    def __init__(
        self,
        vocab_size: int,
        weights: str | None = None,
        frozen: bool = False,
        width: int = 512,
        layers: int = 12,
        heads: int | None = None,
        projection_dim: int = 1024,
        positions: int = 77,
    ) -> None:
        heads = heads or max(1, width // 64)
        if width % heads:
            raise ConfigError(f"Expected a width that {heads} heads can share, got {width}.")
        architecture = Architecture(
            model_type="clip_text_model",
            vocab_size=vocab_size,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=positions,
            projection_dim=projection_dim,
            pad_token_id=0,
            bos_token_id=0,
            eos_token_id=2,  # to the library this means: the token with the highest id
        )
        super().__init__(vocab_size, "CLIP", frozen, "projection", architecture=architecture)
        if weights is not None:
            # A finished model, which `refseg.load` opens, reads no weights of the original.
            from refseg.models.original.clip import clip_text_state

            load_weights(self, clip_text_state(read_clip(weights)), weights)

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether no file of weights is named."""
        return arguments.get("weights") is None

    def portable_arguments(self) -> dict[str, Any]:
        """No weights: the checkpoint has them."""
        return {"weights": None}

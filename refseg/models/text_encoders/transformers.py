"""Text encoders from the transformers library: BERT, RoBERTa, CLIP's text tower and others."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int64
from torch import Tensor
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.freezing import Pretrained
from refseg.models.text_encoders.base import TextEncoder
from refseg.models.weights.huggingface import (
    Architecture,
    explained,
    import_transformers,
    load_config,
    load_pretrained,
    plain_config,
)
from refseg.precision import full_precision
from refseg.types import TextFeatures


class TransformersEncoder(Pretrained, TextEncoder):
    """Any text model of the transformers library, by name or from a folder.

    The vector of a word is the model's last hidden state at its token. Of a model of images and
    texts (CLIP), the text tower is taken; of an encoder-decoder (T5), the encoder. The data has to
    use the tokenizer of the same name.

    Args:
        vocab_size: number of token ids; supplied by the data.
        name: on the Hugging Face hub, or a folder that `save_pretrained` wrote.
        frozen: leave the model as it is.
        sentence: the vector of a sentence: `mean` of its words, or the model's own `pooler` (BERT:
            the first token; CLIP: the token that ends the sentence).
        pretrained: load the weights; else only the architecture, with random weights.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.

    Raises:
        ConfigError: there is no such model, no network to get it, the model has no pooler, or the
            data's tokenizer is not the model's.
    """

    def __init__(
        self,
        vocab_size: int,
        name: str,
        frozen: bool = True,
        sentence: Literal["mean", "pooler"] = "mean",
        pretrained: bool = True,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        self.name, self.sentence = name, sentence
        config = load_config(name, architecture)
        self.config = config = getattr(config, "text_config", None) or config
        transformers = import_transformers()
        encoder_of_two = getattr(config, "is_encoder_decoder", False)
        auto = transformers.AutoModelForTextEncoding if encoder_of_two else transformers.AutoModel
        if pretrained and architecture is None:
            trunk = load_pretrained(auto, name, config)
        else:
            with explained(name):
                trunk = auto.from_config(config)
        _check_vocabulary(trunk.get_input_embeddings().num_embeddings, vocab_size, name)
        if sentence == "mean" and getattr(trunk, "pooler", None) is not None:
            trunk.pooler = None  # distributed training waits for the gradient of all it holds
        self.hold(trunk, frozen)
        self.word_dim = self.sentence_dim = config.hidden_size
        self.padding = config.pad_token_id or 0
        if sentence == "pooler" and self._pooled() is None:
            raise ConfigError(f"'{name}' ({config.model_type}) has no pooler; use sentence: mean.")

    def forward(
        self,
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
    ) -> TextFeatures:
        """Encode a batch of tokenised expressions; one without words has the zero sentence.

        Raises:
            ConfigError: a sentence has more tokens than the model has positions.
        """
        lengths = token_mask.sum(1)
        longest = max(1, int(lengths.max()))
        self._check_length(longest)
        mask = token_mask[:, :longest]
        attended = mask.clone()
        attended[:, 0] = True  # attention over nothing is not a number
        known = tokens[:, :longest].masked_fill(~mask, self.padding)
        with self.trunk_gradients():
            output = self.trunk(input_ids=known, attention_mask=attended.long())
        words = output.last_hidden_state
        if self.sentence == "mean":
            total = (full_precision(words) * mask[:, :, None]).sum(1)
            sentence = (total / lengths.clamp(min=1)[:, None]).to(words.dtype)
        else:
            sentence = output.pooler_output * (lengths > 0)[:, None]
        words = functional.pad(words, (0, 0, 0, tokens.shape[1] - longest))
        return TextFeatures(words, sentence, token_mask)

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the architecture is given, in place of the files behind `name`."""
        return arguments.get("architecture") is not None

    def portable_arguments(self) -> dict[str, Any]:
        """The architecture in place of the files behind `name`."""
        return {"architecture": plain_config(self.config)}

    @torch.no_grad()
    def _pooled(self) -> Tensor | None:
        token = torch.tensor([[self.padding]])
        output = self.trunk(input_ids=token, attention_mask=torch.ones_like(token))
        return getattr(output, "pooler_output", None)

    def _check_length(self, longest: int) -> None:
        positions = getattr(self.config, "max_position_embeddings", None)
        if positions is not None and longest > positions:
            raise ConfigError(
                f"Expected at most {positions} tokens per sentence for '{self.name}', got "
                f"{longest}; lower the tokenizer's max_words."
            )


def _check_vocabulary(embeddings: int, vocab_size: int, name: str) -> None:
    """A model may have some spare embeddings, but not fewer, nor half of them to spare."""
    if not embeddings // 2 < vocab_size <= embeddings:
        raise ConfigError(
            f"Expected the tokenizer of '{name}' with its {embeddings} token ids, but the data's "
            f"has {vocab_size}. Use the tokenizer TransformersTokenizer with name: {name}."
        )

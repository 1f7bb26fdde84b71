"""Text encoders from the transformers library: BERT, RoBERTa, CLIP's text tower and others."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.freezing import Pretrained
from refseg.models.text_encoders.base import TextEncoder
from refseg.models.text_encoders.towers import TOWERS, load_tower, text_config
from refseg.models.weights.huggingface import (
    Architecture,
    explained,
    import_transformers,
    load_pretrained,
    plain_config,
)
from refseg.precision import full_precision
from refseg.types import TextFeatures


class TransformersEncoder(Pretrained, TextEncoder):
    """Any text model of the transformers library, by name or from a folder.

    The vector of a word is the model's last hidden state at its token. Of a model of images and
    texts (CLIP, CLIPSeg, MetaCLIP 2, OWLv2, SigLIP, SigLIP 2), the text tower is taken; of an
    encoder-decoder (T5), the encoder. The data has to use the tokenizer of the same name.

    Padding is never attended. SigLIP and SigLIP 2 were trained on sentences that are filled with
    padding up to all of their positions, and that is read: here each sentence is filled so, however
    much padding it came with, and the vector of a sentence is read where the filling ends.

    Args:
        vocab_size: number of token ids; supplied by the data.
        name: on the Hugging Face hub, or a folder that `save_pretrained` wrote.
        frozen: leave the model as it is.
        sentence: the vector of a sentence: `mean` of its words, the model's own `pooler` (BERT: the
            first token; CLIP: the token that ends the sentence), or, of a model of images and
            texts, the `projection` of the pooled vector to where images are compared with it.
        pretrained: load the weights; else only the architecture, with random weights.
        dropout: drop values at random in training, as the model's configuration says; false: never.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.

    Raises:
        ConfigError: there is no such model, no network to get it, the model has no pooler or no
            projection, or the data's tokenizer is not the model's.
    """

    def __init__(
        self,
        vocab_size: int,
        name: str,
        frozen: bool = True,
        sentence: Literal["mean", "pooler", "projection"] = "mean",
        pretrained: bool = True,
        dropout: bool = True,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        self.name, self.sentence, self.dropout = name, sentence, dropout
        self.config = config = text_config(name, architecture)
        trunk, projection = self._load_trunk(pretrained and architecture is None)
        _check_vocabulary(_embeddings(trunk), vocab_size, name)
        if sentence == "mean" and getattr(trunk, "pooler", None) is not None:
            trunk.pooler = None  # distributed training waits for the gradient of all it holds
        self.hold(trunk, frozen)
        self.projection = projection
        if projection is not None:
            projection.requires_grad_(not frozen)
        tower = TOWERS.get(config.model_type)
        self.is_filled = tower is not None and tower.is_filled
        if sentence == "mean" and self.is_filled:
            trunk.get_submodule("head").requires_grad_(False)
        self.word_dim = self.sentence_dim = config.hidden_size
        self.padding = config.pad_token_id or 0
        if sentence != "mean":
            pooled = self._pooled()
            if pooled is None:
                raise ConfigError(
                    f"'{name}' ({config.model_type}) has no pooler; use sentence: mean."
                )
            self.sentence_dim = pooled.shape[-1]

    def train(self, mode: bool = True) -> "TransformersEncoder":
        """Set the mode; that of a trunk without dropout is always evaluation."""
        super().train(mode)
        if not self.dropout:
            self.trunk.eval()
        return self

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
        # What is masked is not known to an exported program, which reads the padding, too.
        is_exporting = torch.compiler.is_exporting()
        longest = tokens.shape[1] if is_exporting else max(1, int(lengths.max()))
        self._check_length(longest)
        mask = token_mask[:, :longest]
        known = tokens[:, :longest].masked_fill(~mask, self.padding)
        with self.trunk_gradients():
            states, pooled = self._read(known, mask)
            words = states[:, :longest]
            if pooled is None:
                total = (full_precision(words) * mask[:, :, None]).sum(1)
                sentence = (total / lengths.clamp(min=1)[:, None]).to(words.dtype)
            else:
                sentence = pooled * (lengths > 0)[:, None]
        words = functional.pad(words, (0, 0, 0, tokens.shape[1] - longest))
        return TextFeatures(words, sentence, token_mask)

    def _read(self, tokens: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The states of all tokens and, unless the mean is asked for, the vector of a sentence."""
        if self.is_filled:
            missing = self.config.max_position_embeddings - tokens.shape[1]
            filled = functional.pad(tokens, (0, missing), value=self.padding)
            output = self.trunk(input_ids=filled)
        elif mask is None:
            output = self.trunk(input_ids=tokens)
        else:
            attended = mask.clone()
            attended[:, 0] = True  # attention over nothing is not a number
            output = self.trunk(input_ids=tokens, attention_mask=attended.long())
        if self.sentence == "mean":
            return output.last_hidden_state, None
        pooled = getattr(output, "pooler_output", None)
        if pooled is not None and self.projection is not None:
            pooled = self.projection(pooled)
        return output.last_hidden_state, pooled

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the architecture is given, in place of the files behind `name`."""
        return arguments.get("architecture") is not None

    def portable_arguments(self) -> dict[str, Any]:
        """The architecture in place of the files behind `name`."""
        return {"architecture": plain_config(self.config)}

    def _load_trunk(self, pretrained: bool) -> tuple[Any, nn.Linear | None]:
        """The model and, if it is asked for and not part of it, the projection of sentences."""
        transformers, name, config = import_transformers(), self.name, self.config
        projected = self.sentence == "projection"
        if config.model_type in TOWERS:
            return load_tower(name, config, pretrained=pretrained, projected=projected)
        if projected:
            raise ConfigError(
                f"'{name}' ({config.model_type}) has no projection of sentences; use sentence: "
                "mean or pooler."
            )
        encoder_of_two = getattr(config, "is_encoder_decoder", False)
        auto = transformers.AutoModelForTextEncoding if encoder_of_two else transformers.AutoModel
        if pretrained:
            return load_pretrained(auto, name, config), None
        with explained(name):
            return auto.from_config(config), None

    @torch.no_grad()
    def _pooled(self) -> Tensor | None:
        token = torch.tensor([[self.padding]])
        return self._read(token, None)[1]  # the values of a mask are not there on device meta

    def _check_length(self, longest: int | torch.SymInt) -> None:
        positions = getattr(self.config, "max_position_embeddings", None)
        if positions is not None and longest > positions:
            raise ConfigError(
                f"Expected at most {positions} tokens per sentence for '{self.name}', got "
                f"{longest}; lower the tokenizer's max_words."
            )


def _embeddings(trunk: Any) -> int:  # noqa: ANN401 - the transformers library has no types
    """The number of token ids that a model has embeddings of."""
    embeddings = getattr(trunk, "embeddings", None)
    token_embedding = getattr(embeddings, "token_embedding", None)  # of a tower
    return (token_embedding or trunk.get_input_embeddings()).num_embeddings


def _check_vocabulary(embeddings: int, vocab_size: int, name: str) -> None:
    """A model may have some spare embeddings, but not fewer, nor half of them to spare."""
    if not embeddings // 2 < vocab_size <= embeddings:
        raise ConfigError(
            f"Expected the tokenizer of '{name}' with its {embeddings} token ids, but the data's "
            f"has {vocab_size}. Use the tokenizer TransformersTokenizer with name: {name}."
        )

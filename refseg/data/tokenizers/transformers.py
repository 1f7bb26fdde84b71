"""Tokenizers of pretrained text encoders."""

import html
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from refseg.data.tokenizers.base import Tokenizer, counted
from refseg.data.tokenizers.words import split_words, words_of
from refseg.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_AT_ONCE = 1000  # sentences, so that little memory is needed
_STRAIGHT = str.maketrans("‘’‚‛“”„‟", "''''" + '"' * 4)  # noqa: RUF001 - curly on purpose
_SPECIAL = {f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")}


class TransformersTokenizer(Tokenizer):
    """The tokenizer of a pretrained text encoder of the transformers library.

    Its vocabulary is that of the pretrained model, so `build` changes nothing. The checkpoint
    carries the whole tokenizer, so that neither network nor folder is needed to use it.

    Args:
        name: a name on the Hugging Face hub, perhaps with a revision (`owner/name@v1`), or a local
            folder, the same as the text encoder's.
        max_words: sentences are cut after so many tokens, pieces of words and special tokens
            included.
        clean: mend first what web pages leave in captions, as CLIP's own code does and the library
            does not: HTML's signs (`&#39;`) become letters, and curly quotes straight.
    """

    needs_building = False
    unit = "pieces of words"

    def __init__(self, name: str, max_words: int = 20, clean: bool = False) -> None:
        super().__init__(max_words)
        self.name, self.clean = name, clean
        self._loaded: PreTrainedTokenizerFast | None = None

    @property
    def loaded(self) -> "PreTrainedTokenizerFast":
        """The library's tokenizer, read when it is first asked for."""
        if self._loaded is None:
            self._loaded = _load_transformers_tokenizer(self.name)
        return self._loaded

    @property
    def vocab_size(self) -> int:
        """Number of ids of the pretrained vocabulary, added tokens included."""
        return len(self.loaded)

    def build(self, expressions: Iterable[str]) -> None:
        """Keep the pretrained vocabulary."""

    def encode(
        self, expressions: Sequence[str]
    ) -> tuple[Int64[np.ndarray, "expressions words"], Bool[np.ndarray, "expressions words"]]:
        """Token ids with the model's special tokens, padded on the right, and True at a token."""
        for expression in expressions:
            words_of(expression)
        if not expressions:
            return np.zeros((0, 0), np.int64), np.zeros((0, 0), np.bool_)
        encoded = self.loaded(
            [self._mended(expression) for expression in expressions],
            padding=True,
            truncation=True,
            max_length=self.max_words,
            return_attention_mask=True,  # SigLIP's says nothing of padding by itself
            return_tensors="np",
        )
        tokens, token_mask = encoded["input_ids"], encoded["attention_mask"]
        return tokens.astype(np.int64), token_mask.astype(np.bool_)

    def words(self, expression: str) -> list[str]:
        """The pieces of a sentence, the model's special tokens included."""
        return list(self.loaded.convert_ids_to_tokens(self.encode([expression])[0][0].tolist()))

    def unknown_words(self, expression: str) -> list[str]:
        """The words that become the model's unknown token; most models have pieces for any word."""
        expression = self._mended(expression)
        encoded = self.loaded(expression, truncation=True, max_length=self.max_words)
        pieces = zip(encoded.word_ids(), encoded["input_ids"], strict=True)
        unknown = {number: None for number, token in pieces if token == self._unknown}
        spans = [encoded.word_to_chars(number) for number in unknown if number is not None]
        return [word for start, end in spans for word in split_words(expression[start:end])]

    def knows_any_word(self, expression: str) -> bool:
        """Whether any of the pieces that are read has an id of its own."""
        encoded = self.loaded(
            self._mended(expression),
            truncation=True,
            max_length=self.max_words,
            return_special_tokens_mask=True,
        )
        pieces = zip(encoded["special_tokens_mask"], encoded["input_ids"], strict=True)
        return any(not special and token != self._unknown for special, token in pieces)

    def lengths(self, expressions: Sequence[str]) -> Int64[np.ndarray, " expressions"]:
        """How many pieces each sentence has, special tokens and those after the cut included."""
        # A copy, as its options are part of the state; twice as fast as the library around it.
        backend = deepcopy(self.loaded.backend_tokenizer)
        backend.no_truncation()
        backend.no_padding()
        counts = [
            len(pieces)
            for start in range(0, len(expressions), _AT_ONCE)
            for pieces in backend.encode_batch_fast(
                [self._mended(expression) for expression in expressions[start : start + _AT_ONCE]]
            )
        ]
        return np.array(counts, np.int64)

    def _mended(self, expression: str) -> str:
        """The sentence without what web pages leave in it, where that is asked for."""
        if not self.clean:
            return expression
        return html.unescape(html.unescape(expression.translate(_STRAIGHT))).strip()

    @property
    def _unknown(self) -> int | None:
        return self.loaded.unk_token_id

    def state_dict(self) -> dict[str, Any]:
        """The name, the serialised tokenizer and its special tokens.

        Lists of further special tokens are part of what is serialised.
        """
        named = self.loaded.special_tokens_map.items()
        special = {key: str(token) for key, token in named if not isinstance(token, list | tuple)}
        return {
            "class": type(self).__name__,
            "name": self.name,
            "max_words": self.max_words,
            "clean": self.clean,
            "serialised": self.loaded.backend_tokenizer.to_str(),
            "special_tokens": special,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "TransformersTokenizer":
        """The tokenizer that gave this state; needs neither network nor folder."""
        from tokenizers import Tokenizer as Backend
        from transformers import PreTrainedTokenizerFast

        special = state["special_tokens"]
        if not set(special) <= _SPECIAL or not all(isinstance(v, str) for v in special.values()):
            raise TypeError(f"expected texts as {', '.join(sorted(_SPECIAL))}")
        clean = state.get("clean", False)  # older ones did not
        if not isinstance(clean, bool):
            raise TypeError(f"expected true or false as clean, got {clean!r}")
        tokenizer = cls(str(state["name"]), counted(state, "max_words"), clean)
        tokenizer._loaded = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # theirs
            tokenizer_object=Backend.from_str(state["serialised"]),
            padding_side="right",
            truncation_side="right",
            **special,
        )
        return tokenizer


def _load_transformers_tokenizer(name: str) -> "PreTrainedTokenizerFast":
    import os

    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    from refseg.checkpoint.hub import hub_name  # no need of words as tokens

    # The library's own threads and the data loader's processes do not go together.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    model = hub_name(name)
    where, revision = (name, "main") if model is None else (model.name, model.revision or "main")
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            where, revision=revision, padding_side="right", use_fast=True
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"Cannot load the tokenizer '{name}' ({reason}); give a name on the Hugging Face hub "
            "or a folder that save_pretrained wrote."
        ) from None
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ConfigError(
            f"The tokenizer '{name}' has no fast version, which a checkpoint needs; choose another."
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer

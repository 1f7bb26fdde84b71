"""From sentences to token ids, one file per family."""

from refseg.data.tokenizers.base import Tokenizer, tokenizer_from_state
from refseg.data.tokenizers.original import OriginalTokenizer
from refseg.data.tokenizers.transformers import TransformersTokenizer
from refseg.data.tokenizers.words import WordTokenizer, normalize_text, split_words

__all__ = [
    "OriginalTokenizer",
    "Tokenizer",
    "TransformersTokenizer",
    "WordTokenizer",
    "normalize_text",
    "split_words",
    "tokenizer_from_state",
]

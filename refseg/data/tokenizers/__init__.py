"""From sentences to token ids, one file per family.

In come sentences, out come padded ids with a mask. Open `base` first. All families are imported
together, as checkpoints and configs name a tokenizer by its class.
"""

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

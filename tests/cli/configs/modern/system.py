"""What the tests of the modern systems' recipes have to know of each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] the red box on far left of man ' s big one thing ##s"


class System(NamedTuple):
    """A published system.

    Args:
        small: writes tiny models with random weights into a folder, and returns the options that
            put them in place of those that the recipes name.
        full: writes what says how large the models are, without weights, and returns the options
            that put it in place of the names on the hub.
        published: parameters of the published system, by part.
        differences: why ours has more of them (or fewer, if negative), and how many.
        unused: names of parameters, with `*`, that transformers has and nothing uses: not counted.
    """

    small: Callable[[Path], list[str]]
    full: Callable[[Path], list[str]]
    published: Mapping[str, int]
    differences: Mapping[str, int]
    unused: tuple[str, ...] = ()


def write_tokenizer(folder: Path, vocab_size: int) -> Path:
    """Write a tokenizer in BERT's manner with as many pieces."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = PIECES.split()
    pieces += [f"[unused{number}]" for number in range(vocab_size - len(pieces))]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)
    return folder

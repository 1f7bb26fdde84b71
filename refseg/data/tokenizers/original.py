"""Cuts sentences into words as the original code of both papers does, its errors included."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from refseg.data.tokenizers.base import Tokenizer, counted, listed
from refseg.errors import ConfigError, DataError

_SEPARATORS = re.compile(r"(\W+)", re.ASCII)
_ASCII_SPACE = " \t\n\r\x0b\x0c"
PADDING, UNKNOWN = "<pad>", "<unk>"


def split_as_original(expression: str) -> list[str]:
    """Words, and the separators between them, in lower case.

    A separator keeps the spaces around it: the comma of "a man, left" is the token ", ", which no
    vocabulary has. Letters beyond ASCII separate words, too. A full stop at the end is dropped.

    Raises:
        DataError: the sentence is blank. (The original code stops with an IndexError.)

    Example:
        >>> split_as_original("The dog's bowl, on the left.")
        ['the', 'dog', "'", 's', 'bowl', ', ', 'on', 'the', 'left']
    """
    tokens = _tokens(expression)
    if not tokens:
        raise DataError(f"The expression {expression[:60]!r} has no word; give at least one.")
    return tokens[:-1] if tokens[-1] == "." else tokens


def _tokens(expression: str) -> list[str]:
    pieces = _SEPARATORS.split(expression.strip())
    return [_lower(piece) for piece in pieces if piece.strip()]


def _lower(piece: str) -> str:
    """Lower case character by character, as in Python 2, whatever stands beside a character."""
    return "".join(character.lower()[0] for character in piece)


class OriginalTokenizer(Tokenizer):
    r"""One id per line of a vocabulary file, exactly as in the code of both papers.

    For parity with published models. `WordTokenizer` is the sound choice for new ones; it differs
    in four ways:

    * The vocabulary is given: 8,803 words for ReferIt, from image captions, which lack 5% of the
      words of its sentences ("anywhere", "rightmost", "2nd"); 12,112 for the COCO sets.
      `WordTokenizer` takes the words of the training split.
    * A comma followed by a space, or a bracket after one, is an unknown word here, and takes one of
      the 20 places. `WordTokenizer` leaves punctuation out.
    * "dog's" is "dog", "'" and "s" here; "dog" and "'s" there. "2nd" is one word here, two there.
    * Letters beyond ASCII split words here ("café" is "caf" and "é"); there they are letters.

    Ids are padded on the right, as everywhere in refseg; the original pads on the left
    (`LSTMEncoder` knows both). A sentence of a full stop alone has no words and is padding only.

    Args:
        vocabulary: a text file with one word per line, `<pad>` in the first and `<unk>` in any;
            a word that stands there twice has the id of its last line. None: the vocabulary comes
            from a checkpoint.
        max_words: sentences are cut after so many tokens; 20 in the papers.

    Raises:
        DataError: the file is absent, or lacks one of the two special words.

    References:
        Hu et al., https://github.com/ronghanghu/text_objseg, and Liu et al.,
        https://github.com/chenxi116/TF-phrasecut-public, `util/text_processing.py`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "vocabulary.txt"
        ...     _ = file.write_text("<pad>\n<go>\n<eos>\n<unk>\nsky\nabove\nthe\nbridge\n")
        ...     tokenizer = OriginalTokenizer(file)
        >>> tokens, token_mask = tokenizer.encode(["Sky above the bridge.", "the sky, above"])
        >>> tokens
        array([[4, 5, 6, 7],
               [6, 4, 3, 5]])
    """

    needs_building = False
    unit = "words and separators"

    def __init__(self, vocabulary: Path | None = None, max_words: int = 20) -> None:
        super().__init__(max_words)
        self._lines: list[str] = []
        self._ids: dict[str, int] = {}
        if vocabulary is not None:
            self._set_lines(_read_lines(Path(vocabulary)))

    def _set_lines(self, lines: Sequence[str]) -> None:
        self._lines = list(lines)
        self._ids = {word: number for number, word in enumerate(lines)}

    @property
    def vocab_size(self) -> int:
        """Number of lines of the vocabulary file."""
        return len(self._lines)

    def build(self, expressions: Iterable[str]) -> None:
        """Keep the given vocabulary."""

    def encode(
        self, expressions: Sequence[str]
    ) -> tuple[Int64[np.ndarray, "expressions words"], Bool[np.ndarray, "expressions words"]]:
        """Token ids, padded with 0 on the right, and True where a token is.

        Raises:
            DataError: a sentence is blank.
            ConfigError: there is no vocabulary.
        """
        if not self._ids:
            raise ConfigError(
                "The OriginalTokenizer has no vocabulary; give the file's path in `vocabulary`."
            )
        sentences = [self.words(expression) for expression in expressions]
        longest = max([1, *map(len, sentences)]) if sentences else 0
        tokens = np.zeros((len(sentences), longest), np.int64)
        token_mask = np.zeros((len(sentences), longest), np.bool_)
        unknown = self._ids[UNKNOWN]
        for row, read, words in zip(tokens, token_mask, sentences, strict=True):
            row[: len(words)] = [self._ids.get(word, unknown) for word in words]
            read[: len(words)] = True
        return tokens, token_mask

    def words(self, expression: str) -> list[str]:
        """The tokens of a sentence, as many as are read.

        Raises:
            DataError: the sentence is blank.
        """
        return split_as_original(expression)[: self.max_words]

    def vocabulary(self) -> list[str]:
        """The lines of the vocabulary file."""
        return list(self._lines)

    def unknown_words(self, expression: str) -> list[str]:
        """The tokens of those that are read that the vocabulary lacks, separators included."""
        return [word for word in self.words(expression) if word not in self._ids]

    def lengths(self, expressions: Sequence[str]) -> Int64[np.ndarray, " expressions"]:
        """How many tokens each sentence has, those after the cut included; none if blank."""
        sentences = map(_tokens, expressions)
        return np.array([len(words) - (words[-1:] == ["."]) for words in sentences], np.int64)

    def state_dict(self) -> dict[str, Any]:
        """The options and the lines of the vocabulary."""
        return {
            "class": type(self).__name__,
            "max_words": self.max_words,
            "lines": list(self._lines),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "OriginalTokenizer":
        """The tokenizer that gave this state."""
        tokenizer = cls(max_words=counted(state, "max_words"))
        lines = listed(state, "lines")
        if UNKNOWN not in lines:
            raise ValueError(f"its vocabulary lacks {UNKNOWN}")
        tokenizer._set_lines(lines)
        return tokenizer


def _read_lines(path: Path) -> list[str]:
    try:
        content = path.expanduser().read_bytes().decode("utf-8")
    except OSError as error:
        raise DataError(
            f"Cannot read the vocabulary {path} ({error.strerror}); correct `vocabulary`."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"The vocabulary {path} is no text in UTF-8 ({error}).") from None
    lines = [line.strip(_ASCII_SPACE) for line in content.removesuffix("\n").split("\n")]
    if lines[0] != PADDING or UNKNOWN not in lines:
        raise DataError(
            f"Expected one word per line in the vocabulary {path}, '{PADDING}' first and "
            f"'{UNKNOWN}' among them, got {lines[0][:40]!r} first; add the special words, or name "
            "the file that the model was trained with."
        )
    return lines

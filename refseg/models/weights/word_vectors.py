"""Vectors of words that others trained, from files in the text format of GloVe."""

import gzip
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from refseg.errors import ConfigError

_HEADER = re.compile(rb"\d+ \d+")  # of word2vec's and fastText's text format: words, and numbers
_EXPECTED = "expected a word and its numbers, apart by single spaces, in each line"


def vector_length(path: str | Path) -> int:
    """How many numbers the vectors of a file have, by its first line.

    Args:
        path: as in `read_word_vectors`.

    Raises:
        ConfigError: the file is absent, or is none of word vectors.
    """
    with _lines(path) as lines:
        first = next(lines, b"")
        if _HEADER.fullmatch(first):
            return int(first.split()[1])
        length = first.count(b" ")
        _numbers(first, length, f"line 1 of {path}")
        return length


def read_word_vectors(
    path: str | Path, words: Sequence[str]
) -> tuple[Float32[Tensor, " words dim"], Bool[Tensor, " words"]]:
    """The vectors of some words; those of all others in the file are passed over.

    Only what is asked for is kept in memory, so that the file may be of any size. Words are
    compared letter by letter, upper case apart from lower case.

    Args:
        path: a text file with a word and its numbers in each line, as GloVe, word2vec and fastText
            publish them; also compressed: `.gz`, `.zip` with one file, or `FILE.zip/MEMBER`.
        words: whose vectors are wanted; an empty text is no word.

    Returns:
        The vectors in the order of the words, 0 where there is none, and which words have one. Of a
        word that stands in the file twice, it is the first one.

    Raises:
        ConfigError: the file is absent, or a line of it is malformed.

    References:
        Pennington et al., *GloVe: Global Vectors for Word Representation*, EMNLP 2014,
        https://nlp.stanford.edu/projects/glove.
    """
    length = vector_length(path)
    wanted: dict[bytes, list[int]] = {}
    for number, word in enumerate(words):
        if word:
            wanted.setdefault(word.encode(), []).append(number)
    vectors, found = np.zeros((len(words), length), np.float32), np.zeros(len(words), np.bool_)
    with _lines(path) as lines:
        for number, line in enumerate(lines, start=1):
            name = line[: line.find(b" ")]
            spaces = line.count(b" ")
            if spaces != length:
                if number == 1 and _HEADER.fullmatch(line):
                    continue
                # A few words of GloVe's largest file have spaces themselves (". . .").
                name = line.rsplit(b" ", length)[0]
                if spaces < length or _is_number(name.rpartition(b" ")[2]):
                    raise ConfigError(
                        f"Line {number:,} of {path} has {spaces:,} numbers, and the first one has "
                        f"{length:,}; {_EXPECTED}. Is the file complete?"
                    )
            places = wanted.pop(name, None)
            if places is not None:
                vectors[places] = _numbers(line, length, f"line {number:,} of {path}")
                found[places] = True
    return torch.from_numpy(vectors), torch.from_numpy(found)


def _numbers(line: bytes, length: int, place: str) -> Float32[np.ndarray, " dim"]:
    try:
        numbers = np.array([*map(float, line.split(b" ")[-length:])] if length else [], np.float32)
    except ValueError:
        numbers = np.zeros(0, np.float32)
    if not len(numbers) or not np.isfinite(numbers).all():
        got = line[:40].decode(errors="replace")
        raise ConfigError(f"Cannot read {place} as the vector of a word; {_EXPECTED}, got {got!r}.")
    return numbers


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@contextmanager
def _lines(path: str | Path) -> Iterator[Iterator[bytes]]:
    """The lines of a file without the spaces at their ends.

    Raises:
        ConfigError: it cannot be read.
    """
    path = Path(path).expanduser()
    try:
        with _opened(path) as file:
            yield (line.rstrip() for line in file)
    except (OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Cannot read the word vectors in {path} ({reason}); correct the path, or download "
            "the file again."
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[Iterable[bytes]]:
    archive = next((p for p in (path, *path.parents) if p.suffix == ".zip" and p.is_file()), None)
    if archive is None:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(archive) as content:
        names = [name for name in content.namelist() if not name.endswith("/")]
        if archive == path and len(names) != 1:
            raise ConfigError(
                f"Expected one file in {path}, got {len(names)}; name the one that is meant: "
                f"{path}/{next(iter(names), 'MEMBER')}"
            )
        name = names[0] if archive == path else path.relative_to(archive).as_posix()
        with content.open(name) as member:
            yield member

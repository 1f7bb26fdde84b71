"""The records of the REFER family: how they are named, their splits and their sentences."""

import re
from pathlib import Path

from refseg.data.readers.builder import Sentence, has_word
from refseg.data.readers.records import get, get_text
from refseg.data.schema import SPLIT_SEPARATOR
from refseg.errors import DataError

_COMBINED = re.compile("test([A-Z]{2,})")


def record_name(path: Path, ref: object, position: int) -> str:
    """How messages name a reference: by its id, or by its place in the file where it has none."""
    ref_id = ref.get("ref_id") if isinstance(ref, dict) else None
    return f"{path}, ref_id {ref_id}" if type(ref_id) is int else f"{path}, record {position}"


def splits_of(ref: object, record: str) -> str:
    """The elementary splits of a published name: RefCLEF's `testAB` is testA and testB.

    Args:
        ref: the reference as it is published.
        record: how messages name it.

    Raises:
        DataError: it has none.

    Example:
        >>> splits_of({"split": "testAB"}, "a record"), splits_of({"split": "val"}, "a record")
        ('testA|testB', 'val')
    """
    published = get_text(ref, "split", record)
    if not published.strip() or SPLIT_SEPARATOR in published:
        raise DataError(f"{record}: expected the name of a split, got {published[:60]!r}.")
    combined = _COMBINED.fullmatch(published)
    names = [f"test{letter}" for letter in combined[1]] if combined else [published]
    return SPLIT_SEPARATOR.join(names)


def sentences_of(ref: object, record: str) -> list[Sentence]:
    """The sentences of a reference, at least one.

    Args:
        ref: the reference as it is published.
        record: how messages name it.

    Raises:
        DataError: there is none, a key is missing, or a sentence has no word.
    """
    sentences = []
    for sentence in get(ref, "sentences", list, record):
        expression_id = get(sentence, "sent_id", int, record)
        expression = get_text(sentence, "sent", record)
        if not has_word(expression):
            raise DataError(
                f"{record}: its sentence {expression_id} has no word: {expression[:60]!r}."
            )
        sentences.append(Sentence(expression_id, expression, get_text(sentence, "raw", record)))
    if not sentences:
        raise DataError(f"{record}: it has no sentence.")
    return sentences

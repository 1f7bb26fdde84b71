"""A labelled object, as each of the formats gives it."""

from collections.abc import Iterable
from typing import NamedTuple

from refseg.data.readers.records import shown
from refseg.errors import DataError

SENTENCES = ("expression", "caption", "expressions", "captions")
"""Names under which label tools keep what is said of an object."""


class LabelledObject(NamedTuple):
    """An object of an export.

    Args:
        record: file and record, for messages.
        image: name of its image, as the export has it.
        names: of the file that it can be, the likeliest first.
        height: of the image, as the export says, pixels.
        width: of the image, as the export says, pixels.
        segmentation: polygons or COCO's run lengths; `[]` where the sentence names nothing.
        expressions: what is said of it; none: nothing.
        category: what kind of thing it is; None: not told.
    """

    record: str
    image: str
    names: tuple[str, ...]
    height: int
    width: int
    segmentation: object
    expressions: tuple[str, ...]
    category: str | None


def sentences(values: Iterable[object], record: str) -> tuple[str, ...]:
    """The sentences in some texts and lists of texts, each once; those without any sign are none.

    Args:
        values: texts, lists of texts, or None.
        record: file and record, for messages.

    Raises:
        DataError: a value is neither.

    Example:
        >>> sentences(["the dog", None, ["", " the dog", "left"]], "here")
        ('the dog', 'left')
    """
    found: dict[str, None] = {}
    for value in values:
        for text in value if isinstance(value, list) else [value]:
            if text is None:
                continue
            if not isinstance(text, str):
                raise DataError(f"{record}: expected a sentence as text, got {shown(text)}.")
            if text.strip():
                found[text.strip()] = None
    return tuple(found)

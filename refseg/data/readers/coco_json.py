"""Reads JSON in COCO's layout without building objects for polygons that are not needed.

RefCOCO's expressions name a quarter of the objects of its `instances.json`, and nearly all of the
file is polygons: as Python objects they would take seconds and gigabytes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from refseg.data.readers.records import get
from refseg.errors import DataError

Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A number of an image or an object."""


class CocoImage(msgspec.Struct):
    """An image as its record says; checked while it was parsed."""

    id: Id
    file_name: str
    height: Id
    width: Id


class CocoAnnotation(msgspec.Struct):
    """An object; its segmentation is not parsed yet."""

    id: Id
    image_id: Id
    segmentation: msgspec.Raw


class _Content(msgspec.Struct):
    images: list[CocoImage]
    annotations: list[CocoAnnotation]


class Coco(NamedTuple):
    """The records of a file.

    Args:
        images: each a `CocoImage`, or, where any record of the file is not as it should be, each as
            `json` gives it.
        annotations: the same with `CocoAnnotation`.
    """

    images: Sequence[object]
    annotations: Sequence[object]


def read_coco(path: Path) -> Coco:
    """The images and annotations of a file.

    Raises:
        DataError: the file is absent, is not complete JSON, or lacks one of the lists.
    """
    try:
        parsed = msgspec.json.decode(path.read_bytes(), type=_Content)
    except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
        content = read_json(path)  # which is slower, and says what is wrong
        return Coco(*(get(content, name, list, str(path)) for name in Coco._fields))
    return Coco(parsed.images, parsed.annotations)


def written(value: object, where: str) -> object:
    """The parsed value of JSON text that was left unparsed; any other value unchanged.

    Args:
        value: of a record of `read_coco`.
        where: file and record, for messages.

    Raises:
        DataError: it is not JSON, or nested too deeply.
    """
    if not isinstance(value, msgspec.Raw):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # numbers that are too large, for one, which json takes for infinite
    try:
        return json.loads(bytes(value))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: this is not complete JSON ({error}).") from None


def read_json(path: Path) -> object:
    """The content of a JSON file of annotations.

    Raises:
        DataError: the file is absent, or is not complete JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path} is absent; it belongs to the annotations, beside those of the expressions."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not complete JSON ({error}); download or unpack it again."
        ) from None

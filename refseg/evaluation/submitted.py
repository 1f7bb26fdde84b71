"""Predictions that any program wrote: a line of JSON each, with a mask as run lengths or a file."""

import json
import math
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from refseg.errors import DataError
from refseg.masks import decode, encode_segmentation

LIST_FILE = "predictions.jsonl"
"""The list that `refseg predict` writes; several processes write `predictions-0.jsonl`, ..."""

Mask = Bool[np.ndarray, "height width"]
ReadMask = Callable[[Path, int, int, str], Mask]
"""Reads the file of a mask: its path, height and width of the image, and the record for messages.
"""
Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels, as COCO has them."""

_ID = re.compile(r"-?[0-9]{1,18}")
_PREDICTED = ("rle", "mask", "box")
_SHOWN = reprlib.Repr()  # which stops early, however large or deep a value
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother = 2, 60, 60


class Place(NamedTuple):
    """Where a prediction stands.

    Args:
        file: its number among the files.
        offset: of the line, bytes.
        line: from 1.
    """

    file: int
    offset: int
    line: int


class Question(NamedTuple):
    """Which expression a line says it answers: by its id, or by image and sentence.

    Args:
        expression_id: of the data set; None where the line has none.
        image: name or path of the image; None where there is an id.
        expression: the sentence; None where there is an id.
        split: that the line names; None where it names none.
    """

    expression_id: int | None
    image: str | None
    expression: str | None
    split: str | None

    def __str__(self) -> str:
        """As messages name it."""
        if self.expression_id is not None:
            return f"expression_id {self.expression_id}"
        return f"{self.image} {self.expression!r}"


class Prediction(NamedTuple):
    """What a line predicts.

    Args:
        mask: in the image's own size.
        score: that the program gives it; NaN where it gives none.
        box: that the program gives beside the mask, or instead of it; None where it gives none.
        is_box: there is no mask but a box, which `mask` fills.
    """

    mask: Mask
    score: float
    box: Box | None = None
    is_box: bool = False


class PredictionFiles:
    """The lines of a file of predictions, or of those that `refseg predict` left in a folder.

    A line is an object of JSON with

    * `expression_id`, or `image` (name or path) and `expression` (the sentence); `split` where the
      same id stands for different expressions;
    * `rle`: COCO's run lengths, `{"size": [height, width], "counts": …}` or the counts alone,
      compressed (a text) or not (a list of numbers); or `mask`: the path of an image file beside
      the list, of which what is not black is the object (or polygons, or run lengths); null or `[]`
      is an empty mask;
    * `score`, if there is one, and `box`, `[left, top, width, height]` in pixels. A box without a
      mask counts as the mask that fills it.

    What else a line has is not looked at. Only one line at a time is held in memory.

    Args:
        path: of the file, or of the folder.
        read_mask: reads masks that are image files.

    Raises:
        DataError: there is no such file, or none in the folder.
    """

    def __init__(self, path: Path, read_mask: ReadMask) -> None:
        self.path, self._read_mask = path, read_mask
        self.files = _files(path)

    def lines(self) -> Iterator[tuple[Place, Question]]:
        """Which expression each line answers, in the order of the lines.

        Raises:
            DataError: a line is damaged, or says neither id nor image and sentence; names it.
        """
        for number, file in enumerate(self.files):
            with file.open("rb") as lines:
                offset = 0
                for line, data in enumerate(lines, 1):
                    if data.strip():
                        record = f"{file}, line {line}"
                        question = _question(_parse(data, record), record)
                        yield Place(number, offset, line), question
                    offset += len(data)

    def record(self, place: Place) -> str:
        """How messages name a line."""
        return f"{self.files[place.file]}, line {place.line}"

    def value(self, place: Place) -> Mapping[str, object]:
        """What a line says.

        Args:
            place: of the line.

        Raises:
            DataError: the line is damaged; names it.
        """
        with self.files[place.file].open("rb") as lines:
            lines.seek(place.offset)
            return _parse(lines.readline(), self.record(place))

    def prediction(self, place: Place, height: int, width: int) -> Prediction:
        """What a line predicts.

        Args:
            place: of the line.
            height: of the image, pixels.
            width: of the image, pixels.

        Raises:
            DataError: the mask is damaged, or has another size than the image; names the line.
        """
        values = self.value(place)
        record = f"{self.record(place)} ({_question(values, self.record(place))})"
        folder = self.files[place.file].parent
        score, box = _score(values, record), _box(values, record)
        mask = self._mask(values, folder, height, width, record)
        if mask is not None:
            return Prediction(mask, score, box)
        is_box = box is not None and not {"rle", "mask"} & values.keys()
        mask = fill(box, height, width) if box and is_box else np.zeros((height, width), np.bool_)
        return Prediction(mask, score, box, is_box)

    def _mask(
        self, values: Mapping[str, object], folder: Path, height: int, width: int, record: str
    ) -> Mask | None:
        """The mask; None where the line has an empty one, or none at all."""
        given = {name: values[name] for name in ("rle", "mask") if _is_given(values.get(name))}
        if len(given) > 1:
            raise DataError(f"{record}: expected `rle` or `mask`, got both; leave one out.")
        for name, value in given.items():
            if name == "mask" and isinstance(value, str):
                return self._read_mask(_mask_file(folder / value, record), height, width, record)
            are_counts = isinstance(value, str) or (
                isinstance(value, list) and all(type(count) is int for count in value)
            )
            if name == "rle" and are_counts:
                value = {"size": [height, width], "counts": value}
            return decode(encode_segmentation(value, height, width, record))
        return None


def fill(box: Box, height: int, width: int) -> Mask:
    """The mask of a box: the pixels whose centres lie in it.

    Args:
        box: which may reach beyond the image.
        height: of the image, pixels.
        width: of the image, pixels.

    Example:
        >>> fill((1.0, 0.4, 2.0, 1.0), height=2, width=4).astype(int)
        array([[0, 1, 1, 0],
               [0, 0, 0, 0]])
    """
    left, top, across, down = box
    columns = (np.arange(width) + 0.5 >= left) & (np.arange(width) + 0.5 < left + across)
    rows = (np.arange(height) + 0.5 >= top) & (np.arange(height) + 0.5 < top + down)
    return rows[:, None] & columns[None, :]


def _files(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise DataError(f"{path} is absent; expected predictions as JSON Lines, or their folder.")
    found = [path / LIST_FILE] if (path / LIST_FILE).is_file() else []
    found = found or sorted(path.glob("predictions-*.jsonl"))
    if not found:
        raise DataError(
            f"Expected {LIST_FILE} in {path}, as `refseg predict` writes it, got none; name the "
            "file of the predictions itself."
        )
    return found


def _parse(data: bytes, record: str) -> Mapping[str, object]:
    try:
        values = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{record}: expected text in UTF-8, got the byte 0x{data[error.start]:02x}; save the "
            "file as UTF-8."
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{record}: this is not complete JSON ({error}); expected an object on each line."
        ) from None
    if not isinstance(values, dict):
        raise DataError(f"{record}: expected an object of JSON, got {_SHOWN.repr(values)}.")
    return values


def _question(values: Mapping[str, object], record: str) -> Question:
    if not any(name in values for name in _PREDICTED):
        raise DataError(
            f"{record}: expected `rle`, `mask` or `box`, got {', '.join(values) or 'nothing'}; "
            "write null for an empty mask."
        )
    split = _text(values, "split", record)
    number = values.get("expression_id")
    if number is not None:
        if isinstance(number, bool) or not _ID.fullmatch(str(number)):
            raise DataError(
                f"{record}: expected a whole number as `expression_id`, got {_SHOWN.repr(number)}."
            )
        return Question(int(str(number)), None, None, split)
    image, expression = (_text(values, name, record) for name in ("image", "expression"))
    if image is None or expression is None:
        raise DataError(
            f"{record}: expected `expression_id`, or `image` and `expression`, got "
            f"{', '.join(values)}."
        )
    return Question(None, image, expression, split)


def _text(values: Mapping[str, object], name: str, record: str) -> str | None:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{record}: expected a text as `{name}`, got {_SHOWN.repr(value)}.")
    return value


def _is_given(value: object) -> bool:
    return value is not None and value != []


def _number(value: object) -> float:
    """A number; NaN for what is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number else math.nan  # type: ignore[arg-type]  # see above
    except OverflowError:
        return math.inf


def _score(values: Mapping[str, object], record: str) -> float:
    score = values.get("score")
    if score is None:
        return math.nan
    if not math.isfinite(_number(score)):
        raise DataError(f"{record}: expected a number as `score`, got {_SHOWN.repr(score)}.")
    return _number(score)


def _box(values: Mapping[str, object], record: str) -> Box | None:
    box = values.get("box")
    if not _is_given(box):
        return None
    numbers = [_number(value) for value in box] if isinstance(box, list) else []
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or min(numbers[2:]) < 0:
        raise DataError(
            f"{record}: expected a box [left, top, width, height] in pixels, got "
            f"{_SHOWN.repr(box)}."
        )
    left, top, across, down = numbers
    return left, top, across, down


def _mask_file(path: Path, record: str) -> Path:
    if path.exists() and not path.is_file():  # a device or a folder
        raise DataError(f"{record}: the mask {path} is no file; correct the path.")
    return path

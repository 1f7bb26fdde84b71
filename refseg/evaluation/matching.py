"""Which expression each of somebody's predictions is for: every one exactly once."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from refseg.errors import DataError
from refseg.evaluation.submitted import Place, PredictionFiles, Question

_SHOWN = 5  # of each kind in a message
_NONE = -1


class SplitRows(NamedTuple):
    """The expressions of a split.

    Args:
        split: its full name.
        source: the data set, within which ids are unique.
        table: with the columns `expression_id`, `image_path`, `expression` and `raw` of references.
    """

    split: str
    source: str
    table: pa.Table


class Matches:
    """The prediction of each expression.

    Args:
        files: of the predictions.
        splits: of the data set, whether they are evaluated or not.

    Raises:
        DataError: a line is damaged, or is for an expression of several data sets.
    """

    def __init__(self, files: PredictionFiles, splits: Sequence[SplitRows]) -> None:
        self.splits = {rows.split: rows for rows in splits}
        self._files = files
        self._names = _Names(splits)
        self._places = [array("q") for _ in Place._fields]
        self._unknown: list[str] = []
        self._doubles: dict[str, list[tuple[str, int, int]]] = {name: [] for name in self.splits}
        self._of = {
            rows.split: np.full(len(rows.table), _NONE, np.int64) for rows in self.splits.values()
        }
        self._by_name: dict[tuple[str, tuple[int, ...]], list[int]] = {}
        for place, question in files.lines():
            self._take(place, question)
        self._share_out()

    def __len__(self) -> int:
        """Number of predictions."""
        return len(self._places[0])

    def predicted(self, split: str) -> int:
        """How many expressions of a split have a prediction."""
        return int((self._of[split] != _NONE).sum())

    def missing(self, split: str) -> Int64[np.ndarray, " expressions"]:
        """The ids of the expressions of a split that have no prediction."""
        ids = self.splits[split].table["expression_id"].to_numpy()
        return ids[self._of[split] == _NONE]

    def place(self, split: str, row: int) -> Place | None:
        """Where the prediction of an expression stands; None where there is none.

        Args:
            split: the full name.
            row: of the split's table.
        """
        number = int(self._of[split][row])
        return None if number == _NONE else self._place(number)

    def check(self, splits: Sequence[str], allow_missing: bool = False) -> None:
        """Make sure that each expression of some splits has exactly one prediction.

        Args:
            splits: that are evaluated.
            allow_missing: expressions may have none.

        Raises:
            DataError: some have none or several, or a prediction is for no expression of the data
                set; names the first of them, and says how many there are.
        """
        missing = [(name, self.missing(name)) for name in splits]
        absent = [f"{number} of {name}" for name, ids in missing for number in ids[:_SHOWN]]
        count = sum(len(ids) for _, ids in missing)
        doubles = [double for name in splits for double in self._doubles[name]]
        problems = []
        if count and not allow_missing:
            problems.append(_listed("without a prediction (expression_id)", absent, count))
        if doubles:
            texts = [
                f"{what} ({self._where(one)} and {self._where(other)})"
                for what, one, other in doubles[:_SHOWN]
            ]
            problems.append(_listed("with more than one", texts, len(doubles)))
        if self._unknown:
            problems.append(_listed("predictions for no expression of the data", self._unknown))
        if problems:
            total = sum(len(self.splits[name].table) for name in splits)
            raise DataError(
                f"Expected one prediction for each of {total:,} expressions of "
                f"{', '.join(splits)}, got {len(self):,} lines in {self._files.path}. "
                f"{' '.join(problems)}" + (_REMEDY if count and not allow_missing else "")
            )

    def _take(self, place: Place, question: Question) -> None:
        number = len(self)
        for column, value in zip(self._places, place, strict=True):
            column.append(value)
        found = self._rows(place, question)
        if not found:
            self._unknown.append(f"{self._files.record(place)}: {question}")
        for split, rows in found.items():
            if question.expression_id is None:
                self._by_name.setdefault((split, tuple(rows)), []).append(number)
            else:
                self._assign(split, rows[0], number)

    def _rows(self, place: Place, question: Question) -> Mapping[str, Sequence[int]]:
        """The rows of each split that a line is for; of one data set."""
        chosen = [*self.splits.values()]
        if question.split is not None:
            if question.split not in self.splits:
                raise DataError(
                    f"{self._files.record(place)}: unknown split {question.split!r}; choose among "
                    f"{', '.join(self.splits)}, or leave it out."
                )
            chosen = [self.splits[question.split]]
        if question.expression_id is None:
            found = self._names.find(question, self._files.record(place))
            found = {rows.split: found[rows.split] for rows in chosen if rows.split in found}
        else:
            found = self._by_id(question.expression_id, [rows.split for rows in chosen])
        sources = list(dict.fromkeys(self.splits[split].source for split in found))
        if len(sources) > 1:
            raise DataError(
                f"{self._files.record(place)}: {question} is an expression of "
                f"{' and of '.join(sources)}; say which one by `split`, one of {', '.join(found)}."
            )
        return found

    def _by_id(self, expression_id: int, splits: Iterable[str]) -> dict[str, list[int]]:
        found = {}
        for split in splits:
            ids, order = self._sorted[split]
            at = int(np.searchsorted(ids, expression_id))
            if at < len(ids) and ids[at] == expression_id:
                found[split] = [int(order[at])]
        return found

    @cached_property
    def _sorted(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The ids of each split in their order, and the rows in which they stand."""
        sorted_ids = {}
        for split, rows in self.splits.items():
            ids = rows.table["expression_id"].to_numpy()
            order = np.argsort(ids)
            sorted_ids[split] = ids[order], order
        return sorted_ids

    def _share_out(self) -> None:
        """Give expressions that are the same in words and image their predictions.

        One line answers all of them; as many lines as there are of them answer one each, in order.
        """
        for (split, rows), numbers in self._by_name.items():
            shared = numbers * len(rows) if len(numbers) == 1 else numbers
            for place, number in enumerate(shared):
                self._assign(split, rows[min(place, len(rows) - 1)], number)
        self._by_name.clear()

    def _assign(self, split: str, row: int, number: int) -> None:
        before = int(self._of[split][row])
        if before == _NONE:
            self._of[split][row] = number
        elif not self._is_repeat(before, number):
            identity = self.splits[split].table["expression_id"][row].as_py()
            self._doubles[split].append((f"expression_id {identity}", before, number))

    def _is_repeat(self, one: int, other: int) -> bool:
        """Whether two processes of `refseg predict` have written the same prediction.

        A distributed sampler repeats a few samples, whose masks are written into one file.
        """
        places = self._place(one), self._place(other)
        if places[0].file == places[1].file:
            return False
        files = [self._files.value(place).get("mask") for place in places]
        return isinstance(files[0], str) and files[0] == files[1]

    def _place(self, number: int) -> Place:
        return Place(*(column[number] for column in self._places))

    def _where(self, number: int) -> str:
        place = self._place(number)
        several = len(self._files.files) > 1
        return self._files.record(place) if several else f"line {place.line}"


_REMEDY = (
    " Name the splits that were predicted with --splits, or give --allow_missing to count what has "
    "no prediction as an empty mask."
)


class _Names:
    """Finds expressions by the name of their image and the sentence."""

    def __init__(self, splits: Sequence[SplitRows]) -> None:
        self._splits = splits

    def find(self, question: Question, record: str) -> dict[str, list[int]]:
        """The rows of each split with this image and sentence.

        Args:
            question: with an image and a sentence.
            record: for messages.

        Raises:
            DataError: there are several such images.
        """
        assert question.image is not None
        assert question.expression is not None
        asked = PurePath(question.image)
        known = self._rows.get((asked.name, _plain(question.expression)), [])
        shared = [_common_end(asked, PurePath(path)) for path, _, _ in known]
        best = [row for row, length in zip(known, shared, strict=True) if length == max(shared)]
        images = list(dict.fromkeys(path for path, _, _ in best))
        if len(images) > 1:
            raise DataError(
                f"{record}: {question.image} may be {' or '.join(images[:_SHOWN])}; write more of "
                "its path, or the `expression_id`."
            )
        found: dict[str, list[int]] = {}
        for _, split, row in best:
            found.setdefault(split, []).append(row)
        return found

    @cached_property
    def _rows(self) -> dict[tuple[str, str], list[tuple[str, str, int]]]:
        """Image path, split and row, by the image's file name and the sentence."""
        rows: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
        for split, _, table in self._splits:
            paths, texts, raws = (
                table[name].to_pylist() for name in ("image_path", "expression", "raw")
            )
            for row, (path, text, raw) in enumerate(zip(paths, texts, raws, strict=True)):
                for words in {_plain(text), _plain(raw or text)}:
                    rows.setdefault((PurePath(path).name, words), []).append((path, split, row))
        return rows


def _plain(text: str) -> str:
    """A sentence without what the cleaning of a data set may change: case and space."""
    return " ".join(text.casefold().split())


def _common_end(one: PurePath, other: PurePath) -> int:
    """How many parts two paths share at their ends."""
    count = 0
    for mine, theirs in zip(reversed(one.parts), reversed(other.parts), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _listed(what: str, examples: Sequence[str], count: int | None = None) -> str:
    count = len(examples) if count is None else count
    shown = ", ".join(examples[:_SHOWN])
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return f"{count:,} {what}: {shown}{more}."

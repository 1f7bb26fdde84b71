"""The cases of a report: a gallery with the outlines of masks, and sentences word by word."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from refseg.analysis.cases import choose_cases
from refseg.analysis.examples import disagreement_rows, gain_rows
from refseg.analysis.run_masks import RunMasks
from refseg.analysis.true_masks import Mask, Pixels, image_of, true_masks
from refseg.analysis.verdict import joined
from refseg.visualization.html.filters import Counted, expression_filter
from refseg.visualization.html.galleries import LEGEND, Album, Card, View, gallery
from refseg.visualization.html.markup import Html
from refseg.visualization.html.pages import Section
from refseg.visualization.html.readings import ReadCard, word_strips

FILTERED = 60_000
"""So many expressions a page can be filtered by; of more, so many are drawn by chance."""

_COUNTED = 120_000  # pairs of numbers of all runs together: about 1 MB of the page
_SIDE_BY_SIDE = 3  # models; of more, all are shown for each expression, and these are fewer

_TITLES = {
    "best": "Best",
    "worst": "Worst",
    "typical": "Typical: next to the median IoU",
    "random": "Drawn at random",
}


class Cases:
    """The expressions that a report shows.

    Args:
        tables: the results of each model, a table for each seed: the same expressions in the same
            order, all splits one after the other.
        runs: the masks of the first seed of each model.
        number: of pictures of each kind.
        seed: of what is drawn by chance.
        root: folder of the data, where it is not that of the config.
    """

    def __init__(
        self,
        tables: Mapping[str, Sequence[pa.Table]],
        runs: Mapping[str, RunMasks],
        number: int,
        seed: int,
        root: Path | None,
    ) -> None:
        self.tables, self.runs = tables, runs
        self.groups = _groups(tables, number, seed)
        rows = sorted({row for _, chosen in self.groups.values() for row in chosen})
        most = min(FILTERED, _COUNTED // sum(map(len, tables.values())))
        self.filtered = _filtered(len(next(iter(tables.values()))[0]), rows, most, seed)
        chosen = pa.array(rows, pa.int64())
        first = next(iter(tables.values()))[0].take(chosen)
        truths = true_masks(first, next(iter(runs.values())).config, root)
        self.notes = [] if truths.note is None else [truths.note]
        self.truths: dict[int, Mask | None] = dict(zip(rows, truths.masks, strict=True))
        self.images: dict[int, Pixels | None] = {}
        images: dict[str, Pixels | None] = {}
        for row, record in zip(rows, first.to_pylist(), strict=True):
            path = record["image_path"]
            if path not in images:
                images[path] = image_of(record)
            self.images[row] = images[path]
        missing = [path for path, image in images.items() if image is None]
        if missing:
            self.notes.append(
                f"{len(missing):,} of {len(images):,} images cannot be read, or have another size "
                f"than they had: {missing[0]}, for one."
            )

    def filter_section(self) -> Section:
        """The fields of the filter and the figures over what matches."""
        rows = pa.array(self.filtered, pa.int64())
        first = next(iter(self.tables.values()))[0]
        names = ["expression", "category", "split"]
        shown = first.select(names).take(rows).to_pydict()
        counted = {
            name if len(self.tables) > 1 else "": [
                Counted(*(table[name].take(rows).to_pylist() for name in ("intersection", "union")))
                for table in seeds
            ]
            for name, seeds in self.tables.items()
        }
        text = "Figures and pictures of the expressions that have all of some words."
        if len(rows) < len(first):
            text += f" Of {len(first):,} expressions, {len(rows):,} drawn by chance are in here."
        categories = [name or "unknown" for name in shown["category"]]
        return Section(
            "Find expressions",
            text,
            expression_filter(shown["expression"], categories, shown["split"], counted),
        )

    def gallery_section(self, album: Album) -> Section:
        """The cases with their images and outlines."""
        places = {row: place for place, row in enumerate(self.filtered)}
        groups = {
            title: [self._card(row, models, places[row]) for row in rows]
            for title, (models, rows) in self.groups.items()
        }
        content = gallery(groups, album)
        several = any(len(seeds) > 1 for seeds in self.tables.values())
        text = "Masks are those of each model's first seed. " if several else ""
        return Section("Gallery", text, [LEGEND, content], wide=True)

    def strip_sections(self, number: int, album: Album) -> list[Section]:
        """How each model reads some of the sentences, or why that is not shown.

        Of many models, those that have nothing to show share a section.

        Args:
            number: of sentences.
            album: keeps the images.
        """
        if len(self.runs) <= _SIDE_BY_SIDE:
            return [self.strip_section(name, number, album) for name in self.runs]
        reasons = {name: run.why_no_strips() for name, run in self.runs.items()}
        sections = [
            self.strip_section(name, number, album)
            for name, reason in reasons.items()
            if reason is None
        ]
        silent: dict[str, list[str]] = {}
        for name, reason in reasons.items():
            if reason is not None:
                silent.setdefault(reason, []).append(name)
        text = " ".join(f"{joined(names)}: {reason}" for reason, names in silent.items())
        return [*sections, *([Section("Not word by word", text, Html(""))] if silent else [])]

    def strip_section(self, model: str, number: int, album: Album) -> Section:
        """How a model reads some of the sentences, or why that is not shown.

        Args:
            model: its name.
            number: of sentences.
            album: keeps the images.
        """
        title = "Word by word" if len(self.runs) == 1 else f"Word by word: {model}"
        run = self.runs[model]
        reason = run.why_no_strips()
        if reason is not None:
            return Section(title, reason, Html(""))
        places = {row: place for place, row in enumerate(self.filtered)}
        cards: list[ReadCard] = []
        for row in self._mixed():
            if len(cards) == number:
                break
            image, record = self.images[row], self._record(model, row)
            reading = None if image is None else run.read(record, image)
            if image is not None and reading is not None:
                name, said = record["image_path"], record["expression"]
                truth = self.truths[row]
                cards.append(ReadCard(said, image, name, truth, *reading, places[row]))
        text = "What the model predicts after each word of some of the sentences of the gallery."
        if len(self.tables[model]) > 1:
            text += " It is the model of the first seed."
        if run.after_crf:
            text += " That is before DenseCRF, which refines what is predicted in the end."
        return Section(title, text, word_strips(cards, album))

    def _mixed(self) -> list[int]:
        """The rows of the gallery, one of each group in turn; sentences of one word last."""
        groups = [rows for _, rows in self.groups.values()]
        turns = [
            rows[turn]
            for turn in range(max(map(len, groups)))
            for rows in groups
            if turn < len(rows)
        ]
        words = next(iter(self.tables.values()))[0]["words"]
        return sorted(dict.fromkeys(turns), key=lambda row: words[row].as_py() < 2)

    def _card(self, row: int, models: Sequence[str], place: int) -> Card:
        record = self._record(models[0], row)
        image = self.images[row]
        views = [self._view(model, row, image, len(models) > 1) for model in models]
        truth, name = self.truths[row], record["image_path"]
        return Card(record["expression"], image, name, truth, views, _facts(record), place)

    def _view(self, model: str, row: int, image: Pixels | None, named: bool) -> View:
        record = self._record(model, row)
        score = f"IoU {100 * record['iou']:.1f} %"
        seeds = self.tables[model]
        if len(seeds) > 1:
            mean = float(np.mean([table["iou"][row].as_py() for table in seeds]))
            score += f" (mean of {len(seeds)} seeds {100 * mean:.1f} %)"
        return View(model if named else "", score, self.runs[model].predicted(record, image))

    def _record(self, model: str, row: int) -> dict[str, Any]:
        (record,) = self.tables[model][0].slice(row, 1).to_pylist()
        return dict(record)


def _groups(
    tables: Mapping[str, Sequence[pa.Table]], number: int, seed: int
) -> dict[str, tuple[list[str], list[int]]]:
    """The rows of each group with the models that are shown beside each other."""
    first, *others = tables
    chosen = choose_cases(tables[first][0], number, seed)
    if not others:
        return {_TITLES[kind]: ([first], rows) for kind, rows in chosen.items()}
    if len(tables) > _SIDE_BY_SIDE:
        apart = disagreement_rows(list(tables.values()), number)
        chance = [row for row in chosen["random"] if row not in apart]
        return {
            "Where the models differ the most": (list(tables), apart),
            _TITLES["random"]: (list(tables), chance),
        }
    groups = {}
    for other in others:
        gains, losses = gain_rows(tables[first], tables[other], number)
        groups[f"{first} gains the most over {other}"] = ([first, other], gains)
        groups[f"{first} loses the most to {other}"] = ([first, other], losses)
    groups[_TITLES["random"]] = ([first, *others], chosen["random"])
    return groups


def _filtered(count: int, shown: Iterable[int], most: int, seed: int) -> list[int]:
    """The rows that can be filtered: all, or some drawn by chance and those that are shown."""
    if count <= most:
        return list(range(count))
    drawn = np.random.default_rng(seed).choice(count, most, replace=False).tolist()
    return sorted({*shown, *drawn})


def _facts(record: Mapping[str, Any]) -> str:
    facts = [record["split"], record["category"] or None]
    if record["area"]:
        facts.append(f"{100 * record['object_size']:.1f} % of the image")
    else:
        facts.append("names nothing in the image")
    if record["distractors"] is not None:
        count = record["distractors"]
        facts.append(f"{count} distractor{'' if count == 1 else 's'}")
    facts.append(f"id {record['expression_id']}, {Path(record['image_path']).name}")
    return " · ".join(filter(None, facts))

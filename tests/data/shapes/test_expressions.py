"""Sentences are read a second time, from their words alone, and must name the same object.

The reader below shares nothing with the package but `Scene`: no tree, no table of words, no margin.
It reads each sentence twice, the way a generous and the way a strict listener would; both must find
the object.
"""

import pickle
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from math import hypot
from pathlib import Path

import pytest

import refseg
from refseg.data.shapes.expressions import Expression
from refseg.data.shapes.meaning import referents
from refseg.data.shapes.scenes import Scene, SceneObject

IMAGES = 120

Composition = tuple[Scene, Expression]


COMPOSE = """
import pickle, sys
from refseg.data.shapes import ShapesOptions
from refseg.data.shapes.writer import compose

found = {1: [], 2: [], 3: []}
for level, pairs in found.items():
    for seed, split in ((0, "train"), (0, "testB"), (1, "val")):
        for index in range(int(sys.argv[1])):
            scene, _, expressions = compose(ShapesOptions(level=level, seed=seed), split, index)
            pairs += [(scene, expression) for expression in expressions]
pickle.dump(found, sys.stdout.buffer)
"""


@pytest.fixture(scope="module")
def compositions() -> dict[int, list[Composition]]:
    """Scenes with a sentence each, by level; from several splits and seeds.

    They come from another process, since checking the types of millions of small calls, as is
    done under pytest, would take ten times as long as the calls.
    """
    run = subprocess.run(
        [sys.executable, "-c", COMPOSE, str(IMAGES)],
        cwd=Path(refseg.__file__).parents[1],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[int, list[Composition]] = pickle.loads(run.stdout)
    return found


# ---- a reader of sentences ------------------------------------------------------------------

SHAPE_OF = {
    "circle": "circle",
    "disc": "circle",
    "square": "square",
    "box": "square",
    "triangle": "triangle",
    "star": "star",
    "cross": "cross",
    "plus": "cross",
    "ring": "ring",
    "donut": "ring",
    "heart": "heart",
    "diamond": "diamond",
    "one": None,
    "thing": None,
    "object": None,
    "shape": None,
}
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "black", "white")
COLOUR_OF = {word: word for word in COLOURS} | {"violet": "purple"}
SIZE_OF = {"small": 0, "little": 0, "tiny": 0, "medium": 1, "large": 2, "big": 2}
STRIPED_OF = {"striped": True, "stripy": True, "filled": False, "plain": False, "solid": False}
RELATIONS = {
    r"(?:(?:to|on) )?left of": "left",
    r"(?:(?:to|on) )?right of": "right",
    "above|over|higher than": "above",
    "below|under|beneath|lower than": "below",
    r"(?:closest|nearest)(?: to)?(?! to)(?! (?:top|bottom)$)": "near",
}
EXTREMES = {
    "largest|biggest": "largest",
    "smallest|littlest|tiniest": "smallest",
    "leftmost|farthest to left|furthest left": "left",
    "rightmost|farthest to right|furthest right": "right",
    "topmost|highest|uppermost|closest to top|nearest top": "top",
    "bottommost|lowest|closest to bottom|nearest bottom": "bottom",
}
SIDE = "left|right|top|bottom|upper|lower"
PLACE = (
    r"(?:(?:on|at|in|near) )?(?:(?P<far>far|very|all way to) )?"
    r"(?P<row>top|bottom|upper|lower)? ?(?P<column>left|right|middle|center)?"
    r"(?P<kind> side| part| corner| edge)?(?: (?:of|in) picture)?"
)
OPENERS = (
    "please find|look for|look at|can you see|i mean|i am looking for|show me|it is"  # at level 3
)
CLOSERS = "please|in this picture|in image|here"

Test = Callable[[SceneObject], bool]


def read(scene: Scene, text: str, strict: bool) -> set[int]:
    """The objects a sentence names."""
    text = " ".join(word for word in text.split() if word != "the")
    text = re.sub(rf"^(?:{OPENERS}) ", "", text)
    text = re.sub(rf" (?:{CLOSERS})$", "", text)
    return _read(scene, text, strict)


def _read(scene: Scene, text: str, strict: bool) -> set[int]:
    pattern = "|".join(f"(?P<r{n}>{words})" for n, words in enumerate(RELATIONS))
    found = re.search(rf"(?: |^)(?:(?:that|which) is )?\b(?:{pattern}) ", text)
    if found is None:
        return _read_simple(scene, text, strict)
    relation = next(name for n, name in enumerate(RELATIONS.values()) if found[f"r{n}"] is not None)
    head, rest = text[: found.start()], text[found.end() :]
    first, _, second = rest.partition(" and ")
    heads = _read_simple(scene, head, strict)
    (anchor,) = _read(scene, first, strict)
    heads = _related(scene, heads, relation, anchor, strict)
    if second:
        heads &= _read(scene, f"one {second}", strict)
    return heads


def _related(scene: Scene, heads: set[int], relation: str, anchor: int, strict: bool) -> set[int]:
    there = scene.objects[anchor]
    others = {one: scene.objects[one] for one in heads if one != anchor}
    if relation == "near":
        return {min(others, key=lambda n: hypot(others[n].x - there.x, others[n].y - there.y))}
    found = set()
    for number, one in others.items():
        right, down = one.x - there.x, one.y - there.y
        along, across = {
            "left": (-right, down),
            "right": (right, down),
            "above": (-down, right),
            "below": (down, right),
        }[relation]
        enough = abs(across) if strict else 0.05 * min(scene.width, scene.height)
        if along > enough:
            found.add(number)
    return found


def _read_simple(scene: Scene, text: str, strict: bool) -> set[int]:
    found = dict(enumerate(scene.objects))

    def keep(test: Test) -> None:
        for number in [n for n, one in found.items() if not test(one)]:
            del found[number]

    def take(pattern: str) -> re.Match[str] | None:
        nonlocal text
        match = re.search(rf"(?:^|(?<= ))(?:{pattern})(?= |$)", text)
        if match is not None and match[0]:
            text = " ".join(f"{text[: match.start()]} {text[match.end() :]}".split())
            return match
        return None

    lacks = []
    if match := take(r"(?:that|which) is neither (\w+)(?: sized)? nor (\w+)(?: sized)?"):
        lacks += [_has(scene, match[1]), _has(scene, match[2])]
    if take("without stripes"):
        lacks.append(_has(scene, "striped"))
    if match := take(rf"(?:(?:that|which) is )?not ((?:on|at|in|near) {PLACE})"):
        lacks.append(_in_place(scene, match, strict))
    if match := take(r"(?:(?:that|which) is )?not (\w+)(?: sized)?"):
        lacks.append(_has(scene, match[1]))
    order = None
    if match := take(rf"(?:counting )?from ({SIDE})"):
        number = take("second|2nd|third|3rd")
        assert number is not None, text
        order = (match[1], 2 if number[0] in ("second", "2nd") else 3)
    most = next((name for words, name in EXTREMES.items() if take(words)), None)
    place = None
    if order is None and most is None:
        place = next(filter(None, (take(p) for p in _places())), None)
    for word in re.sub(
        r"\b(?:that|which) is\b|\bsized\b|\bof all\b|\bof\b|\bwith\b", "", text
    ).split():
        singular = {"crosses": "cross", "boxes": "box", "pluses": "plus", "stripes": "striped"}.get(
            word, word if word in SHAPE_OF else word.removesuffix("s")
        )
        if singular in SHAPE_OF:
            keep(lambda one, shape=SHAPE_OF[singular]: shape in (None, one.shape))
        else:
            keep(_has(scene, singular))
    for lack in lacks:
        keep(lambda one, lack=lack: not lack(one))
    if place is not None:
        keep(_in_place(scene, place, strict))
        if place["far"] or place["kind"] == " edge":
            most = place["column"] or place["row"]
    if order is not None:
        side, number_ = order
        return {_sorted(found, side)[number_ - 1]}
    return {_sorted(found, most)[0]} if most and found else set(found)


def _places() -> Iterable[str]:
    """The pattern of places, tried where most of its parts are present first."""
    yield rf"(?=(?:on|at|in|near|all way) ){PLACE}"
    yield rf"(?=(?:far|very|{SIDE}|middle|center)\b){PLACE}"


def _sorted(found: dict[int, SceneObject], most: str) -> list[int]:
    key: dict[str, Callable[[int], float]] = {
        "left": lambda n: found[n].x,
        "right": lambda n: -found[n].x,
        "top": lambda n: found[n].y,
        "bottom": lambda n: -found[n].y,
        "largest": lambda n: -found[n].diameter,
        "smallest": lambda n: found[n].diameter,
    }
    return sorted(found, key=key[most])


def _has(scene: Scene, word: str) -> Test:
    short = min(scene.width, scene.height)
    if word in COLOUR_OF:
        return lambda one: one.colour == COLOUR_OF[word]
    if word in SIZE_OF:
        # Between the sizes lie 22 % and 31 % of the short side.
        return lambda one: sum(one.diameter > x * short for x in (0.22, 0.31)) == SIZE_OF[word]
    assert word in STRIPED_OF, f"unknown word {word!r}"
    return lambda one: (one.pattern == "striped") == STRIPED_OF[word]


def _in_place(scene: Scene, match: re.Match[str], strict: bool) -> Test:
    """Generous: the half or quarter of the picture; strict: what lies in its outer two fifths."""
    limit = 0.4 if strict else 0.5
    row, column = match["row"], match["column"]

    def test(one: SceneObject) -> bool:
        x, y = one.x / scene.width, one.y / scene.height
        if column in ("middle", "center"):
            return max(abs(x - 0.5), abs(y - 0.5)) < (0.16 if strict else 0.25)
        horizontal = {"left": x < limit, "right": x > 1 - limit, None: True}[column]
        vertical = y < limit if row in ("top", "upper") else y > 1 - limit
        return horizontal and (vertical or row is None)

    return test


# ---- the tests ------------------------------------------------------------------------------


def _on_line(*xs: float) -> Scene:
    shapes = ("star", "ring", "star", "heart", "star")
    return Scene(
        200,
        128,
        tuple(
            SceneObject(shape, "red", "small", "filled", x, 64.0, 20.0, 0.0)
            for shape, x in zip(shapes, xs, strict=False)
        ),
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("the star", {0, 2, 4}),
        ("leftmost star", {0}),
        ("second star from the left", {2}),
        ("star that is 2nd counting from the right", {2}),
        ("the star to the left of the ring", {0}),
        ("star right of the heart and to the right of the ring", {4}),
        ("star closest to the heart", {2}),
        ("ring that is not on the left", set()),
        ("the thing that is neither blue nor white", {0, 1, 2, 3, 4}),
        ("the one on the far right", {4}),
        ("middle star", {2}),
    ],
)
def test_the_reader_reads(text: str, named: set[int]) -> None:
    assert read(_on_line(20.0, 60.0, 100.0, 130.0, 180.0), text, strict=False) == named


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("strict", [False, True], ids=["generous", "strict"])
def test_words_alone_name_the_object(
    compositions: dict[int, list[Composition]], level: int, strict: bool
) -> None:
    readable = [pair for pair in compositions[level] if not pair[1].slipped]
    assert len(readable) > 2000
    for scene, expression in readable:
        named = read(scene, expression.text, strict)
        assert named == {expression.target}, (expression.text, expression.target, scene)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_trees_name_the_object_however_objects_are_numbered(
    compositions: dict[int, list[Composition]], level: int
) -> None:
    for scene, expression in compositions[level][::2]:
        assert referents(scene, expression.tree).only == expression.target
        backwards = Scene(scene.width, scene.height, scene.objects[::-1])
        mirrored = len(scene.objects) - 1 - expression.target
        assert referents(backwards, expression.tree).only == mirrored


def test_levels_contain_those_below_in_a_balanced_mix(
    compositions: dict[int, list[Composition]],
) -> None:
    kinds = {
        level: Counter(expression.kind for _, expression in pairs)
        for level, pairs in compositions.items()
    }
    assert set(kinds[1]) == {"attributes", "place"}
    assert set(kinds[2]) == set(kinds[1]) | {"superlative", "order", "relation"}
    assert set(kinds[3]) == set(kinds[2]) | {"two relations", "negation"}
    for counts in kinds.values():
        assert max(counts.values()) < 0.65 * counts.total()
        assert min(counts.values()) > 0.06 * counts.total()


def test_lengths_run_from_one_word_to_fifteen(
    compositions: dict[int, list[Composition]],
) -> None:
    lengths = {
        level: Counter(len(expression.text.split()) for _, expression in pairs)
        for level, pairs in compositions.items()
    }
    assert set(lengths[3]) == set(range(1, 16))
    assert all(max(counts) <= 15 for counts in lengths.values())
    short = sum(lengths[1][words] for words in (1, 2, 3))
    assert short > 0.25 * lengths[1].total()
    means = [
        sum(words * count for words, count in counts.items()) / counts.total()
        for counts in lengths.values()
    ]
    assert all(later > earlier + 0.5 for earlier, later in pairwise(means))


def test_only_level_3_has_slips(compositions: dict[int, list[Composition]]) -> None:
    rates = {
        level: sum(expression.slipped for _, expression in pairs) / len(pairs)
        for level, pairs in compositions.items()
    }
    assert rates[1] == rates[2] == 0
    assert 0.08 < rates[3] < 0.2


def test_meanings_come_in_several_wordings(compositions: dict[int, list[Composition]]) -> None:
    wordings: dict[object, set[str]] = {}
    for _, expression in compositions[2]:
        wordings.setdefault(expression.tree, set()).add(expression.text)
    said_often = [texts for texts in wordings.values() if len(texts) >= 5]
    assert len(said_often) > 30


def test_no_object_is_named_by_its_looks_where_a_twin_is_in_sight(
    compositions: dict[int, list[Composition]],
) -> None:
    for scene, expression in compositions[1]:
        one = scene.objects[expression.target]
        looks = [(o.shape, o.colour, o.size, o.pattern) for o in scene.objects]
        if looks.count((one.shape, one.colour, one.size, one.pattern)) > 1:
            assert expression.kind == "place"

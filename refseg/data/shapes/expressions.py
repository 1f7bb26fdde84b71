"""Expressions for an object: proposed at random, kept only if the evaluator agrees."""

from dataclasses import dataclass
from random import Random

from refseg.data.shapes.meaning import Tree, referents
from refseg.data.shapes.proposals import KINDS
from refseg.data.shapes.scenes import Scene
from refseg.data.shapes.slips import slip
from refseg.data.shapes.wording import frame, word

MOST_WORDS = 15
SLIP_RATE = 0.15
FRAME_RATE = 0.12


@dataclass(frozen=True, slots=True)
class Expression:
    """A sentence with its meaning.

    Args:
        text: lower-case words with single spaces between them.
        tree: the meaning.
        target: the object it names, a place in `Scene.objects`.
        kind: a key of `KINDS`.
        slipped: whether the text has a typing slip.
    """

    text: str
    tree: Tree
    target: int
    kind: str
    slipped: bool = False


def express(
    random: Random, scene: Scene, target: int, level: int, count: int
) -> tuple[Expression, ...] | None:
    """Find `count` different unambiguous sentences for an object, or None if there are too few.

    Args:
        random: the source of all choices.
        scene: what the sentences speak of.
        target: the object to name, a place in `scene.objects`.
        level: difficulty, 1–3.
        count: number of sentences.
    """
    found: dict[str, Expression] = {}
    weights = dict(KIND_WEIGHTS[level])
    for _ in range(3 * count):
        expression = _express(random, scene, target, level, weights)
        if expression is not None:
            found.setdefault(expression.text, expression)
        if len(found) == count:
            return tuple(found.values())
    return None


def _express(
    random: Random, scene: Scene, target: int, level: int, weights: dict[str, float]
) -> Expression | None:
    """One sentence of a kind chosen by `weights`, from which the impossible kinds are removed."""
    while weights:
        kind = random.choices(tuple(weights), tuple(weights.values()))[0]
        tree = _find(random, scene, target, kind)
        if tree is None:
            del weights[kind]
            continue
        text = word(random, tree)
        slipped = False
        if level == 3 and random.random() < FRAME_RATE:
            text = frame(random, text)
        if level == 3 and random.random() < SLIP_RATE:
            text, before = slip(random, text), text
            slipped = text != before
        if len(text.split()) > MOST_WORDS:
            continue
        return Expression(text, tree, target, kind, slipped)
    return None


_TRIES = {"two relations": 40, "relation": 30, "order": 30}
"""Proposals before a kind is given up; 16 where none is said."""


def _find(random: Random, scene: Scene, target: int, kind: str) -> Tree | None:
    """A tree of one kind that clearly names the target and nothing else."""
    for _ in range(_TRIES.get(kind, 16)):
        tree = KINDS[kind](random, scene, target)
        if tree is not None and referents(scene, tree).only == target:
            return tree
    return None


KIND_WEIGHTS: dict[int, dict[str, float]] = {
    1: {"attributes": 1.0, "place": 1.0},
    2: {"attributes": 1.0, "place": 1.0, "superlative": 1.0, "order": 1.5, "relation": 1.5},
    3: {
        "attributes": 0.7,
        "place": 0.7,
        "superlative": 0.8,
        "order": 1.2,
        "relation": 1.0,
        "two relations": 2.5,
        "negation": 1.2,
    },
}
"""How often each kind is tried on each level; rarely possible ones are tried more often."""

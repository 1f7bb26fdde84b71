"""Proposals: trees of each kind that might name an object. Most do not; the evaluator decides."""

from collections.abc import Callable
from random import Random

from refseg.data.shapes.meaning import (
    EXTREMES,
    PLACES,
    RELATIONS,
    SIDES,
    TRUE,
    Attribute,
    Extreme,
    Ordinal,
    Place,
    Related,
    Thing,
    Tree,
    With,
    Without,
    holds,
    referents,
    related,
)
from refseg.data.shapes.scenes import COLOURS, SIZES, Scene

Proposal = Callable[[Random, Scene, int], Tree | None]


def describe(random: Random, scene: Scene, target: int, fullness: float = 1.0) -> Tree:
    """The object's shape and some of its attributes; not necessarily enough to single it out."""
    one = scene.objects[target]
    tree: Tree = Thing(one.shape if random.random() < 0.85 else None)
    chances = {"pattern": 0.15, "colour": 0.6, "size": 0.3}
    for kind, chance in chances.items():
        if kind == "pattern" and one.pattern == "filled" and random.random() < 0.6:
            continue
        if random.random() < chance * fullness:
            tree = With(tree, Attribute(kind, getattr(one, kind)))
    return tree


def _needed(random: Random, scene: Scene, inner: Tree, spare: float) -> bool:
    """Whether more must be said; with the chance `spare`, more is said without need."""
    return len(referents(scene, inner).possible) > 1 or random.random() < spare


def _attributes(random: Random, scene: Scene, target: int) -> Tree:
    return describe(random, scene, target)


def _placed(random: Random, scene: Scene, target: int) -> Tree | None:
    inner = describe(random, scene, target, 0.6)
    true = [name for name in PLACES if holds(scene, scene.objects[target], Place(name)) == TRUE]
    if not true or not _needed(random, scene, inner, 0.2):
        return None
    return With(inner, Place(random.choice(true)))


def _extreme(random: Random, scene: Scene, target: int) -> Tree:
    inner = _without_size(describe(random, scene, target, 0.6))
    return Extreme(inner, random.choice(EXTREMES))


def _ordinal(random: Random, scene: Scene, target: int) -> Tree:
    inner = describe(random, scene, target, 0.4)
    number = 2 if random.random() < 0.75 else 3
    return Ordinal(inner, number, random.choice(SIDES))


def _relation(random: Random, scene: Scene, target: int) -> Tree | None:
    inner = describe(random, scene, target, 0.6)
    if not _needed(random, scene, inner, 0.1):
        return None
    step = _step(random, scene, target)
    if step is None:
        return None
    relation, anchor = step
    named = _name(random, scene, anchor)
    return None if named is None else Related(inner, relation, named)


def _step(random: Random, scene: Scene, target: int) -> tuple[str, int] | None:
    """A relation that is true of the target, with the object it is a relation to."""
    anchor = random.choice([one for one in range(len(scene.objects)) if one != target])
    if random.random() < 0.2:
        return "closest to", anchor
    true = [
        relation
        for relation in RELATIONS
        if relation != "closest to" and related(scene, target, relation, anchor) == TRUE
    ]
    return (random.choice(true), anchor) if true else None


def _name(random: Random, scene: Scene, one: int) -> Tree | None:
    """A description that is enough to single the object out."""
    for _ in range(4):
        tree = describe(random, scene, one)
        if referents(scene, tree).only == one:
            return tree
    return None


def _two_relations(random: Random, scene: Scene, target: int) -> Tree | None:
    """A chain ("above the ring that is left of the star") or two at once ("and left of")."""
    step = _step(random, scene, target)
    if step is None:
        return None
    relation, anchor = step
    chain = random.random() < 0.65
    second = _step(random, scene, anchor if chain else target)
    if second is None or second[0] == "closest to" or second[1] in (target, anchor):
        return None
    last = _name(random, scene, second[1])
    inner = describe(random, scene, target, 0.5)
    if last is None or not _needed(random, scene, inner, 0.1):
        return None
    if chain:
        return _chain(random, scene, (inner, relation), (anchor, second[0]), last)
    middle = _name(random, scene, anchor)
    if middle is None or relation in ("closest to", second[0]):
        return None
    first = Related(inner, relation, middle)
    return Related(first, second[0], last) if _needed(random, scene, first, 0.2) else None


def _chain(
    random: Random, scene: Scene, start: tuple[Tree, str], link: tuple[int, str], last: Tree
) -> Tree | None:
    """`start` in relation to the object of `link`, which stands in relation to `last`."""
    (inner, relation), (anchor, second) = start, link
    for _ in range(4):
        middle = describe(random, scene, anchor, 0.6)
        through = Related(middle, second, last)
        if referents(scene, through).only != anchor or not _needed(random, scene, middle, 0.2):
            continue
        tree = Related(inner, relation, through)
        # Whoever hears the second relation as one of the head must not find another object.
        misheard = referents(scene, Related(Related(inner, relation, middle), second, last)).only
        return tree if misheard in (None, referents(scene, tree).only) else None
    return None


def _negation(random: Random, scene: Scene, target: int) -> Tree | None:
    """What the target is not, where a distractor is just that."""
    inner = describe(random, scene, target, 0.4)
    dice = random.random()
    if dice < 0.2:
        lacked = Place(random.choice(("left", "right", "top", "bottom", "middle")))
        return Without(inner, lacked) if _excludes(scene, inner, lacked) else None
    kind = random.choices(("colour", "size", "pattern"), (6, 2, 1))[0]
    own = getattr(scene.objects[target], kind)
    values = {"colour": tuple(COLOURS), "size": tuple(SIZES), "pattern": ("striped",)}[kind]
    present = {getattr(one, kind) for one in scene.objects}
    others = [value for value in values if value != own and value in present]
    if not others:
        return None
    lacks = [Attribute(kind, value) for value in random.sample(others, min(2, len(others)))]
    if not _excludes(scene, inner, lacks[0]):
        return None
    tree = Without(inner, lacks[0])
    if referents(scene, tree).only == target:
        return tree
    if len(lacks) == 2 and random.random() < 0.5:
        return Without(tree, lacks[1]) if _excludes(scene, tree, lacks[1]) else None
    return Extreme(tree, random.choice(EXTREMES[2:] if kind == "size" else EXTREMES))


def _excludes(scene: Scene, inner: Tree, lacked: Attribute | Place) -> bool:
    return len(referents(scene, With(inner, lacked)).sure) > 0


def _without_size(tree: Tree) -> Tree:
    """Drop the size: "the largest small star" is no English."""
    if not isinstance(tree, With):
        return tree
    inner = _without_size(tree.inner)
    size = isinstance(tree.property, Attribute) and tree.property.kind == "size"
    return inner if size else With(inner, tree.property)


KINDS: dict[str, Proposal] = {
    "attributes": _attributes,
    "place": _placed,
    "superlative": _extreme,
    "order": _ordinal,
    "relation": _relation,
    "two relations": _two_relations,
    "negation": _negation,
}
"""How to propose a tree of each kind."""

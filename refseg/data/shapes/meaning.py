"""What an expression means: a tree, and the evaluator that finds its referents in a scene.

The evaluator knows nothing of targets or of words. It is careful instead of clever: a statement
about an object is true, false or *unclear*, and an expression counts as unambiguous only if no
unclear case could change its referent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from refseg.data.shapes.scenes import SIZES, Scene, SceneObject

TRUE, UNCLEAR, FALSE = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of the object itself: `kind` is colour, size or pattern."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the image an object is: a key of `PLACES`."""

    name: str


@dataclass(frozen=True, slots=True)
class Thing:
    """All objects of a shape, or all objects."""

    shape: str | None


@dataclass(frozen=True, slots=True)
class With:
    """Those of `inner` that have the property."""

    inner: "Tree"
    property: Attribute | Place


@dataclass(frozen=True, slots=True)
class Without:
    """Those of `inner` that lack the property."""

    inner: "Tree"
    property: Attribute | Place


@dataclass(frozen=True, slots=True)
class Extreme:
    """The one of `inner` that is `most`: largest, smallest, leftmost, rightmost, ..."""

    inner: "Tree"
    most: str


@dataclass(frozen=True, slots=True)
class Ordinal:
    """The second or third of `inner`, counted from a side."""

    inner: "Tree"
    number: int
    side: str


@dataclass(frozen=True, slots=True)
class Related:
    """Those of `inner` that stand in a relation to the one object `anchor` names."""

    inner: "Tree"
    relation: str
    anchor: "Tree"


Tree = Thing | With | Without | Extreme | Ordinal | Related


@dataclass(frozen=True, slots=True)
class Referents:
    """The objects an expression names for certain, and those it might name."""

    sure: tuple[int, ...]
    possible: tuple[int, ...]

    @property
    def only(self) -> int | None:
        """The one object the expression names, or None if it is not clearly one."""
        one = len(self.sure) == 1 and self.sure == self.possible
        return self.sure[0] if one else None


PLACES: dict[str, tuple[float, float, float, float]] = {
    "left": (0.0, 0.37, 0.0, 1.0),
    "right": (0.63, 1.0, 0.0, 1.0),
    "top": (0.0, 1.0, 0.0, 0.37),
    "bottom": (0.0, 1.0, 0.63, 1.0),
    "far left": (0.0, 0.22, 0.0, 1.0),
    "far right": (0.78, 1.0, 0.0, 1.0),
    "very top": (0.0, 1.0, 0.0, 0.22),
    "very bottom": (0.0, 1.0, 0.78, 1.0),
    "middle": (0.36, 0.64, 0.36, 0.64),
    "top left": (0.0, 0.37, 0.0, 0.37),
    "top right": (0.63, 1.0, 0.0, 0.37),
    "bottom left": (0.0, 0.37, 0.63, 1.0),
    "bottom right": (0.63, 1.0, 0.63, 1.0),
}
"""Left, right, top, bottom of each place as parts of width and height; centres count."""

PLACE_MARGIN = 0.13
"""So far outside of a place an object must be to be clearly not there (parts of a side)."""

EXTREMES = ("largest", "smallest", "leftmost", "rightmost", "topmost", "bottommost")
SIDES = ("left", "right", "top", "bottom")
RELATIONS = ("left of", "right of", "above", "below", "closest to")
STEP = 0.09
"""Two objects are clearly one before the other if so far apart (units of the short side)."""


def referents(scene: Scene, tree: Tree) -> Referents:
    """Find what an expression names in a scene.

    Example:
        >>> star = SceneObject("star", "red", "small", "filled", 30.0, 50.0, 20.0, 0.0)
        >>> ring = SceneObject("ring", "red", "large", "filled", 90.0, 50.0, 40.0, 0.0)
        >>> scene = Scene(128, 128, (star, ring))
        >>> referents(scene, Related(Thing(None), "left of", Thing("ring"))).only
        0
    """
    match tree:
        case Thing(shape):
            found = tuple(
                [
                    place
                    for place, one in enumerate(scene.objects)
                    if shape is None or one.shape == shape
                ]
            )
            return Referents(found, found)
        case With(inner, what):
            return _filter(
                referents(scene, inner), lambda one: holds(scene, scene.objects[one], what)
            )
        case Without(inner, what):
            return _filter(
                referents(scene, inner), lambda one: -holds(scene, scene.objects[one], what)
            )
        case Extreme(inner, most):
            return _extreme(scene, referents(scene, inner), most)
        case Ordinal(inner, number, side):
            return _ordinal(scene, referents(scene, inner), number, side)
        case Related(inner, relation, anchor_tree):
            found_inner = referents(scene, inner)
            anchor = referents(scene, anchor_tree).only
            if anchor is None:
                return Referents((), found_inner.possible)
            if relation == "closest to":
                return _closest(scene, found_inner, anchor)
            return _filter(found_inner, lambda one: related(scene, one, relation, anchor))


def holds(scene: Scene, one: SceneObject, what: Attribute | Place) -> int:
    """Whether an object clearly has a property, clearly lacks it, or neither."""
    if isinstance(what, Attribute):
        return TRUE if getattr(one, what.kind) == what.value else FALSE
    left, right, top, bottom = PLACES[what.name]
    x, y = one.x / scene.width, one.y / scene.height
    outside = max(left - x, x - right, top - y, y - bottom)
    return TRUE if outside <= 0 else FALSE if outside > PLACE_MARGIN else UNCLEAR


def related(scene: Scene, one: int, relation: str, anchor: int) -> int:
    """Whether one object is clearly left of, right of, above or below another.

    It is if the direction is within 45° of the axis; it is clearly not if there is no step that
    way at all. Between these, where one could argue, it is unclear.
    """
    first, second, side = scene.objects[one], scene.objects[anchor], scene.short_side
    x, y = (second.x - first.x) / side, (second.y - first.y) / side
    match relation:
        case "left of":
            along, across = x, y
        case "right of":
            along, across = -x, y
        case "above":
            along, across = y, x
        case _:
            along, across = -y, x
    if along > 0.14 and abs(across) < along:
        return TRUE
    return FALSE if along < 0.03 else UNCLEAR


def _filter(inner: Referents, test: Callable[[int], int]) -> Referents:
    truths = {one: test(one) for one in inner.possible}
    return Referents(
        tuple([one for one in inner.sure if truths[one] == TRUE]),
        tuple([one for one in inner.possible if truths[one] != FALSE]),
    )


def rank(scene: Scene, one: int, most: str) -> float:
    """The smaller, the more the object is `most`; a clear difference is at least `STEP`."""
    thing, side = scene.objects[one], scene.short_side
    match most:
        case "largest":
            return -float(tuple(SIZES).index(thing.size))
        case "smallest":
            return float(tuple(SIZES).index(thing.size))
        case "leftmost" | "left":
            return thing.x / side
        case "rightmost" | "right":
            return -thing.x / side
        case "topmost" | "top":
            return thing.y / side
        case _:
            return -thing.y / side


def _extreme(scene: Scene, inner: Referents, most: str) -> Referents:
    if inner.sure != inner.possible or len(inner.sure) < 2:
        return Referents((), inner.possible)
    order = sorted(inner.sure, key=lambda one: rank(scene, one, most))
    limit = rank(scene, order[0], most) + STEP
    near = tuple(sorted(one for one in order if rank(scene, one, most) < limit))
    return Referents(near if len(near) == 1 else (), near)


def _ordinal(scene: Scene, inner: Referents, number: int, side: str) -> Referents:
    if inner.sure != inner.possible or len(inner.sure) <= number:
        return Referents((), inner.possible)
    order = sorted(inner.sure, key=lambda one: rank(scene, one, side))
    ranks = [rank(scene, one, side) for one in order[: number + 1]]
    if any(later - earlier < STEP for earlier, later in pairwise(ranks)):
        return Referents((), inner.possible)
    return Referents((order[number - 1],), (order[number - 1],))


def _closest(scene: Scene, inner: Referents, anchor: int) -> Referents:
    others = tuple(one for one in inner.possible if one != anchor)
    if inner.sure != inner.possible or len(others) < 2:
        return Referents((), others)
    centre = scene.objects[anchor]
    distances = sorted(
        (hypot(scene.objects[one].x - centre.x, scene.objects[one].y - centre.y), one)
        for one in others
    )
    (near, found), (next_near, _) = distances[:2]
    if near > 0.75 * next_near:
        return Referents((), others)
    return Referents((found,), (found,))

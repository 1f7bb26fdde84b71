"""The evaluator against scenes worked out by hand."""

import pytest

from refseg.data.shapes.meaning import (
    Attribute,
    Extreme,
    Ordinal,
    Place,
    Referents,
    Related,
    Thing,
    Tree,
    With,
    Without,
    referents,
)
from refseg.data.shapes.scenes import Scene, SceneObject


def thing(
    shape: str, colour: str, x: float, y: float, size: str = "small", pattern: str = "filled"
) -> SceneObject:
    return SceneObject(shape, colour, size, pattern, x, y, 20.0, 0.0)


#  0 red star                          1 blue star (large)
#                   2 red ring
#  3 red star (striped)                4 blue ring
SCENE = Scene(
    200,
    200,
    (
        thing("star", "red", 30.0, 30.0),
        thing("star", "blue", 170.0, 30.0, size="large"),
        thing("ring", "red", 100.0, 100.0),
        thing("star", "red", 30.0, 170.0, pattern="striped"),
        thing("ring", "blue", 170.0, 165.0),
    ),
)
STAR, RING, ONE = Thing("star"), Thing("ring"), Thing(None)
STRIPED = With(STAR, Attribute("pattern", "striped"))
RED, BLUE = Attribute("colour", "red"), Attribute("colour", "blue")


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        (STAR, {0, 1, 3}),
        (ONE, {0, 1, 2, 3, 4}),
        (With(STAR, RED), {0, 3}),
        (With(With(STAR, RED), Attribute("pattern", "striped")), {3}),
        (Without(STAR, RED), {1}),
        (Without(Without(ONE, RED), Attribute("size", "large")), {4}),
        (With(STAR, Place("left")), {0, 3}),
        (With(ONE, Place("middle")), {2}),
        (With(ONE, Place("bottom right")), {4}),
        (Without(STAR, Place("left")), {1}),
        (Extreme(STAR, "largest"), {1}),
        (Extreme(STAR, "rightmost"), {1}),
        (Extreme(STAR, "bottommost"), {3}),
        (Ordinal(ONE, 3, "top"), set()),  # the first two are equally high
        (Related(STAR, "above", STRIPED), {0}),
        (Related(ONE, "left of", With(STAR, BLUE)), {0}),
        (Related(With(STAR, RED), "above", Related(STRIPED, "left of", With(RING, BLUE))), {0}),
        (Related(RING, "closest to", With(STAR, BLUE)), {2}),
        (Related(STAR, "closest to", With(RING, RED)), set()),  # all are about equally far
        (Thing("heart"), set()),
    ],
)
def test_names(tree: Tree, named: set[int]) -> None:
    assert set(referents(SCENE, tree).sure) == named


def test_a_tie_is_unclear() -> None:
    scene = Scene(100, 100, (thing("star", "red", 20.0, 50.0), thing("star", "red", 24.0, 80.0)))
    assert referents(scene, Extreme(STAR, "leftmost")) == Referents((), (0, 1))
    assert referents(scene, Extreme(STAR, "largest")) == Referents((), (0, 1))
    assert referents(scene, Extreme(STAR, "topmost")).only == 0


def test_there_is_no_largest_of_one_and_no_second_of_two() -> None:
    assert referents(SCENE, Extreme(With(STAR, BLUE), "largest")).only is None
    assert referents(SCENE, Ordinal(RING, 2, "left")).only is None


def test_an_order_is_counted_from_its_side() -> None:
    row = Scene(100, 100, tuple(thing("star", "red", x, 50.0) for x in (80.0, 20.0, 50.0, 65.0)))
    assert referents(row, Ordinal(STAR, 2, "left")).only == 2
    assert referents(row, Ordinal(STAR, 2, "right")).only == 3
    assert referents(row, Ordinal(STAR, 3, "right")).only == 2


def test_a_distractor_nearly_at_the_place_makes_it_unclear() -> None:
    def named(x: float) -> Referents:
        scene = Scene(100, 100, (thing("star", "red", 20.0, 50.0), thing("star", "red", x, 50.0)))
        return referents(scene, With(STAR, Place("left")))

    assert named(70.0).only == 0
    assert named(45.0) == Referents((0,), (0, 1))
    assert named(30.0).sure == (0, 1)


def test_a_relation_on_the_diagonal_is_unclear() -> None:
    def named(x: float, y: float) -> Referents:
        scene = Scene(100, 100, (thing("star", "red", x, y), thing("ring", "red", 60.0, 50.0)))
        return referents(scene, Related(STAR, "left of", RING))

    assert named(20.0, 55.0).only == 0
    assert named(40.0, 85.0) == Referents((), (0,))
    assert named(90.0, 50.0) == Referents((), ())


def test_a_relation_to_none_or_to_several_names_nothing() -> None:
    assert referents(SCENE, Related(STAR, "above", Thing("heart"))).only is None
    assert referents(SCENE, Related(RING, "right of", STAR)).sure == ()

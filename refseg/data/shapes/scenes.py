"""Scenes: which objects an image shows, and where."""

from dataclasses import dataclass
from math import hypot
from random import Random

from refseg.data.shapes.outlines import SHAPES, reach

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 32, 36),
    "green": (34, 150, 56),
    "blue": (36, 72, 214),
    "yellow": (250, 222, 40),
    "purple": (126, 40, 172),
    "orange": (250, 132, 16),
    "pink": (255, 138, 196),
    "black": (22, 22, 24),
    "white": (248, 248, 246),
}
"""RGB of each colour word."""

SIZES = {"small": 0.18, "medium": 0.26, "large": 0.37}
"""Diameter of each size word, in units of the image's short side."""

PATTERNS = ("filled", "striped")

PAIRS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)

UNSEEN_PAIRS = frozenset(
    (colour, SHAPES[(place + step) % len(SHAPES)])
    for place, colour in enumerate(tuple(COLOURS)[: len(SHAPES)])
    for step in (0, 3)
)
"""The pairs of which `testB` is made and which occur nowhere else, not even as bystanders.

Each of eight colours takes part with two shapes and each shape with two colours, so that scenes
made of these pairs alone still have distractors in colour and in shape.
"""


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object of a scene.

    Args:
        shape: one of `SHAPES`.
        colour: a key of `COLOURS`.
        size: a key of `SIZES`.
        pattern: one of `PATTERNS`.
        x: centre, pixels from the left edge of the image.
        y: centre, pixels from the upper edge.
        diameter: that of the circle which looks as large, pixels.
        angle: rotation, radians.
    """

    shape: str
    colour: str
    size: str
    pattern: str
    x: float
    y: float
    diameter: float
    angle: float

    @property
    def reach(self) -> float:
        """Radius of the circle about the centre that contains the object, pixels."""
        return reach(self.shape) * self.diameter


@dataclass(frozen=True, slots=True)
class Scene:
    """An image before it is drawn.

    Args:
        width: pixels.
        height: pixels.
        objects: in the order of painting: a later object covers an earlier one.
    """

    width: int
    height: int
    objects: tuple[SceneObject, ...]

    @property
    def short_side(self) -> int:
        """The smaller of width and height, pixels."""
        return min(self.width, self.height)


def distractors(scene: Scene, target: int) -> int:
    """Number of other objects that share the shape or the colour of the target."""
    one = scene.objects[target]
    return sum(
        other.shape == one.shape or other.colour == one.colour
        for place, other in enumerate(scene.objects)
        if place != target
    )


def sample_scene(random: Random, unseen: bool) -> Scene:
    """Draw a scene of 3 to 8 objects, at least three of which have a distractor.

    Objects may touch: the circles around them overlap a little at most. How much of an object is
    truly hidden is left to `annotations.annotate`, which knows the polygons.

    Args:
        random: the source of all choices.
        unseen: True for `testB`: all objects are `UNSEEN_PAIRS`; False: none is.
    """
    pairs = tuple(pair for pair in PAIRS if (pair in UNSEEN_PAIRS) == unseen)
    while True:
        width, height = _sides(random)
        looks = _looks(random, random.randint(3, 8), pairs)
        objects = _arrange(random, looks, width, height)
        if objects is None:
            continue
        scene = Scene(width, height, objects)
        if sum(distractors(scene, target) > 0 for target in range(len(objects))) >= 3:
            return scene


def _sides(random: Random) -> tuple[int, int]:
    short = random.randint(128, 176)
    long = min(round(short * random.uniform(1.0, 1.35)), 240)
    return (long, short) if random.random() < 0.6 else (short, long)


def _looks(
    random: Random, count: int, pairs: tuple[tuple[str, str], ...]
) -> list[tuple[str, str, str, str]]:
    """Shape, colour, size and pattern of each object; most repeat something of another."""
    chosen: list[tuple[str, str]] = [random.choice(pairs)]
    while len(chosen) < count:
        colour, shape = random.choice(chosen)
        dice = random.random()
        if dice < 0.12:
            options: tuple[tuple[str, str], ...] = ((colour, shape),)
        elif dice < 0.40:
            options = tuple(pair for pair in pairs if pair[1] == shape)
        elif dice < 0.66:
            options = tuple(pair for pair in pairs if pair[0] == colour)
        else:
            options = pairs
        chosen.append(random.choice(options))
    return [
        (
            shape,
            colour,
            random.choice(tuple(SIZES)),
            PATTERNS[random.random() < 0.25],
        )
        for colour, shape in chosen
    ]


def _arrange(
    random: Random, looks: list[tuple[str, str, str, str]], width: int, height: int
) -> tuple[SceneObject, ...] | None:
    """Put the objects down at random; None if there is no room for one of them."""
    placed: list[SceneObject] = []
    for shape, colour, size, pattern in looks:
        diameter = SIZES[size] * min(width, height) * random.uniform(0.96, 1.04)
        edge = reach(shape) * diameter + 1.5
        angle = random.uniform(-0.2, 0.2)
        for _ in range(40):
            x, y = random.uniform(edge, width - edge), random.uniform(edge, height - edge)
            one = SceneObject(shape, colour, size, pattern, x, y, diameter, angle)
            if all(_apart(one, other) for other in placed):
                placed.append(one)
                break
        else:
            return None
    random.shuffle(placed)
    return tuple(placed)


def _apart(one: SceneObject, other: SceneObject) -> bool:
    """Whether the circles overlap slightly at most, and not at all where the colours are one."""
    nearness = 1.04 if one.colour == other.colour else 0.8
    return hypot(one.x - other.x, one.y - other.y) > nearness * (one.reach + other.reach)

"""The words of the built-in set: the synonyms of each meaning and how often each is used."""

Wordings = tuple[tuple[str, int | float], ...]

NOUNS: dict[str | None, Wordings] = {
    "circle": (("circle", 4), ("disc", 1)),
    "square": (("square", 5), ("box", 1)),
    "triangle": (("triangle", 1),),
    "star": (("star", 1),),
    "cross": (("cross", 2), ("plus", 1)),
    "ring": (("ring", 4), ("donut", 1)),
    "heart": (("heart", 1),),
    "diamond": (("diamond", 1),),
    None: (("one", 4), ("thing", 1), ("object", 1), ("shape", 1)),
}

PLURALS = {"cross": "crosses", "plus": "pluses", "box": "boxes"}

ADJECTIVES: dict[str, Wordings] = {
    "small": (("small", 3), ("little", 1), ("tiny", 1)),
    "medium": (("medium", 1), ("medium sized", 1)),
    "large": (("large", 2), ("big", 2)),
    "striped": (("striped", 3), ("stripy", 1)),
    "filled": (("filled", 1), ("plain", 1), ("solid", 1)),
    "purple": (("purple", 3), ("violet", 1)),
}

PLACES_BEFORE: dict[str, Wordings] = {
    "left": (("left", 1),),
    "right": (("right", 1),),
    "top": (("top", 2), ("upper", 1)),
    "bottom": (("bottom", 2), ("lower", 1)),
    "far left": (("far left", 1),),
    "far right": (("far right", 1),),
    "middle": (("middle", 2), ("center", 1)),
    "top left": (("top left", 2), ("upper left", 1)),
    "top right": (("top right", 2), ("upper right", 1)),
    "bottom left": (("bottom left", 2), ("lower left", 1)),
    "bottom right": (("bottom right", 2), ("lower right", 1)),
}

PLACES_AFTER: dict[str, Wordings] = {
    side: (
        (f"on the {side}", 4),
        (f"on the {side} side", 1),
        (f"at {side}", 1),
        (f"on {side}", 1),
        (f"in the {side} part of the picture", 0.4),
    )
    for side in ("left", "right")
}
PLACES_AFTER |= {
    side: (
        (f"at the {side}", 4),
        (f"at {side}", 1),
        (f"near the {side}", 1),
        (f"at the {side} of the picture", 0.4),
    )
    for side in ("top", "bottom")
}
PLACES_AFTER |= {
    f"far {side}": (
        (f"on the far {side}", 3),
        (f"at the far {side}", 1),
        (f"at the {side} edge", 1),
        (f"all the way to the {side}", 0.5),
    )
    for side in ("left", "right")
}
PLACES_AFTER |= {
    f"very {side}": ((f"at the very {side}", 2), (f"at the {side} edge", 1))
    for side in ("top", "bottom")
}
PLACES_AFTER["middle"] = (
    ("in the middle", 3),
    ("in the center", 2),
    ("in middle", 1),
    ("in the middle of the picture", 0.4),
)
PLACES_AFTER |= {
    f"{row} {column}": (
        (f"in the {row} {column} corner", 2),
        (f"in the {row} {column}", 1),
        (f"at the {row} {column}", 1),
        (f"in the {other} {column} corner", 1),
        (f"in {row} {column} corner", 0.7),
        (f"in the {row} {column} corner of the picture", 0.3),
    )
    for row, other in (("top", "upper"), ("bottom", "lower"))
    for column in ("left", "right")
}

EXTREMES_BEFORE: dict[str, Wordings] = {
    "largest": (("largest", 1), ("biggest", 1)),
    "smallest": (("smallest", 2), ("littlest", 0.4), ("tiniest", 0.6)),
    "leftmost": (("leftmost", 1),),
    "rightmost": (("rightmost", 1),),
    "topmost": (("topmost", 1), ("highest", 1), ("uppermost", 0.5)),
    "bottommost": (("lowest", 1), ("bottommost", 1)),
}

EXTREMES_AFTER: dict[str, Wordings] = {
    "leftmost": (("farthest to the left", 1), ("furthest left", 1)),
    "rightmost": (("farthest to the right", 1), ("furthest right", 1)),
    "topmost": (("closest to the top", 1), ("nearest the top", 1)),
    "bottommost": (("closest to the bottom", 1), ("nearest the bottom", 1)),
}

NUMBERS: dict[int, Wordings] = {
    2: (("second", 4), ("2nd", 1)),
    3: (("third", 4), ("3rd", 1)),
}

RELATION_WORDS: dict[str, Wordings] = {
    "left of": (("left of", 2), ("to the left of", 2), ("on the left of", 1)),
    "right of": (("right of", 2), ("to the right of", 2), ("on the right of", 1)),
    "above": (("above", 4), ("over", 1), ("higher than", 0.5)),
    "below": (("below", 3), ("under", 2), ("beneath", 1), ("lower than", 0.5)),
    "closest to": (("closest to", 2), ("nearest to", 1), ("nearest", 1)),
}

OPENERS = (
    "please find",
    "look for",
    "look at",
    "can you see",
    "i mean",
    "i am looking for",
    "show me",
    "it is",
)
CLOSERS = ("please", "in this picture", "in the image", "here")

_COLOURS = ("red", "green", "blue", "yellow", "orange", "pink", "black", "white")
_GLUE = ("the that which is not neither nor and of all from counting without with stripes",)


def vocabulary() -> frozenset[str]:
    """All words that a sentence without slips can have."""
    tables = (
        NOUNS,
        ADJECTIVES,
        PLACES_BEFORE,
        PLACES_AFTER,
        EXTREMES_BEFORE,
        EXTREMES_AFTER,
        NUMBERS,
        RELATION_WORDS,
    )
    texts = [text for table in tables for wordings in table.values() for text, _ in wordings]
    texts += [*OPENERS, *CLOSERS, *_COLOURS, *_GLUE]
    texts += [plural(noun) for wordings in NOUNS.values() for noun, _ in wordings]
    return frozenset(word for text in texts for word in text.split())


def plural(noun: str) -> str:
    """The plural of a noun of `NOUNS`."""
    return PLURALS.get(noun, f"{noun}s")

"""From a tree to words: each meaning has several wordings."""

from dataclasses import dataclass
from random import Random

from refseg.data.shapes.meaning import (
    Attribute,
    Extreme,
    Ordinal,
    Place,
    Related,
    Thing,
    Tree,
    With,
    Without,
)

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


@dataclass
class _Phrase:
    """A noun with what stands before and after it."""

    before: list[str]
    noun: str
    after: list[str]

    def text(self) -> str:
        return " ".join([*self.before, *([self.noun] if self.noun else []), *self.after])


def word(random: Random, tree: Tree) -> str:
    """Put a tree into words; another call finds another wording.

    Example:
        >>> word(Random(1), With(Thing("star"), Attribute("colour", "red")))
        'red star'
    """
    phrase = _phrase(random, tree)
    match tree:
        case With(Thing(None), Place()) | Extreme(Thing(None)) | Ordinal(Thing(None)):
            if len(phrase.before) == 1 and random.random() < 0.5:
                phrase.noun = ""  # as in "left", "the smallest", "second from the top"
    text = phrase.text()
    return f"the {text}" if random.random() < 0.45 else text


def frame(random: Random, sentence: str) -> str:
    """Make a sentence longer the way talkative people do."""
    body = sentence if sentence.startswith("the ") else f"the {sentence}"
    if random.random() < 0.7:
        return f"{random.choice(OPENERS)} {body}"
    return f"{body} {random.choice(CLOSERS)}"


def vocabulary() -> frozenset[str]:
    """All words that `word` and `frame` can write."""
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
    texts += [_plural(noun) for wordings in NOUNS.values() for noun, _ in wordings]
    return frozenset(word for text in texts for word in text.split())


_COLOURS = ("red", "green", "blue", "yellow", "orange", "pink", "black", "white")
_GLUE = ("the that which is not neither nor and of all from counting colored without with stripes",)


def _choose(random: Random, wordings: Wordings) -> str:
    if len(wordings) == 1:
        return wordings[0][0]
    texts, weights = zip(*wordings, strict=True)
    choice: str = random.choices(texts, weights)[0]
    return choice


def _plural(noun: str) -> str:
    return PLURALS.get(noun, f"{noun}s")


def _adjective(random: Random, value: str) -> str:
    return _choose(random, ADJECTIVES.get(value, ((value, 1),)))


def _phrase(random: Random, tree: Tree, complete: bool = True, anchor: bool = False) -> _Phrase:
    """Word a tree.

    Args:
        random: chooses the wording.
        tree: what to say.
        complete: False where more will be said of the same noun.
        anchor: whether this is what something else is related to.
    """
    if isinstance(tree, Thing):
        return _Phrase([], _choose(random, NOUNS[tree.shape]), [])
    phrase = _phrase(random, tree.inner, complete=False)
    match tree:
        case With(_, Attribute() as attribute):
            _say_attribute(random, phrase, attribute, may_follow=complete)
        case With(_, Place(name)):
            _say_place(random, phrase, name)
        case Without():
            _say_without(random, phrase, tree)
        case Extreme(_, most):
            _say_extreme(random, phrase, most)
        case Ordinal(_, number, side):
            start = random.choice(("from the", "from the", "from", "counting from the"))
            _say_ordinal(random, phrase, _choose(random, NUMBERS[number]), f"{start} {side}")
        case Related():
            _say_related(random, phrase, tree, anchor)
    return phrase


def _say_attribute(random: Random, phrase: _Phrase, attribute: Attribute, may_follow: bool) -> None:
    said = _adjective(random, attribute.value)
    dice = random.random()
    if phrase.after or not may_follow or dice < 0.85:
        phrase.before.insert(0, said)
    elif attribute.value == "striped" and dice < 0.93:
        phrase.after.append("with stripes")
    else:
        phrase.after.append(f"that is {said}")


def _say_place(random: Random, phrase: _Phrase, name: str) -> None:
    if name in PLACES_BEFORE and random.random() < 0.4:
        phrase.before.insert(0, _choose(random, PLACES_BEFORE[name]))
    else:
        phrase.after.append(_choose(random, PLACES_AFTER[name]))


def _say_without(random: Random, phrase: _Phrase, tree: Without) -> None:
    link = random.choice(("that is not", "which is not", "that is not", "not"))
    if isinstance(tree.property, Place):
        phrase.after.append(f"{link} {_choose(random, PLACES_AFTER[tree.property.name])}")
        return
    said = _adjective(random, tree.property.value)
    earlier = phrase.after[-1] if phrase.after else ""
    if isinstance(tree.inner, Without) and " not " in f" {earlier} ":
        first = earlier.rsplit("not ", 1)[1]
        which = random.choice(("that is", "which is"))
        phrase.after[-1] = f"{which} neither {first} nor {said}"
    elif tree.property.value == "striped" and random.random() < 0.4:
        phrase.after.append("without stripes")
    else:
        phrase.after.append(f"{link} {said}")


def _say_extreme(random: Random, phrase: _Phrase, most: str) -> None:
    dice = random.random()
    if most in EXTREMES_AFTER and not phrase.after and dice < 0.25:
        phrase.after.append(_choose(random, EXTREMES_AFTER[most]))
        return
    said = _choose(random, EXTREMES_BEFORE[most])
    if not phrase.after and dice > 0.88 and phrase.noun != "one":
        all_of = random.choice(("of the", "of all", "of all the"))
        phrase.before = [said, all_of, *phrase.before]
        phrase.noun = _plural(phrase.noun)
    else:
        phrase.before.insert(0, said)


def _say_ordinal(random: Random, phrase: _Phrase, number: str, start: str) -> None:
    if random.random() < 0.2:
        phrase.after.append(f"that is {number} {start}")
    else:
        phrase.before.insert(0, number)
        phrase.after.append(start)


def _say_related(random: Random, phrase: _Phrase, tree: Related, anchored: bool) -> None:
    relation = _choose(random, RELATION_WORDS[tree.relation])
    anchor = _phrase(random, tree.anchor, anchor=True).text()
    if random.random() < 0.85:
        anchor = f"the {anchor}"
    if isinstance(tree.inner, Related):
        phrase.after.append(f"and {relation} {anchor}")
        return
    chance = 0.6 if anchored else 0.15
    link = random.choice(("that is", "which is")) if random.random() < chance else ""
    phrase.after.append(f"{link} {relation} {anchor}".strip())

"""Turns an expression tree into words; each meaning has several wordings."""

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
from refseg.data.shapes.words import (
    ADJECTIVES,
    CLOSERS,
    EXTREMES_AFTER,
    EXTREMES_BEFORE,
    NOUNS,
    NUMBERS,
    OPENERS,
    PLACES_AFTER,
    PLACES_BEFORE,
    RELATION_WORDS,
    Wordings,
    plural,
)


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


def _choose(random: Random, wordings: Wordings) -> str:
    if len(wordings) == 1:
        return wordings[0][0]
    texts, weights = zip(*wordings, strict=True)
    choice: str = random.choices(texts, weights)[0]
    return choice


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
        phrase.noun = plural(phrase.noun)
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

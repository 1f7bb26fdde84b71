"""Horizontal flips that keep sentences true: left becomes right in the words too."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from refseg.data.english import is_frequent, is_nearly_frequent
from refseg.data.foreign_sides import is_foreign_side
from refseg.types import Sample

_PAIRS = {
    "left": "right",
    "leftmost": "rightmost",
    "leftest": "rightest",
    "lefter": "righter",
    "lefthand": "righthand",
    "lefthanded": "righthanded",
    "leftside": "rightside",
    "leftward": "rightward",
    "leftwards": "rightwards",
    "lefty": "righty",
    "lft": "rt",
    "lhs": "rhs",
    "farleft": "farright",
    "topleft": "topright",
    "upperleft": "upperright",
    "bottomleft": "bottomright",
    "lowerleft": "lowerright",
    "frontleft": "frontright",
    "backleft": "backright",
}
_SWAPPED = _PAIRS | {right: left for left, right in _PAIRS.items()}

SIDE_WORDS = frozenset(_SWAPPED)
"""The words that name the left or the right, misspelt and joined ones included."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words one slip away from a side that mean what they say. Of others ("tight", "let", "fight")
# annotators made more use in place of a side.
_OTHER_WORDS = _words(
    """
    light lights night nights knight knights eight eights bright brighter brightest brightly
    brightness upright uprights copyright alright playwright
    """
)

# Words that sound like a side, or shorten one.
_SOUNDS = _words("rite rites ride write wright ryt ryte rait rayt lefe leff lh rh rg ri lf lt")

# What a slip looks like in a word that is joined with another one ("bottomrgt", "farlft").
_SLIP_INSIDE = re.compile(r"lef|lft|letf|ledt|lwft|righ|rgh?t|rigt|rihg|roght|rught|ri?ht")

_SIDE = "(?:left|right|lft|rt)"

# Sentences that a mirror makes false, or of which one cannot tell.
_UNSAFE = re.compile(
    "|".join(
        (
            # Clocks, compass, sense of rotation, sides of a vehicle or ship: their sense is fixed.
            r"\bo\W{0,3}clock|clockwise\b|\bc?cw\b",
            r"\b(?:north|south)?-?(?:east|west)\w*|\b[ns][ew]\b|"
            r"\b[ew][- ]?(?:side|wards?|end|corner)\b",
            r"\bport(?: ?side)?\b|\b(?:star|lar)board\b|\b(?:near|off) ?side\b|\bsouthpaw",
            r"\b(?:driver|passenger)'?s?'? ?side\b",
            # A slip that gives another word, where a side is expected.
            r"\b(?:light|bright|night|eight|slight|height|high|last|lit|less|life|lead|leg|let) "
            r"(?:hand|side|most)\b",
            r"\b(?:on|to|from|far|top|bottom|upper|lower) (?:the )?(?:very |far )?"
            r"(?:light|bright|night|eight|slight)\b(?! \w)",
            # An arrow points somewhere else in the mirror.
            r"[<>]",
            # Lettering is mirrored and can be read no more.
            r"\b(?:reads?|says|saying|spell(?:s|ed|ing)?|written|writing|letter(?:s|ed|ing)?)\b",
            r"\b(?:initials?|name[ds]?|number(?:s|ed)?|numerals?|digits?|words?|text)\b",
            r"[\"“”#]|(?<!\w)'[^']+'(?!\w)",
            # A single letter is lettering, a shape (an L-shaped sofa), or an abbreviated side.
            r"(?<![^\W_])(?<!')[b-hj-mo-su-vx-z](?![^\W_])",
            # A digit is lettering (on a shirt), except in "2nd" or in "2 from the left".
            r"\d(?!\d*(?:st|nd|rd|th)\b)(?!\d* (?:in |over )?from\b)",
            # "right" as "directly", "left" as "remaining" or "abandoned". Judged for both words, so
            # that a sentence and its mirror image are judged alike.
            r"(?<!\bthe )(?<!\bon )(?<!\bto )(?<!\bat )(?<!\bfrom )(?<!\bfar )(?<!\btop )"
            rf"(?<!\bupper )(?<!\bbottom )(?<!\blower )\b{_SIDE} (?:"
            r"in (?:the )?(?:front|middle|cent(?:er|re)|back|background|foreground|corner)|behind|"
            r"next|beside|besides|under|underneath|above|below|beneath|by|at|on|after|before|up|"
            r"down|here|there|now|against|near|nearest|through|over|inside|outside|off|out|where|"
            r"when|between|around|across|along|alongside|to|into|onto|about|adjacent|close|"
            r"closest|away|as|beyond|opposite|side up)\b",
            rf"\b{_SIDE}[- ](?:click|angle|angled|way|overs?)\b",
            r"\b(?:all|just|exactly|only|is|are|was|were|be|been|being|has|have|had|got|gets?|"
            r"ones?|(?:that|what|it)'?s|\w+thing|bits?|pieces?|slices?|quite|about|until) "
            rf"{_SIDE}\b(?! (?:of|side|hand|most|corner|edge|end|half|foot|arm|leg|man|woman)\b)",
        )
    )
)

# "second man" is counted from the left without saying so; "second row" is not.
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|"
    r"\d+(?:st|nd|rd|th))\b(?! (?:row|floor|level|shelf|rung|stor(?:e?y|ies))\b)"
)
_FROM = re.compile(r"\bfrom\b")
_LETTERS = re.compile(r"[^\W\d_]+")

# Letters and signs that are not those of English: other scripts, letters without a plain form,
# arrows, pictures, and invisible signs, which may hide in a side.
_FOREIGN = re.compile(r"[^\t\n\r\x20-\x7e\u00b7\u2010\u2011\u2013\u2014\u2018]")


def swap_left_right(expression: str) -> str | None:
    """Exchange left and right in a sentence; None where that is not safe.

    Where one cannot be sure of that, there is none: the sentence names a clock, lettering, an
    arrow, a compass direction or an order that is read from the left without saying so; its "right"
    may mean "directly" or its "left" "remaining"; a word may be a misspelt left or right; or the
    sentence may not be English. Giving up too often costs a few flips; a wrong sentence would teach
    the network to ignore sides.

    Args:
        expression: the sentence, in any case.

    Returns:
        The sentence with left and right exchanged (the same if it has neither), or None. If there
        is one, then exchanging again gives back `expression`.

    Example:
        >>> swap_left_right("second zebra from the left")
        'second zebra from the right'
        >>> swap_left_right("red cup")
        'red cup'
        >>> print(swap_left_right("man at 3 o'clock"), swap_left_right("dog right next to him"))
        None None
    """
    text = unicodedata.normalize("NFKC", expression).lower().replace("’", "'")
    plain = _without_accents(text)
    words = _LETTERS.findall(plain)
    sides = [word for word in words if word in _SWAPPED]
    if sides != [word.lower() for word in _LETTERS.findall(expression) if _is_side(word)]:
        return None  # accents, joiners or letters of another width in a side
    if _UNSAFE.search(plain) or _FOREIGN.search(plain) or not _may_be_english(words):
        return None
    if any(map(_looks_misspelt, words)) or any(map(_is_side_in_two, words, words[1:])):
        return None
    if _ORDINAL.search(plain) and not sides and not _FROM.search(plain):
        return None
    if any(_swap_word(word) is None for word in _LETTERS.findall(expression)):
        return None
    return _LETTERS.sub(lambda match: _swap_word(match[0]) or "", expression)


def flip(sample: Sample) -> Sample | None:
    """Mirror image, masks and sentences, or None where one of the sentences cannot be.

    `truths` stay as they are: the masks in the image as it is stored.

    Args:
        sample: in its own size.
    """
    swapped = [swap_left_right(expression) for expression in sample.expressions]
    expressions = tuple(expression for expression in swapped if expression is not None)
    if len(expressions) < len(swapped):
        return None
    return replace(
        sample,
        image=None if sample.image is None else np.ascontiguousarray(sample.image[:, ::-1]),
        masks=np.ascontiguousarray(sample.masks[:, :, ::-1]),
        expressions=expressions,
        is_mirrored=not sample.is_mirrored,
    )


def _swap_word(word: str) -> str | None:
    """The opposite in the same case; the word itself if it names no side; None in MiXed case."""
    opposite = _SWAPPED.get(word.lower())
    if opposite is None:
        return word
    for in_case in (str.lower, str.upper, str.capitalize):
        if word == in_case(word):
            return in_case(opposite)
    return None


def _is_side(word: str) -> bool:
    return word.lower() in _SWAPPED


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _may_be_english(words: Sequence[str]) -> bool:
    """Whether no word is a side in another language, and at least half are frequent English."""
    if any(map(is_foreign_side, words)):
        return False
    longer = [word for word in words if len(word) > 1]
    own = _SWAPPED.keys() | _OTHER_WORDS
    known = sum(word in own or is_nearly_frequent(word) for word in longer)
    return 2 * known >= len(longer)


def _is_side_in_two(one: str, other: str) -> bool:
    """Whether two words are one side with a space inside: "le ft"."""
    return one + other in _SWAPPED and one not in _SWAPPED and other not in _SWAPPED


@lru_cache(maxsize=100_000)
def _looks_misspelt(word: str) -> bool:
    """Whether a word may be a side with slips of the pen, or a compound we do not know."""
    if word in _SWAPPED or word in _OTHER_WORDS:
        return False
    if word in _SOUNDS or "left" in word or "right" in word:
        return True
    nearest = min(_slips(word, side) for side in ("left", "right", "leftmost", "rightmost"))
    if nearest < 2 or is_frequent(word):
        return nearest < 2
    shortened = any(_slips(word, side) == 1 for side in ("lft", "rgt"))
    return nearest == 2 or shortened or _SLIP_INSIDE.search(word) is not None


def _slips(word: str, other: str) -> int:
    """How many letters were added, lost or replaced, or changed places with their neighbours.

    References:
        The optimal string alignment distance (a restricted Damerau-Levenshtein distance).
    """
    before, row = [0] * (len(other) + 1), [*range(len(other) + 1)]
    for i, a in enumerate(word):
        before, last, row = row, before, [i + 1]
        for j, b in enumerate(other):
            best = min(before[j] + (a != b), before[j + 1] + 1, row[j] + 1)
            if i and j and (a, word[i - 1]) == (other[j - 1], b):
                best = min(best, last[j - 1] + 1)
            row.append(best)
    return row[-1]

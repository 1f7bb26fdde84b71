"""Horizontal flips that keep sentences true: left becomes right in the words too."""

import re
from dataclasses import replace

import numpy as np

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

# Words near to "left" or "right" in spelling that mean something else.
_OTHER_WORDS = frozenset(
    {
        "light", "lights", "night", "nights", "knight", "sight", "sights", "fight", "fights",
        "might", "tight", "tights", "eight", "eighth", "wright", "bright", "brighter", "brightest",
        "brightly", "brightness", "lift", "lifts", "loft", "lofts", "deft", "weft", "cleft",
        "theft", "lest", "upright", "uprights", "copyright", "alright", "playwright", "outright",
        "rights",
    }
)  # fmt: skip

_SIDE = "(?:left|right|lft|rt)"

# Sentences that a mirror makes false, or of which one cannot tell.
_UNSAFE = re.compile(
    "|".join(
        (
            # Clocks, compass, sense of rotation, sides of a vehicle or ship: their sense is fixed.
            r"\bo ?'? ?clock\b|\b(?:counter|anti)?-?clockwise\b",
            r"\b(?:north|south)?-?(?:east|west)(?:ern|wards?|erly)?\b",
            r"\bport ?side\b|\bstarboard\b|\b(?:driver|passenger)'?s?'? ?side\b",
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


def swap_left_right(expression: str) -> str | None:
    """The sentence that says of the mirrored image what this one says of the image.

    Where one cannot be sure of that, there is none: the sentence names a clock, lettering, a
    compass direction or an order that is read from the left without saying so; its "right" may mean
    "directly" or its "left" "remaining"; a word may be a misspelt left or right. Giving up too
    often costs a few flips; a wrong sentence would teach the network to ignore sides.

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
    lower = expression.lower().replace("’", "'")
    words = _LETTERS.findall(lower)
    if _UNSAFE.search(lower) or any(map(_looks_misspelt, words)):
        return None
    names_side = any(word in _SWAPPED for word in words)
    if _ORDINAL.search(lower) and not names_side and not _FROM.search(lower):
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


def _looks_misspelt(word: str) -> bool:
    """Whether a word may be a side with one slip of the pen, or a compound we do not know."""
    if word in _SWAPPED or word in _OTHER_WORDS:
        return False
    if "left" in word or "right" in word:
        return True
    return any(_one_slip(word, side) for side in ("left", "right", "leftmost", "rightmost"))


def _one_slip(word: str, other: str) -> bool:
    """Whether one letter was added, lost or replaced, or two neighbours changed places."""
    letters = enumerate(zip(word, other, strict=False))
    same = next((i for i, (a, b) in letters if a != b), min(len(word), len(other)))
    rest, other_rest = word[same:], other[same:]
    return (
        rest[1:] == other_rest
        or rest == other_rest[1:]
        or rest[1:] == other_rest[1:]
        or (rest[1::-1] == other_rest[:2] and rest[2:] == other_rest[2:])
    )

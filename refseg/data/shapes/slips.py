"""Typing errors as people make them."""

from functools import cache
from random import Random

from refseg.data.shapes.words import vocabulary

_SHORTEST = 4


def slip(random: Random, sentence: str) -> str:
    """Make one slip in a sentence: swapped, lost or doubled letters, or a lost article.

    A slip never makes another word of the vocabulary and never leaves two words to choose from.
    Where none is possible, the sentence stays as it is.

    Example:
        >>> slip(Random(0), "the red triangle")
        'the red tirangle'
    """
    words = sentence.split()
    if random.random() < 0.2 and "the" in words:
        words.remove("the")
        return " ".join(words)
    places = [place for place, word in enumerate(words) if len(word) >= _SHORTEST]
    if places:
        place = random.choice(places)
        choices = [slipped for slipped in slips_of(words[place]) if _origins()[slipped] == 1]
        if choices:
            words[place] = random.choice(choices)
    return " ".join(words)


@cache
def slips_of(word: str) -> tuple[str, ...]:
    """All slips of one word, in a fixed order.

    Example:
        >>> slips_of("star")
        ('sar', 'satr', 'sta', 'staar', 'starr', 'str', 'stra', 'sttar')
    """
    swapped = [
        word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        for place in range(1, len(word) - 1)
    ]
    lost = [word[:place] + word[place + 1 :] for place in range(1, len(word))]
    doubled = [word[:place] + word[place] + word[place:] for place in range(1, len(word))]
    return tuple(sorted({*swapped, *lost, *doubled} - {word}))


@cache
def _origins() -> dict[str, int]:
    """Of how many words of the vocabulary each text is a slip (a word itself is its own)."""
    known = vocabulary()
    origins: dict[str, int] = {}
    for word in sorted(known):
        for text in (word, *(slips_of(word) if len(word) >= _SHORTEST else ())):
            origins[text] = origins.get(text, 0) + 1
    return origins

"""Slips look like slips and can be undone."""

from random import Random

import pytest

from refseg.data.shapes.slips import slip, slips_of
from refseg.data.shapes.words import vocabulary

SENTENCE = "the second large purple triangle from the left that is not striped"


def distance(first: str, second: str) -> int:
    """Damerau–Levenshtein distance with adjacent swaps (optimal string alignment)."""
    rows = [
        [max(a, b) if 0 in (a, b) else 0 for b in range(len(second) + 1)]
        for a in range(len(first) + 1)
    ]
    for a in range(1, len(first) + 1):
        for b in range(1, len(second) + 1):
            same = first[a - 1] == second[b - 1]
            rows[a][b] = min(
                rows[a - 1][b] + 1, rows[a][b - 1] + 1, rows[a - 1][b - 1] + (not same)
            )
            if a > 1 and b > 1 and first[a - 2 : a] == second[b - 2 : b][::-1]:
                rows[a][b] = min(rows[a][b], rows[a - 2][b - 2] + 1)
    return rows[-1][-1]


def test_a_slip_changes_one_word_a_little_or_loses_an_article() -> None:
    known, lost, typed = vocabulary(), 0, set()
    for seed in range(300):
        words = slip(Random(seed), SENTENCE).split()
        if len(words) < len(SENTENCE.split()):
            lost += 1
            assert words == SENTENCE.split()[1:]
            continue
        changed = [pair for pair in zip(SENTENCE.split(), words, strict=True) if pair[0] != pair[1]]
        assert len(changed) == 1
        meant, wrote = changed[0]
        assert wrote not in known
        near = [word for word in known if distance(word, wrote) <= 1]
        assert meant in near
        typed.add(wrote)
    assert 20 < lost < 120
    assert len(typed) > 30


@pytest.mark.parametrize("word", ["left", "striped", "bottommost"])
def test_slips_of_a_word_are_one_edit_away_and_keep_its_first_letter(word: str) -> None:
    for wrote in slips_of(word):
        assert wrote[0] == word[0]
        assert distance(word, wrote) == 1


def test_what_cannot_slip_stays() -> None:
    assert {slip(Random(seed), "red box") for seed in range(50)} == {"red box"}

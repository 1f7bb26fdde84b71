"""Which images are drawn."""

import pytest

from refseg.data.references import References
from refseg.data.sampling import choose_images, with_words
from refseg.errors import DataError

from .tables import table


@pytest.fixture(scope="module")
def references() -> References:
    return table(
        [
            {"image_id": 1, "reference_id": 1, "expression": "Left dog"},
            {"image_id": 2, "reference_id": 2, "expression": "the leftmost café"},
            {"image_id": 1, "reference_id": 1, "expression": "brown one"},
            {"image_id": 1, "reference_id": 3, "expression": "cat (black)"},
            {"image_id": 3, "reference_id": 4, "expression": "next to the left"},
            {"image_id": 4, "reference_id": 5, "expression": "लाल किताब"},
        ]
    )


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        ("left", [0, 4]),
        ("LEFT", [0, 4]),
        ("café", [1]),
        ("CAFE\u0301", [1]),
        ("किताब", [5]),
        ("next to", [4]),
        ("(black)", [3]),
        ("the", [1, 4]),
    ],
)
def test_whole_words(words: str | None, rows: list[int], references: References) -> None:
    assert with_words(references, words).nonzero()[0].tolist() == rows


def test_a_letter_without_its_marks_is_another_word(references: References) -> None:
    with pytest.raises(DataError, match="No expression"):
        with_words(references, "क")
    with pytest.raises(DataError, match="No expression"):
        with_words(references, "कत")


def test_a_word_that_is_nowhere(references: References) -> None:
    with pytest.raises(DataError, match=r"No expression of hand \(made\).*'lefft'.*left"):
        with_words(references, "lefft")


def test_all_sentences_of_the_objects_that_match(references: References) -> None:
    chosen = choose_images(references, with_words(references, "left"), count=9, seed=0)
    assert chosen.matching == 2
    assert sorted(rows.tolist() for rows in chosen.images) == [[0, 2], [4]]


def test_the_seed_decides(references: References) -> None:
    found = with_words(references, None)
    drawn = {
        seed: [rows.tolist() for rows in choose_images(references, found, 2, seed).images]
        for seed in range(8)
    }
    again = choose_images(references, found, 2, 5).images
    assert [rows.tolist() for rows in again] == drawn[5]
    assert all(len(images) == 2 and images[0] != images[1] for images in drawn.values())
    assert len({str(images) for images in drawn.values()}) > 2

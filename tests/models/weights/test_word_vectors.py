"""Vectors of words from files as they are published, and what is said of damaged ones."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from refseg.errors import ConfigError
from refseg.models.weights.word_vectors import read_word_vectors, vector_length

LINES = "the 0.5 -1 2e-1\n, 1 2 3\nRed 4 5 6\nred 7 8 9\n. . . 1 1 1\nthe 0 0 0\ncafé 3 2 1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text(LINES, encoding="utf-8")
    return path


def test_words_that_are_asked_for(path: Path) -> None:
    vectors, found = read_word_vectors(path, ["", "red", "the", "blue", "café", ". . .", "the"])
    assert found.tolist() == [False, True, True, False, True, True, True]
    expected = [[0, 0, 0], [7, 8, 9], [0.5, -1, 0.2], [0, 0, 0], [3, 2, 1], [1, 1, 1]]
    torch.testing.assert_close(vectors, torch.tensor([*expected, expected[2]]))


def test_files_as_they_are_published(path: Path, tmp_path: Path) -> None:
    """Compressed, several in one archive, with a first line of counts, spaces at the ends."""
    content = path.read_bytes()
    with gzip.open(tmp_path / "vectors.txt.gz", "wb") as file:
        file.write(content)
    single, several = tmp_path / "single.zip", tmp_path / "several.zip"
    with zipfile.ZipFile(single, "w") as archive:
        archive.writestr("vectors.txt", content)
    with zipfile.ZipFile(several, "w") as archive:
        archive.writestr("50/vectors.txt", b"the 1\n")
        archive.writestr("300/vectors.txt", content)
    counted = tmp_path / "vectors.vec"
    counted.write_bytes(b"7 3\n" + content.replace(b"\n", b" \n"))
    expected, found = read_word_vectors(path, ["red", "the", "blue"])
    published = (
        tmp_path / "vectors.txt.gz",
        single,
        several / "300" / "vectors.txt",
        counted,
        str(path),
    )
    for one in published:
        assert vector_length(one) == 3
        again, known = read_word_vectors(one, ["red", "the", "blue"])
        assert again.equal(expected)
        assert known.equal(found)
    with pytest.raises(ConfigError, match=r"one file in .*several\.zip, got 2; .*/50/vectors\.txt"):
        vector_length(several)
    with pytest.raises(ConfigError, match=r"Cannot read the word vectors in .*no item named"):
        vector_length(several / "10" / "vectors.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the 1 2\nred 1\n", r"Line 2 of .*vectors\.txt has 1 numbers, and the first one has 2"),
        ("the 1 2\nred 1 2 3\n", "Line 2 of .* has 3 numbers, and the first one has 2"),
        ("the 1 2\n\nred 1 2\n", "Line 2 of .* has 0 numbers"),
        ("the 1 2\nred 1 two\n", r"Cannot read line 2 of .*; expected a word .* got 'red 1 two'"),
        ("the 1 2\nred 1 nan\n", "Cannot read line 2 of"),
        ("the\n", "Cannot read line 1 of"),
        ("", "Cannot read line 1 of"),
        ("\x00\x01 \x02 \x03", "Cannot read line 1 of"),
    ],
)
def test_damaged_files_are_named_with_their_line(
    content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_word_vectors(path, ["red"])


@pytest.mark.parametrize("name", ["absent.txt", "vectors.txt.gz", "vectors.zip", "."])
def test_what_is_no_such_file(name: str, tmp_path: Path) -> None:
    for damaged in ("vectors.txt.gz", "vectors.zip"):
        (tmp_path / damaged).write_text(LINES)
    with pytest.raises(ConfigError, match="Cannot read the word vectors in"):
        read_word_vectors(tmp_path / name, ["red"])


def test_gloves_own_vectors(shared: Path) -> None:
    """As numpy reads its first lines."""
    path = shared / "weights" / "glove_6b_50d_60k.txt"
    with path.open(encoding="utf-8") as file:
        lines = [next(file).split(" ") for _ in range(500)]
    words = [line[0] for line in lines]
    vectors, found = read_word_vectors(path, words)
    assert found.all()
    np.testing.assert_array_equal(vectors, np.array([line[1:] for line in lines]).astype("f4"))

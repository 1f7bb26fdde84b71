"""The original's reading of sentences, against what its own code gave."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refseg.data.tokenizers import OriginalTokenizer, WordTokenizer, tokenizer_from_state
from refseg.data.tokenizers.original import split_as_original
from refseg.errors import ConfigError, DataError

Facts = dict[str, Any]


@pytest.fixture(scope="module")
def text(shared: Path) -> Facts:
    return json.loads((shared / "parity" / "text.json").read_text(encoding="utf-8"))


def vocabulary_file(path: Path, facts: Facts) -> Path:
    """A file in which the words that the fixture knows have their lines; the rest is filled up."""
    lines = [f"unused{number}" for number in range(facts["lines"])]
    for word, number in facts["words"].items() | facts["special"].items():
        if number is not None:
            lines[number] = word
    for word, numbers in facts["duplicates_word_to_lines_last_wins"].items():
        for number in numbers:
            lines[number] = word
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(params=["referit", "gref"])
def named(request: pytest.FixtureRequest, text: Facts, tmp_path: Path) -> tuple[str, Path]:
    return request.param, vocabulary_file(tmp_path / "words.txt", text["vocab"][request.param])


def test_tokens_and_ids_equal_the_originals(text: Facts, named: tuple[str, Path]) -> None:
    name, path = named
    tokenizer = OriginalTokenizer(path)
    assert tokenizer.vocab_size == text["vocab"][name]["lines"]
    longer = OriginalTokenizer(path, max_words=1000)
    read = 0
    for case in text["cases"]:
        sentence = case["sentence"]
        if "error" in case:
            with pytest.raises(DataError, match="has no word"):
                tokenizer.encode([sentence])
            continue
        assert split_as_original(sentence) == case["tokens"]
        ids, token_mask = longer.encode([sentence])
        assert ids[token_mask].tolist() == case[name]["ids"]
        ids, token_mask = tokenizer.encode([sentence])
        known = ids[token_mask].tolist()
        assert [0] * (20 - len(known)) + known == case[name]["ids20"]
        read += 1
    assert read == len(text["cases"]) - 2


def test_a_batch_is_padded_on_the_right(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("<pad>\n<go>\n<eos>\n<unk>\nred\r\nred\nbox")  # the last line of a word counts
    tokenizer = OriginalTokenizer(path, max_words=3)
    tokens, token_mask = tokenizer.encode(["red box", ".", "a red box, left"])
    np.testing.assert_array_equal(tokens, [[5, 6, 0], [0, 0, 0], [3, 5, 6]])
    np.testing.assert_array_equal(token_mask.sum(1), [2, 0, 3])
    assert tokenizer.encode(["."])[0].shape == (1, 1)
    assert tokenizer.unknown_words("a red box, left") == ["a"]  # the first three are read
    assert tokenizer.lengths(["a red box, left", "red.", ".", " "]).tolist() == [5, 1, 0, 0]
    longer = OriginalTokenizer(path)
    assert longer.vocabulary() == ["<pad>", "<go>", "<eos>", "<unk>", "red", "red", "box"]
    assert longer.unknown_words("a red box, left") == ["a", ", ", "left"]
    assert longer.knows_any_word("a red box")
    assert not longer.knows_any_word("left, left")


def test_state_needs_no_file(named: tuple[str, Path]) -> None:
    tokenizer = OriginalTokenizer(named[1], max_words=7)
    again = tokenizer_from_state(json.loads(json.dumps(tokenizer.state_dict())))
    assert type(again) is OriginalTokenizer
    assert again.state_dict() == tokenizer.state_dict()
    for one, other in zip(again.encode(["the man."]), tokenizer.encode(["the man."]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_documented_differences_to_the_sound_default(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("<pad>\n<unk>\n")
    original, sound = OriginalTokenizer(path), WordTokenizer()
    for sentence, theirs, ours in [
        ("a man, left", ["a", "man", ", ", "left"], ["a", "man", "left"]),
        ("dog's 2nd", ["dog", "'", "s", "2nd"], ["dog", "'s", "2", "nd"]),
        ("café", ["caf", "é"], ["café"]),
    ]:
        assert original.words(sentence) == theirs
        assert sound.words(sentence) == ours


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\n", r"Expected one word per line in the vocabulary .*words\.txt.*got 'a' first"),
        (b"", "'<pad>' first"),
        (b"<pad>\na\n", "'<unk>' among them"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (None, r"Cannot read the vocabulary .*words\.txt \(No such file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        OriginalTokenizer(path)


def test_without_a_vocabulary() -> None:
    with pytest.raises(ConfigError, match="has no vocabulary"):
        OriginalTokenizer().encode(["red"])

"""Vocabularies, padding, and states that need nothing else."""

import io
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from refseg.data.tokenizers import (
    Tokenizer,
    TransformersTokenizer,
    WordTokenizer,
    normalize_text,
    split_words,
    tokenizer_from_state,
)
from refseg.data.tokenizers.cuts import describe_cuts
from refseg.errors import CheckpointError, ConfigError, DataError

TRAINING = ["the red box", "The box on the LEFT", "the man's café"]


@pytest.fixture
def words() -> WordTokenizer:
    tokenizer = WordTokenizer()
    tokenizer.build(TRAINING)
    return tokenizer


def test_the_vocabulary_has_the_word_of_each_id(words: WordTokenizer) -> None:
    vocabulary = words.vocabulary()
    assert len(vocabulary) == words.vocab_size
    assert vocabulary[:2] == ["", ""]
    tokens, token_mask = words.encode(TRAINING)
    for sentence, row, is_word in zip(TRAINING, tokens, token_mask, strict=True):
        assert [vocabulary[number] for number in row[is_word]] == split_words(sentence)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("dog's bowl", ["dog", "'s", "bowl"]),
        ("dog’s bowl", ["dog", "'s", "bowl"]),
        ("the 'red' one, #12!", ["the", "red", "one", "12"]),
        ("2nd_from-left", ["2", "nd", "from", "left"]),
        ("  Ça va?  ", ["ça", "va"]),
        ("...", []),
        ("", []),
        # Each letter with its marks, whatever the script; as `regex` cuts at the spaces.
        ("लाल कप, बाईं ओर", ["लाल", "कप", "बाईं", "ओर"]),
        ("แก้วสีแดง ทางซ้าย", ["แก้วสีแดง", "ทางซ้าย"]),
        ("சிவப்பு கோப்பை", ["சிவப்பு", "கோப்பை"]),
        ("כֶּלֶב אָדוֹם", ["כֶּלֶב", "אָדוֹם"]),
        ("كَلْبٌ أَحْمَرُ.", ["كَلْبٌ", "أَحْمَرُ"]),
        ("می\u200cخواهم کتاب\u200c", ["می\u200cخواهم", "کتاب"]),  # a joiner, and a stray one
        ("İstanbul'da", ["i\u0307stanbul", "'da"]),
        ("Maße, Masse", ["maße", "masse"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("le\u00adft-hand", ["left", "hand"]),  # a soft hyphen is not seen
        ("½ m², 2️⃣", ["½", "m²", "2"]),
    ],
)
def test_split_words(expression: str, expected: list[str]) -> None:
    assert split_words(expression) == expected


BEFORE = re.compile(r"[^\W\d_]+|(?<=[^\W\d_])'[^\W\d_]+|\d+")
"""How sentences were cut when the first checkpoints were written."""


@given(st.text(st.characters(codec="ascii")))
def test_plain_english_is_cut_as_ever(expression: str) -> None:
    """The ids in old checkpoints go on to mean the same words."""
    assert split_words(expression) == BEFORE.findall(expression.lower())


@given(st.text())
def test_one_text_has_one_spelling(expression: str) -> None:
    """However Unicode writes a letter with its marks: as one character or as several."""
    forms = {form: split_words(unicodedata.normalize(form, expression)) for form in ("NFC", "NFD")}
    assert forms["NFC"] == forms["NFD"] == split_words(expression)


WORDS = st.text(
    st.characters(categories=["L", "M"]).filter(lambda character: character.lower() == character),
    min_size=1,
).map(lambda text: unicodedata.normalize("NFC", "a" + text))


@given(WORDS, WORDS)
def test_two_words_never_become_one(one: str, other: str) -> None:
    assert (split_words(one) == split_words(other)) == (one == other)


@given(st.text(st.characters(exclude_categories=["M", "C"])))
def test_no_letter_and_no_number_is_lost(expression: str) -> None:
    """By the categories of Unicode's database in Python, which the cutting does not use."""
    kept = "".join(split_words(expression)).replace("'", "")
    there = [c for c in normalize_text(expression) if unicodedata.category(c)[0] in "LNM"]
    assert kept == "".join(there)  # the dot of İ is a mark


def test_frequent_words_come_first_and_ties_in_alphabetical_order(words: WordTokenizer) -> None:
    assert words.state_dict()["words"] == ["the", "box", "'s", "café", "left", "man", "on", "red"]
    assert words.vocab_size == 10


def test_min_count() -> None:
    tokenizer = WordTokenizer(min_count=2)
    tokenizer.build(TRAINING)
    assert tokenizer.state_dict()["words"] == ["the", "box"]
    with pytest.raises(DataError, match="No word occurs 9 times in the training split"):
        WordTokenizer(min_count=9).build(TRAINING)


def test_pads_on_the_right_and_cuts() -> None:
    tokenizer = WordTokenizer(max_words=4)
    tokenizer.build(TRAINING)
    tokens, token_mask = tokenizer.encode(["red box", "the the the the the the", "unheard of"])
    np.testing.assert_array_equal(tokens, [[9, 3, 0, 0], [2, 2, 2, 2], [1, 1, 0, 0]])
    np.testing.assert_array_equal(token_mask.sum(1), [2, 4, 2])


def test_unknown_words(words: WordTokenizer) -> None:
    assert words.unknown_words("The purple box, Sir") == ["purple", "sir"]


def test_only_what_is_read_is_unknown() -> None:
    tokenizer = WordTokenizer(max_words=3)
    tokenizer.build(TRAINING)
    long = "the red box purple sir"
    assert tokenizer.unknown_words(long) == []
    assert tokenizer.knows_any_word(long)
    assert not tokenizer.knows_any_word("a b c the red")
    assert tokenizer.lengths([long, "", "dog's"]).tolist() == [5, 0, 2]


def test_what_is_cut_off_is_told() -> None:
    tokenizer = WordTokenizer(max_words=3)
    assert describe_cuts(tokenizer, ["the red box", ""]) is None
    assert describe_cuts(tokenizer, []) is None
    line = describe_cuts(tokenizer, ["the red box", "a b c d", "a b c d e"])
    assert line is not None
    assert line.startswith("The longest sentence of 3 has 5 words, and the tokenizer reads 3:")
    assert "of 2 sentences is cut off" in line
    assert line.endswith("--data.tokenizer WordTokenizer --data.tokenizer.max_words 5.")


@pytest.mark.parametrize("expression", ["", "  ", "...", "?!"])
def test_no_word_at_all_is_an_error(words: WordTokenizer, expression: str) -> None:
    with pytest.raises(DataError) as caught:
        words.encode(["red", expression])
    assert f"The expression {expression!r} has no word" in str(caught.value)


def test_nothing_to_encode(words: WordTokenizer) -> None:
    tokens, token_mask = words.encode([])
    assert tokens.shape == token_mask.shape == (0, 0)


def test_no_vocabulary_yet() -> None:
    with pytest.raises(ConfigError, match="no vocabulary yet"):
        WordTokenizer().encode(["red"])
    with pytest.raises(ConfigError, match="max_words of at least 1, got 0"):
        WordTokenizer(max_words=0)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_padding_marks_exactly_the_words(expressions: list[str]) -> None:
    tokenizer = WordTokenizer(max_words=3)
    tokenizer.build(["a", *expressions])
    with_words = [expression for expression in expressions if split_words(expression)]
    tokens, token_mask = tokenizer.encode(with_words)
    assert token_mask.sum(1).tolist() == [min(3, len(split_words(e))) for e in with_words]
    np.testing.assert_array_equal(token_mask, np.sort(token_mask, 1)[:, ::-1])
    assert (tokens[token_mask] > 1).all()
    assert tokens.max(initial=0) < tokenizer.vocab_size


def saved_and_loaded(state: dict[str, Any]) -> dict[str, Any]:
    """Through a file that is opened as a checkpoint is."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def assert_same(one: Tokenizer, other: Tokenizer) -> None:
    assert type(one) is type(other)
    assert one.vocab_size == other.vocab_size
    expressions = ["the red box", "a box on the far left of the man's café", "zyx 12"]
    for a, b in zip(one.encode(expressions), other.encode(expressions), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.state_dict() == other.state_dict()


def test_state_of_words(words: WordTokenizer) -> None:
    assert_same(words, tokenizer_from_state(saved_and_loaded(words.state_dict())))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny tokenizer in BERT's manner, saved as the transformers library does."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = "[PAD] [UNK] [CLS] [SEP] the red box on far left of man ' s a caf ##é b ##ox 1 ##2"
    vocabulary = {piece: number for number, piece in enumerate(pieces.split())}
    backend = Backend(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    path = tmp_path_factory.mktemp("tokenizer")
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        padding_side="left",
    ).save_pretrained(path)
    return path


def test_transformers_encodes_and_pads_on_the_right(folder: Path) -> None:
    tokenizer = TransformersTokenizer(str(folder), max_words=6)
    assert not tokenizer.needs_building
    tokenizer.build(["words that it does not know"])
    assert tokenizer.vocab_size == 21
    tokens, token_mask = tokenizer.encode(["Red café", "the red box on the far left"])
    np.testing.assert_array_equal(tokens, [[2, 5, 15, 16, 3, 0], [2, 4, 5, 6, 7, 3]])
    np.testing.assert_array_equal(token_mask.sum(1), [5, 6])
    assert tokenizer.encode([])[0].shape == (0, 0)


def test_transformers_ids_stand_for_pieces(folder: Path) -> None:
    with pytest.raises(ConfigError, match="ids stand for words, got TransformersTokenizer"):
        TransformersTokenizer(str(folder)).vocabulary()


def test_transformers_unknown_words(folder: Path) -> None:
    tokenizer = TransformersTokenizer(str(folder))
    assert tokenizer.unknown_words("the zebra on 12") == ["zebra"]
    assert tokenizer.unknown_words("Zebra. the İgel") == ["zebra", "i\u0307gel"]
    assert tokenizer.knows_any_word("the zebra")
    assert not tokenizer.knows_any_word("zebra qwerty")
    with pytest.raises(DataError, match=r"The expression '\.\.\.' has no word"):
        tokenizer.encode(["..."])


def test_transformers_reads_as_many_pieces_as_it_says(folder: Path) -> None:
    tokenizer = TransformersTokenizer(str(folder), max_words=5)
    long = "the red box zebra"
    state = tokenizer.state_dict()
    assert tokenizer.lengths([long, "the red box"]).tolist() == [6, 5]
    assert tokenizer.state_dict() == state
    assert tokenizer.unknown_words(long) == []
    assert describe_cuts(tokenizer, ["the red box"]) is None
    assert "has 6 pieces of words, and the tokenizer reads 5" in (
        describe_cuts(tokenizer, [long]) or ""
    )
    assert not tokenizer.knows_any_word("zebra qwerty pizza the")


def test_transformers_state_needs_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = TransformersTokenizer(str(folder), max_words=9)
    state = saved_and_loaded(tokenizer.state_dict())
    state["name"] = "/nowhere"
    restored = tokenizer_from_state(state)
    restored.name = str(folder)  # type: ignore[attr-defined]  # to compare the states
    assert_same(tokenizer, restored)


def test_transformers_keeps_further_special_tokens(folder: Path, tmp_path: Path) -> None:
    """Transformers 4 calls their list `additional_special_tokens`, 5 calls it otherwise."""
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(folder))
    theirs.add_special_tokens({"additional_special_tokens": ["<seg>", "<box>"]})
    theirs.save_pretrained(tmp_path)
    tokenizer = TransformersTokenizer(str(tmp_path), max_words=9)
    state = saved_and_loaded(tokenizer.state_dict())
    restored = tokenizer_from_state({**state, "name": "/nowhere"})
    for read in (tokenizer, restored):
        np.testing.assert_array_equal(read.encode(["the <seg> box"])[0], [[2, 4, 21, 6, 3]])
    assert restored.vocab_size == tokenizer.vocab_size == 23
    assert restored.state_dict() == {**tokenizer.state_dict(), "name": "/nowhere"}


def test_transformers_of_a_folder_without_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot load the tokenizer '.*nowhere'") as caught:
        _ = TransformersTokenizer(str(tmp_path / "nowhere")).vocab_size
    assert "\n" not in str(caught.value)


def test_state_of_something_else(words: WordTokenizer) -> None:
    with pytest.raises(CheckpointError, match=r"of class 'os\.system'; known are .*WordTokenizer"):
        tokenizer_from_state({"class": "os.system"})
    with pytest.raises(CheckpointError, match="of class None"):
        tokenizer_from_state({})
    incomplete = words.state_dict()
    del incomplete["words"]
    with pytest.raises(CheckpointError, match="the checkpoint's WordTokenizer is incomplete"):
        tokenizer_from_state(incomplete)

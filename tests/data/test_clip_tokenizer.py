"""Token ids of CLIP's tokenizer against those of CRIS's own code."""

import gzip
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from refseg.data import TransformersTokenizer
from refseg.errors import DataError

START, END = "<|startoftext|>", "<|endoftext|>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer as on the hub, from the list of merges that the package open_clip has."""
    transformers = pytest.importorskip("transformers")
    package = importlib.util.find_spec("open_clip")
    if package is None or package.origin is None:
        pytest.skip("the package open_clip, which has CLIP's vocabulary, is absent")
    packed = Path(package.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines()
    merges = lines[1 : 49152 - 256 - 2 + 1]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - 188)]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters)]
    pieces += ["".join(merge.split()) for merge in merges] + [START, END]
    folder = tmp_path_factory.mktemp("clip")
    ids = {piece: number for number, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    transformers.CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("words", [17, 22])
def test_ids_are_those_of_cris(words: int, folder: Path, shared: Path) -> None:
    """Those of the sentence; what follows its end is padding, which has no ids of its own here.

    With `clean`, which mends HTML's signs and curly quotes as CLIP's code does.
    """
    fixture = json.loads((shared / "parity" / "modern" / "cris_text.json").read_text())
    tokenizer = TransformersTokenizer(str(folder), max_words=words, clean=True)
    assert tokenizer.vocab_size == fixture["facts"]["vocabulary"]
    wrong = {}
    for row in fixture["rows"]:
        if not any(map(str.isalnum, row["text"])):  # refseg asks for a word
            with pytest.raises(DataError, match="has no word"):
                tokenizer.encode([row["text"]])
            continue
        tokens, token_mask = tokenizer.encode([row["text"]])
        expected = np.array(row[f"ids{words}"])
        length = int(expected.argmax()) + 1  # the end of a sentence has the highest id
        found = tokens[0][token_mask[0]].tolist()
        if found != expected[:length].tolist():
            wrong[row["text"]] = found, expected[:length].tolist()
    assert wrong == {}


def test_what_web_pages_leave_is_mended_where_it_is_asked_for(folder: Path) -> None:
    plain = TransformersTokenizer(str(folder))
    mending = TransformersTokenizer(str(folder), clean=True)
    again = TransformersTokenizer.from_state(mending.state_dict())
    for found in (mending, again):
        assert found.encode(["couch&#39;s “arm”"])[0].tolist() == (
            plain.encode(['couch\'s "arm"'])[0].tolist()
        )
        assert found.lengths(["couch&amp;#39;s"]).tolist() == plain.lengths(["couch's"]).tolist()
    assert plain.encode(["couch&#39;s"])[0].shape[1] > mending.encode(["couch&#39;s"])[0].shape[1]

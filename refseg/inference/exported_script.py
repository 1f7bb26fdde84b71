"""Segment a photograph: python segment.py PHOTO "SENTENCE" ["SENTENCE" ...].

Needs numpy, Pillow and onnxruntime alone (and tokenizers, for a tokenizer of pieces of words).
"""

import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps


def words(sentence: str) -> list[str]:
    """Words and numbers in lower case, without punctuation; `dog's` is two, `dog` and `'s`."""
    text = unicodedata.normalize("NFC", re.sub("[\u00ad\u2060\ufeff]", "", sentence)).lower()
    text = unicodedata.normalize("NFC", text.replace("\u2019", "'"))
    return re.findall(r"[^\W\d_]+|(?<=[^\W\d_])'[^\W\d_]+|\d+", text)


def encode(sentences: list[str], tokenizer: dict[str, Any]) -> dict[str, np.ndarray]:
    """Token ids, padded on the right, and True where a token is."""
    most, padding = tokenizer["max_words"], 0
    if tokenizer["class"] == "WordTokenizer":
        known = {word: number for number, word in enumerate(tokenizer["words"], start=2)}
        ids = [[known.get(word, 1) for word in words(text)[:most]] for text in sentences]
    else:
        from tokenizers import Tokenizer

        pieces = Tokenizer.from_str(tokenizer["serialised"])
        pieces.no_padding()
        pieces.enable_truncation(most)
        ids = [encoding.ids for encoding in pieces.encode_batch(sentences)]
        padding = pieces.token_to_id(tokenizer["special_tokens"]["pad_token"]) or 0
    if not all(ids):
        sys.exit("A sentence has no word; give at least one word or number.")
    longest = max(map(len, ids))
    tokens = np.array([row + [padding] * (longest - len(row)) for row in ids], np.int64)
    token_mask = np.arange(longest) < np.array([[len(row)] for row in ids])
    return {"tokens": tokens, "token_mask": token_mask}


def run(path: Path, **inputs: np.ndarray) -> list[np.ndarray]:
    """What a graph answers; it is given those of the inputs that it has."""
    from onnxruntime import InferenceSession

    graph = InferenceSession(path)
    return graph.run(None, {each.name: inputs[each.name] for each in graph.get_inputs()})


def segment(photo: str, sentences: list[str], folder: Path) -> np.ndarray:
    """A boolean mask for each sentence, in the photograph's own size."""
    described = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    image = np.asarray(ImageOps.exif_transpose(Image.open(photo)).convert("RGB"))
    (images,) = run(folder / "letterbox.onnx", image=image)
    maps = run(folder / "features.onnx", images=images)
    given = {f"map_{number}": each for number, each in enumerate(maps)}
    given |= encode(sentences, described["tokenizer"])
    given["image_index"] = np.zeros(len(sentences), np.int64)
    (logits,) = run(folder / "logits.onnx", **given)
    return run(folder / "own_size.onnx", logits=logits, image=image)[0]


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    masks = segment(sys.argv[1], sys.argv[2:], Path(__file__).parent)
    for number, (sentence, mask) in enumerate(zip(sys.argv[2:], masks, strict=True), start=1):
        path = Path(f"{Path(sys.argv[1]).stem}-mask-{number}.png")
        Image.fromarray(mask).save(path)
        print(f"{sentence}: {mask.mean():.1%} of the image, {path}")

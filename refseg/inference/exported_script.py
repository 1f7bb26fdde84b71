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


def resize(values: np.ndarray, height: int, width: int, shrinks: bool = False) -> np.ndarray:
    """Bilinear; where it shrinks, the mean of the area that a pixel covers, if `shrinks`."""
    shares = []
    for old, new in zip(values.shape, (height, width), strict=False):
        edges, pixels = np.arange(new + 1)[:, None] * old / new, np.arange(old)
        if shrinks and new < old:
            share = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
            shares.append(share.clip(0) * new / old)
        else:
            centres = ((edges[1:] + edges[:-1]) / 2 - 0.5).clip(0, old - 1)
            shares.append((1 - abs(centres - pixels)).clip(0))
    return np.einsum("hy,yx...,wx->hw...", shares[0], values, shares[1], optimize=True)


def scaled(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Averaged where an image shrinks, bilinear where it grows: rounded after either, as refseg."""
    smaller = min(pixels.shape[0], height), min(pixels.shape[1], width)
    return np.rint(resize(np.rint(resize(pixels, *smaller, shrinks=True)), height, width))


def words(sentence: str) -> list[str]:
    """Words and numbers in lower case, without punctuation; `dog's` is two, `dog` and `'s`."""
    text = unicodedata.normalize("NFC", re.sub("[\u00ad\u2060\ufeff]", "", sentence)).lower()
    text = unicodedata.normalize("NFC", text.replace("\u2019", "'"))
    return re.findall(r"[^\W\d_]+|(?<=[^\W\d_])'[^\W\d_]+|\d+", text)


def encode(sentences: list[str], tokenizer: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
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
    token_mask = np.arange(max(map(len, ids))) < np.array([[len(row)] for row in ids])
    tokens = np.full(token_mask.shape, padding, np.int64)
    tokens[token_mask] = [token for row in ids for token in row]
    return tokens, token_mask


def segment(photo: str, sentences: list[str], folder: Path) -> list[np.ndarray]:
    """A boolean mask for each sentence, in the photograph's own size."""
    from onnxruntime import InferenceSession

    described = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    fitted, size = described["image"], described["image"]["size"]
    image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    height, width = size, size
    if fitted["fit"] == "letterbox":
        scale = min(size / image.height, size / image.width)
        height, width = (max(1, round(side * scale)) for side in (image.height, image.width))
    top, left = (size - height) // 2, (size - width) // 2
    inside = slice(top, top + height), slice(left, left + width)
    square = np.full((size, size, 3), fitted["fill"], np.uint8)
    if fitted["resampling"] == "pillow":
        square[inside] = image.resize((width, height), Image.Resampling.BILINEAR)
    else:
        square[inside] = scaled(np.asarray(image), height, width)
    maps = InferenceSession(folder / "features.onnx").run(
        None, {"images": square.transpose(2, 0, 1)[None]}
    )
    given = {f"map_{number}": each for number, each in enumerate(maps)}
    given["tokens"], given["token_mask"] = encode(sentences, described["tokenizer"])
    given["image_index"] = np.zeros(len(sentences), np.int64)
    graph = InferenceSession(folder / "logits.onnx")
    heard = {each.name for each in graph.get_inputs()}
    (logits,) = graph.run(None, {name: each for name, each in given.items() if name in heard})
    return [resize(one[inside], image.height, image.width) > 0 for one in logits]


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    masks = segment(sys.argv[1], sys.argv[2:], Path(__file__).parent)
    for number, (sentence, mask) in enumerate(zip(sys.argv[2:], masks, strict=True), start=1):
        path = Path(f"{Path(sys.argv[1]).stem}-mask-{number}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(path)
        print(f"{sentence}: {mask.mean():.1%} of the image, {path}")

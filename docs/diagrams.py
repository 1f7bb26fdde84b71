"""Draws the pictures of fusions.md when the site is built: `<!-- diagram: NAME -->` becomes SVG.

A picture is a list of boxes on a grid and the arrows between them. It stands in the page itself, so
that it follows the page's colours, light or dark.
"""

import re
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT, GAP_X, GAP_Y = 138, 44, 26, 20


class Box(NamedTuple):
    """A box of a picture.

    Args:
        column: from the left, from 0.
        row: from the top, from 0; halves are allowed.
        text: one or two lines.
        kind: `image`, `words`, `fusion` or `result`: its colour.
    """

    column: float
    row: float
    text: str
    kind: str


class Diagram(NamedTuple):
    """A picture.

    Args:
        title: what it shows, for those who do not see it.
        boxes: by their names.
        arrows: `a b, b c` for an arrow from a to b and one from b to c.
    """

    title: str
    boxes: dict[str, Box]
    arrows: str


IMAGE = Box(0, 0, "map of the image\nonce per image", "image")
WORDS = Box(0, 2, "words", "words")
SENTENCE = Box(0, 2, "sentence vector", "words")

DIAGRAMS = {
    "path": Diagram(
        "Image and sentence pass through backbone and text encoder, meet in the fusion, and the "
        "decoder makes the mask.",
        {
            "image": Box(0, 0, "image", "image"),
            "backbone": Box(1, 0, "backbone\nstem, stages, neck", "image"),
            "text": Box(0, 2, "sentence", "words"),
            "encoder": Box(1, 2, "text encoder\nwords, sentence", "words"),
            "fusion": Box(2, 1, "fusion", "fusion"),
            "decoder": Box(3, 1, "decoder", "fusion"),
            "mask": Box(4, 1, "mask", "result"),
        },
        "image backbone, text encoder, backbone fusion, encoder fusion, fusion decoder, "
        "decoder mask",
    ),
    "concat": Diagram(
        "The sentence vector is tiled over the image, joined with its cells, and convolved.",
        {
            "image": IMAGE,
            "where": Box(0, 1, "coordinates", "image"),
            "text": SENTENCE,
            "tile": Box(1, 2, "tile over all cells", "fusion"),
            "join": Box(2, 1, "join channels", "fusion"),
            "mix": Box(3, 1, "1×1 convolution\nReLU", "fusion"),
            "out": Box(4, 1, "fused map", "result"),
        },
        "image join, where join, text tile, tile join, join mix, mix out",
    ),
    "mlstm": Diagram(
        "In every cell an LSTM reads image, coordinates and one word after the other; after the "
        "last word its state is the fused map.",
        {
            "image": IMAGE,
            "where": Box(0, 1, "coordinates", "image"),
            "text": Box(0, 2, "word t and\nits LSTM's state", "words"),
            "cell": Box(2, 1, "LSTM in each cell\nshared weights", "fusion"),
            "back": Box(2, 2.4, "state after\nthe word before", "fusion"),
            "atanh": Box(3, 1, "ReLU(atanh(state))\nafter the last word", "fusion"),
            "out": Box(4, 1, "fused map", "result"),
        },
        "image cell, where cell, text cell, back cell, cell atanh, atanh out",
    ),
    "filters": Diagram(
        "Each word makes filters; their responses on the image join image and word, and an LSTM "
        "in every cell reads on.",
        {
            "image": IMAGE,
            "text": Box(0, 2, "word t", "words"),
            "filters": Box(1, 1, "K filters\nsigmoid", "fusion"),
            "response": Box(2, 1, "K responses", "fusion"),
            "mix": Box(3, 1, "1×1 convolution", "fusion"),
            "cell": Box(4, 1, "LSTM in each cell\nlast state", "result"),
        },
        "text filters, filters response, image response, response mix, image mix, text mix, "
        "mix cell",
    ),
    "film": Diagram(
        "The sentence scales and shifts the channels inside of a residual block.",
        {
            "image": IMAGE,
            "text": SENTENCE,
            "gamma": Box(1, 2, "scale γ, shift β\nlinear layers", "fusion"),
            "conv": Box(1, 0, "two convolutions\nnorm", "fusion"),
            "film": Box(2, 1, "γ · x + β, ReLU", "fusion"),
            "add": Box(3, 1, "+ input\nseveral blocks", "fusion"),
            "out": Box(4, 1, "fused map", "result"),
        },
        "image conv, text gamma, conv film, gamma film, film add, add out",
    ),
    "attention": Diagram(
        "The cells are queries, the words are keys and values.",
        {
            "image": IMAGE,
            "text": WORDS,
            "query": Box(1, 0, "queries: cells", "fusion"),
            "key": Box(1, 2, "keys, values: words", "fusion"),
            "attend": Box(2, 1, "attention\n+ cell, LayerNorm", "fusion"),
            "mlp": Box(3, 1, "MLP\n+ cell, LayerNorm", "fusion"),
            "out": Box(4, 1, "fused map", "result"),
        },
        "image query, text key, query attend, key attend, attend mlp, mlp out",
    ),
    "lavt": Diagram(
        "After a stage of the backbone its cells ask the words; the answer goes to the decoder, "
        "and through a gate to the next stage.",
        {
            "stage": Box(0, 0, "stage i\nof the backbone", "image"),
            "next": Box(4, 0, "stage i + 1", "image"),
            "text": WORDS,
            "ask": Box(1, 1, "pixel-word attention", "fusion"),
            "gate": Box(2, 1, "gate\ntanh(MLP)", "fusion"),
            "add": Box(3, 0, "+", "fusion"),
            "out": Box(2, 2, "map i\nof the decoder", "result"),
        },
        "stage ask, text ask, ask gate, gate add, stage add, add next, ask out",
    ),
    "cris": Diagram(
        "A neck merges three maps with the sentence; cells ask each other and the words; the "
        "sentence makes the kernel that the result is convolved with.",
        {
            "image": Box(0, 0, "maps of 3 strides\nonce per image", "image"),
            "sentence": Box(0, 1, "sentence vector", "words"),
            "text": WORDS,
            "neck": Box(1, 0, "neck: merged maps\n× sentence", "fusion"),
            "cells": Box(2, 1, "ask cells, words\nMLP; 3 layers", "fusion"),
            "kernel": Box(2, 2.2, "3×3 kernel, bias", "fusion"),
            "convolve": Box(3, 1, "convolve\nenlarged map", "fusion"),
            "out": Box(4, 1, "logits", "result"),
        },
        "image neck, sentence neck, neck cells, text cells, sentence kernel, cells convolve, "
        "kernel convolve, convolve out",
    ),
    "rela": Diagram(
        "Regions look at the image, hear the words and look at each other; their masks, weighted "
        "by whether they are meant, add up.",
        {
            "image": Box(0, 0, "maps that\nheard words", "image"),
            "text": WORDS,
            "regions": Box(0, 1, "10 × 10 regions\nlearned", "fusion"),
            "look": Box(1, 1, "look, hear words,\nask each other", "fusion"),
            "mask": Box(2, 0, "mask of each region", "fusion"),
            "meant": Box(2, 1, "is it meant?\n(minimap)", "fusion"),
            "none": Box(2, 2, "is nothing meant?", "fusion"),
            "sum": Box(3, 0.5, "weighted sum", "fusion"),
            "out": Box(4, 1, "logits, or none\nif nothing is", "result"),
        },
        "image look, text look, regions look, look mask, look meant, look none, mask sum, "
        "meant sum, sum out, none out",
    ),
    "sam": Diagram(
        "Sentence and words become prompt tokens of SAM's mask decoder; a fused map may be its "
        "dense prompt.",
        {
            "image": Box(0, 0, "SAM's encoder\nfrozen", "image"),
            "text": Box(0, 2, "sentence, words", "words"),
            "tokens": Box(1, 2, "prompt tokens\nlinear layers", "fusion"),
            "dense": Box(1, 1, "fusion (optional)\ndense prompt", "fusion"),
            "decoder": Box(3, 1, "SAM's mask decoder", "fusion"),
            "out": Box(4, 1, "logits", "result"),
        },
        "image decoder, text tokens, tokens decoder, image dense, text dense, dense decoder, "
        "decoder out",
    ),
    "pyramid": Diagram(
        "On each map of the backbone the sentence scales channels and the cells ask the words.",
        {
            "image": Box(0, 0, "each map\nonce per image", "image"),
            "sentence": Box(0, 1, "sentence vector", "words"),
            "text": WORDS,
            "film": Box(1, 0.5, "(1 + g) x + b, ReLU", "fusion"),
            "ask": Box(1, 2, "pixel-word attention", "fusion"),
            "add": Box(2, 1, "+", "fusion"),
            "norm": Box(3, 1, "LayerNorm", "fusion"),
            "out": Box(4, 1, "fused map\nof each scale", "result"),
        },
        "image film, sentence film, image ask, text ask, film add, ask add, add norm, norm out",
    ),
}


def draw(name: str) -> str:
    """The picture of that name as SVG."""
    diagram = DIAGRAMS[name]
    columns = max(box.column for box in diagram.boxes.values())
    rows = max(box.row for box in diagram.boxes.values())
    width = int((columns + 1) * WIDTH + columns * GAP_X + 4)
    height = int((rows + 1) * HEIGHT + rows * GAP_Y + 4)
    shapes = [
        _arrow(diagram.boxes, f"#{name}-head", *arrow.split())
        for arrow in diagram.arrows.split(", ")
    ]
    shapes += [_box(box) for box in diagram.boxes.values()]
    return (
        f'<div class="diagram"><svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(diagram.title)}"><defs><marker id="{name}-head" viewBox="0 0 8 8" '
        'refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker>'
        f"</defs>{''.join(shapes)}</svg></div>"
    )


def _corner(box: Box) -> tuple[float, float]:
    return 2 + box.column * (WIDTH + GAP_X), 2 + box.row * (HEIGHT + GAP_Y)


def _box(box: Box) -> str:
    x, y = _corner(box)
    lines = box.text.split("\n")
    middle = y + HEIGHT / 2 + 4 - 7.5 * (len(lines) - 1)
    texts = "".join(
        f'<text x="{x + WIDTH / 2:g}" y="{middle + 15 * number:g}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    rectangle = f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
    return f'<g class="{box.kind}">{rectangle}{texts}</g>'


def _arrow(boxes: dict[str, Box], head: str, start: str, end: str) -> str:
    """From the right edge to the left one; between boxes of one column, from edge to edge."""
    one, other = boxes[start], boxes[end]
    (x1, y1), (x2, y2) = _corner(one), _corner(other)
    if one.column == other.column:
        down = y2 > y1
        x = x1 + WIDTH / 2
        y1, y2 = (y1 + HEIGHT, y2) if down else (y1, y2 + HEIGHT)
        return f'<path class="arrow" marker-end="url({head})" d="M{x:g} {y1:g}L{x:g} {y2:g}"/>'
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT / 2, y2 + HEIGHT / 2
    bend = GAP_X / 2
    far = x2 - bend
    return (
        f'<path class="arrow" marker-end="url({head})" d="M{x1:g} {y1:g}L{far - bend:g} {y1:g}'
        f'C{far:g} {y1:g} {far - bend:g} {y2:g} {x2:g} {y2:g}"/>'
    )


def on_page_markdown(markdown: str, **_: object) -> str:
    """What mkdocs calls with each page before it is made."""
    return re.sub(r"<!-- diagram: (\w+) -->", lambda found: draw(found.group(1)), markdown)

"""Photographs of the usual size, made by code, and a data set's table of them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from refseg.benchmarks.full_size import WORDS
from refseg.data import References
from refseg.data.schema import SCHEMA
from refseg.masks import encode_box

HEIGHT, WIDTH = 480, 640
"""Of most photographs of COCO, pixels."""

PER_OBJECT = 3  # expressions
_COARSE = 16  # pixels of what is smooth
_NOISE = 6.0  # of 255: a file of a hundred kilobytes, as a photograph's


def generated_photos(folder: Path, images: int, expressions: int) -> References:
    """Write JPEG files, and make the table of their expressions, three for each object.

    Args:
        folder: for the files.
        images: number of them.
        expressions: number of them; at least one for each image.
    """
    generator = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(images)]
    for path in paths:
        _photo(generator).save(path, quality=90)
    ids = np.arange(expressions)
    image = ids * images // expressions
    things = ids // PER_OBJECT
    left, top = generator.integers(0, 300, (2, expressions))[:, things].tolist()
    boxes = [
        encode_box(x, y, x + 200, y + 150, HEIGHT, WIDTH) for x, y in zip(left, top, strict=True)
    ]
    texts = [" ".join(generator.choice(WORDS, 3)) for _ in range(expressions)]
    columns = {
        "source": ["generated"] * expressions,
        "expression_id": ids,
        "reference_id": things,
        "annotation_ids": things[:, None].tolist(),
        "category_ids": [[1]] * expressions,
        "image_id": image,
        "split": ["train"] * expressions,
        "expression": texts,
        "raw": texts,
        "image_path": [str(paths[number]) for number in image],
        "height": [HEIGHT] * expressions,
        "width": [WIDTH] * expressions,
        "rle": [box.counts for box in boxes],
        "mask_kind": ["mask"] * expressions,
        "category": ["thing"] * expressions,
    }
    arrays = {name: pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names}
    return References(pa.table(arrays, SCHEMA))


def _photo(generator: np.random.Generator) -> Image.Image:
    size = HEIGHT // _COARSE, WIDTH // _COARSE, 3
    coarse = Image.fromarray(generator.integers(0, 256, size, np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32)
    pixels = smooth + generator.normal(0, _NOISE, smooth.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

"""A batch of one generated picture with logits, and the table of the data set that it is from."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float

from refseg.data import References
from refseg.data.collation import stack_images
from refseg.data.schema import SCHEMA
from refseg.geometry import Geometry
from refseg.masks import encode
from refseg.types import Batch, RunLengths

HEIGHT, WIDTH, SIDE = 480, 640, 320
PER_OBJECT = 3  # expressions
SPLIT = "val"
_TEXTS = ("the ellipse on the left", "red ellipse", "small one next to the other", "ellipse")


def synthetic_batch(
    expressions: int, height: int = HEIGHT, width: int = WIDTH, side: int = SIDE
) -> tuple[Batch, Float[torch.Tensor, " expressions size size"]]:
    """An image with ellipses, three expressions for each, and logits that nearly find them.

    Args:
        expressions: number of them.
        height: of the image, pixels.
        width: of the image, pixels.
        side: of the network's square, pixels.
    """
    generator = np.random.default_rng(0)
    geometry = Geometry.letterbox(height, width, side)
    truths: list[RunLengths] = []
    logits = []
    for _ in range(-(-expressions // 3)):
        y, x, radius = generator.uniform(0.3, 0.7), generator.uniform(0.3, 0.7), 0.2
        truths += [encode(_distance(height, width, y, x) < radius)] * 3
        away = _distance(side, side, 0.5 + (y - 0.5) * height / width, x + 0.02)
        logits += [torch.from_numpy((radius - away) * 40).float()] * 3
    batch = Batch(
        images=stack_images([np.zeros((side, side, 3), np.uint8)]),
        tokens=torch.zeros(expressions, 1, dtype=torch.int64),
        token_mask=torch.ones(expressions, 1, dtype=torch.bool),
        image_index=torch.zeros(expressions, dtype=torch.int64),
        masks=None,
        expressions=("ellipse",) * expressions,
        expression_ids=tuple(range(expressions)),
        truths=tuple(truths[:expressions]),
        geometries=(geometry,),
        image_paths=("generated",),
    )
    return batch, torch.stack(logits[:expressions])


def generated_references(batch: Batch, repeats: int) -> References:
    """The table of a data set whose pictures are all as one batch; ids are counted up from 0.

    Args:
        batch: of one picture, as `synthetic_batch` makes it.
        repeats: pictures.
    """
    parts = list(_parts(batch, repeats))
    return References(pa.concat_tables([pa.table(part, SCHEMA) for part in parts]))


def _parts(batch: Batch, repeats: int, pictures: int = 256) -> Iterator[dict[str, pa.Array]]:
    """Columns of some pictures at a time: the lists of all would take as much memory as a run."""
    count = len(batch)
    for first in range(0, repeats, pictures):
        image = np.arange(first, min(repeats, first + pictures)).repeat(count)
        ids = np.arange(first * count, first * count + len(image))
        place = ids % count
        thing = image * count + place // PER_OBJECT
        masks = [batch.truths[number].counts for number in place]
        texts = [_TEXTS[number % len(_TEXTS)] for number in ids]
        columns = {
            "source": ["generated"] * len(ids),
            "expression_id": ids,
            "reference_id": thing,
            "annotation_ids": thing[:, None].tolist(),
            "category_ids": [[1]] * len(ids),
            "image_id": image,
            "split": [SPLIT] * len(ids),
            "expression": texts,
            "raw": texts,
            "image_path": [f"{number}.jpg" for number in image],
            "height": [batch.geometries[0].height] * len(ids),
            "width": [batch.geometries[0].width] * len(ids),
            "rle": masks,
            "mask_kind": ["mask"] * len(ids),
            "category": ["ellipse"] * len(ids),
        }
        yield {name: pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names}


def _distance(height: int, width: int, y: float, x: float) -> Float[np.ndarray, " rows columns"]:
    rows, columns = np.mgrid[:height, :width]
    return np.hypot((rows + 0.5) / height - y, (columns + 0.5) / width - x)

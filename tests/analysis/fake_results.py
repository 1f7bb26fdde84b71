"""Results of runs as `refseg test` writes them, drawn at random with known properties."""

import numpy as np
import pyarrow as pa

from refseg.evaluation.results import RESULTS_SCHEMA

CATEGORIES = ("person", "dog", "cup")
HEIGHT, WIDTH = 100, 200
PIXELS = HEIGHT * WIDTH


def make_results(**columns: object) -> pa.Table:
    """Results from some columns; the others get values that fit.

    IoU follows from intersection and union.
    """
    count = len(columns["intersection"])  # type: ignore[arg-type]  # tests name sequences
    rows = range(count)
    intersection = np.array(columns["intersection"], np.int64)
    union = np.array(columns["union"], np.int64)
    area = np.array(columns.get("area", union), np.int64)
    iou = np.where(union > 0, intersection / np.maximum(union, 1), 1.0)
    filled: dict[str, object] = {
        "expression_id": list(rows),
        "reference_id": list(rows),
        "annotation_ids": [[row] for row in rows],
        "image_id": list(rows),
        "source": ["shapes (shapes)"] * count,
        "split": ["val"] * count,
        "expression": [f"thing {row}" for row in rows],
        "image_path": [f"/data/{image}.png" for image in columns.get("image_id", rows)],
        "area": area,
        "predicted_area": intersection,
        "iou": iou,
        "score": [0.5] * count,
        "words": [2] * count,
        "category": ["dog"] * count,
        "category_ids": [[1]] * count,
        "object_size": area / PIXELS,
        "distractors": [0] * count,
        **{f"{kind}_words": [False] * count for kind in ("position", "attribute", "relation")},
        "mask_kind": ["mask"] * count,
        "height": [HEIGHT] * count,
        "width": [WIDTH] * count,
        **columns,
        "intersection": intersection,
        "union": union,
    }
    arrays = [
        pa.array(filled[field.name], pa.string()).dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else pa.array(filled[field.name], field.type)
        for field in RESULTS_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, names=RESULTS_SCHEMA.names).cast(RESULTS_SCHEMA)


def draw_results(
    images: int = 60,
    seed: int = 0,
    skill: float = 0.0,
    small_skill: float = 0.0,
    noise: int = 0,
    split: str = "val",
) -> pa.Table:
    """Results of a model on some images, with 1 to 5 expressions each.

    Args:
        images: how many.
        seed: of the images; the same images have the same difficulty for every model.
        skill: of the model, in logits of IoU.
        small_skill: added where the object is below 3 % of the image.
        noise: seed of the model.
        split: name of the split.
    """
    world, model = np.random.default_rng(seed), np.random.default_rng([seed, noise, 1])
    image = np.repeat(np.arange(images), world.integers(1, 6, images))
    count = len(image)
    share = np.exp(world.normal(-3.2, 0.8, count)).clip(0.002, 0.6)
    hardness = world.normal(0, 0.7, images)[image] + world.normal(0, 0.7, count)
    area = np.rint(share * PIXELS).astype(np.int64)
    words = world.integers(1, 13, count)
    kinds = world.random((3, count)) < 0.4
    distractors = world.integers(0, 6, count)
    category = np.array(CATEGORIES)[world.integers(0, len(CATEGORIES), count)]
    logit = skill + small_skill * (share < 0.03) - hardness + model.normal(0, 0.5, count)
    iou = 1 / (1 + np.exp(-logit))
    union = np.rint(area * (1 + 0.5 * (1 - iou))).astype(np.int64)
    return make_results(
        intersection=np.minimum(np.rint(union * iou).astype(np.int64), area),
        union=union,
        area=area,
        image_id=image,
        words=words,
        distractors=distractors,
        category=category.tolist(),
        position_words=kinds[0],
        attribute_words=kinds[1],
        relation_words=kinds[2],
        split=[split] * count,
        expression=[" ".join(["thing"] * int(number)) for number in words],
    )

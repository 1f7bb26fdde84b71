"""Predicted masks in COCO's format, as run lengths or as polygons."""

from collections.abc import Iterable
from typing import Any, Literal

from pycocotools import mask as coco

from refseg.inference.many import Segmented
from refseg.inference.polygons import polygons_of
from refseg.masks import decode
from refseg.types import RunLengths


def coco_content(
    found: Iterable[Segmented], masks_as: Literal["run_lengths", "polygons"]
) -> dict[str, Any]:
    """The content of an `instances.json`: an annotation for each expression.

    Beside COCO's own keys, an annotation has its `expression` and the `score` of its mask. A mask
    without any pixel has the area 0, a box of no size, and no polygons.

    Args:
        found: masks of images; those without any are left out.
        masks_as: COCO's compressed run lengths, or polygons along the edges of pixels.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for each in found:
        if not each.masks:
            continue
        size = next(iter(each.masks.values())).mask
        images.append(
            {
                "id": len(images) + 1,
                "file_name": each.request.name,
                "height": size.height,
                "width": size.width,
            }
        )
        for expression, kept in each.masks.items():
            annotation = {
                "id": len(annotations) + 1,
                "image_id": len(images),
                "category_id": 1,
                "expression": expression,
                "score": round(kept.score, 6),
                "iscrowd": 0,
            }
            annotations.append(annotation | _shape(kept.mask, masks_as))
    categories = [{"id": 1, "name": "object"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def _shape(mask: RunLengths, masks_as: Literal["run_lengths", "polygons"]) -> dict[str, Any]:
    rle = {"size": [mask.height, mask.width], "counts": mask.counts}
    left, top, width, height = (int(value) for value in coco.toBbox(rle).tolist())
    segmentation: object = {**rle, "counts": mask.counts.decode("ascii")}
    if masks_as == "polygons":
        segmentation = polygons_of(decode(mask))
    return {
        "segmentation": segmentation,
        "area": int(coco.area(rle)),
        "bbox": [left, top, width, height],
    }

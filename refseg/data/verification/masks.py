"""Checks that masks can be read, fit their image, and have the published area."""

import math
from typing import NamedTuple

import numpy as np

from refseg.data.objects import Objects
from refseg.data.references import References
from refseg.data.statistics import first_rows
from refseg.data.verification.findings import Finding
from refseg.errors import DataError
from refseg.masks import area
from refseg.types import RunLengths

RIM = 3.0
PART = 0.02
"""A published area may differ from the mask's by `PART` of it plus `RIM` times its square root.

COCO computes the areas of polygons exactly, while a mask has whole pixels, so that they differ
along the rim, which grows with the square root of the area. Over 1,188 objects of COCO, the
difference was at most 1.0 times the square root.
"""


class CheckedMasks(NamedTuple):
    """The result of checking the masks of a data set.

    Args:
        masks: how many references have a segmentation.
        boxes: how many have a filled box in place of one.
        without_object: how many name nothing.
        compared: how many areas were compared with published ones.
        findings: what is wrong.
    """

    masks: int
    boxes: int
    without_object: int
    compared: int
    findings: tuple[Finding, ...]


def check_masks(references: References, objects: Objects | None) -> CheckedMasks:
    """Check the mask of each reference.

    Args:
        references: all splits.
        objects: with the published areas, or None where there are none.
    """
    published = {}
    if objects is not None:
        published = dict(zip(objects.annotation_ids.tolist(), objects.areas.tolist(), strict=True))
    names = ["reference_id", "annotation_ids", "mask_kind", "height", "width"]
    table = references.table.take(first_rows(references))
    codes = table["rle"].combine_chunks().indices.to_pylist() if len(table) else []
    values = table["rle"].combine_chunks().dictionary if len(table) else []
    found: dict[tuple[int, int, int], int | str] = {}
    findings: list[Finding] = []
    kinds = {"mask": 0, "box": 0, "none": 0}
    compared = 0
    for code, row in zip(codes, table.select(names).to_pylist(), strict=True):
        key = (code, row["height"], row["width"])
        if key not in found:
            found[key] = _area(RunLengths(row["height"], row["width"], values[code].as_py()))
        annotations = row["annotation_ids"]
        kinds[row["mask_kind"] if annotations else "none"] += 1
        record = f"ref_id {row['reference_id']}"
        if annotations:
            record += f", ann_id {', '.join(map(str, annotations))}"
        expected = [published.get(number, math.nan) for number in annotations]
        if row["mask_kind"] == "box" or not annotations or not np.isfinite(expected).all():
            expected = []
        finding = _check(record, found[key], bool(annotations), expected)
        compared += bool(expected)
        if finding is not None:
            findings.append(finding)
    return CheckedMasks(kinds["mask"], kinds["box"], kinds["none"], compared, tuple(findings))


def _check(
    record: str, pixels: int | str, names_something: bool, published: list[float]
) -> Finding | None:
    if isinstance(pixels, str):
        return Finding("mask damaged", record, pixels)
    if names_something and not pixels:
        return Finding("mask empty", record, "Expected a mask of at least one pixel, found none.")
    if not published:
        return None
    # Several objects may overlap, so that their union has at least the area of the largest one and
    # at most the sum.
    least, most = max(published), sum(published)
    if least - _tolerance(least) <= pixels <= most + _tolerance(most):
        return None
    said = f"{most:,.0f}" if len(published) == 1 else f"between {least:,.0f} and {most:,.0f}"
    return Finding(
        "mask area",
        record,
        f"Expected {said} pixels as the annotations say, found {pixels:,}.",
    )


def _tolerance(area: float) -> float:
    return PART * area + RIM * math.sqrt(area)


def _area(run_lengths: RunLengths) -> int | str:
    try:
        return area(run_lengths)
    except DataError as error:
        return str(error)

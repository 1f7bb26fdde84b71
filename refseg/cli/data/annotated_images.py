"""From rows of the table to an image of a contact sheet."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from refseg.data.images import read_image
from refseg.data.references import References
from refseg.errors import DataError
from refseg.masks import decode
from refseg.visualization.contact_sheet import OBJECT_COLORS, AnnotatedImage, NamedObject

_MOST_SENTENCES = 5


def annotated_image(
    references: References,
    rows: Int64[np.ndarray, " image_rows"],
    found: Bool[np.ndarray, " rows"],
) -> AnnotatedImage:
    """An image with what is named in it, the sentences of one mask together.

    Args:
        references: the data set.
        rows: those of one image.
        found: which rows of the data set were looked for; the others are shown in grey.

    Raises:
        DataError: a mask cannot be read.
    """
    names = ["expression", "reference_id", "image_path", "mask_kind"]
    records = references.table.select(names).take(rows).to_pylist()
    groups: dict[object, list[int]] = {}
    for place, row in enumerate(rows.tolist()):
        groups.setdefault(references.truth(row), []).append(place)
    shown = list(groups.items())[: len(OBJECT_COLORS)]
    path = Path(records[0]["image_path"])
    truth = references.truth(int(rows[0]))
    objects = [
        _object(references, rows[places], [records[place] for place in places], found)
        for _, places in shown
    ]
    try:
        image = read_image(path, (truth.height, truth.width))
    except DataError:  # the others are worth looking at; `refseg data verify` says what is wrong
        image = None
    ids = dict.fromkeys(records[place]["reference_id"] for _, places in shown for place in places)
    name = f"{path.name}  ·  ref_id {', '.join(map(str, ids))}"
    return AnnotatedImage(image, objects, name, len(groups) - len(shown))


def _object(
    references: References,
    rows: Int64[np.ndarray, " object_rows"],
    records: list[dict[str, str]],
    found: Bool[np.ndarray, " rows"],
) -> NamedObject:
    # Those that were looked for come first: they must not be cut off.
    order = np.argsort(~found[rows], kind="stable").tolist()
    sentences = [records[place]["expression"] for place in order[:_MOST_SENTENCES]]
    marked = found[rows[order[:_MOST_SENTENCES]]].tolist()
    if len(order) > _MOST_SENTENCES:
        sentences.append(f"… and {len(order) - _MOST_SENTENCES} more")
        marked.append(False)
    mask = decode(references.truth(int(rows[0])))
    return NamedObject(sentences, mask, records[0]["mask_kind"] == "box", marked)

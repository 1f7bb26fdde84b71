"""COCO's `instances.json`, whose annotations have a `caption` or an `expression`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from refseg.data.label_tools.labelled import SENTENCES, LabelledObject, sentences
from refseg.data.readers.records import BadRecords, get
from refseg.errors import DataError
from refseg.masks import empty, encode_segmentation


def read_labels(
    content: Mapping[str, object], path: Path, bad: BadRecords
) -> Iterator[LabelledObject]:
    """The objects of a file in COCO's format.

    What is said of an annotation stands under `expression`, `expressions`, `caption` or `captions`,
    as a text or a list of texts; in the annotation itself or in its `attributes`, where CVAT puts
    it. Its name of a category comes from `categories`.

    An empty segmentation is that of a box, as tools write it, unless the annotation has the area 0:
    then its sentence names nothing. So do run lengths without any pixel, with the area 0.

    Args:
        content: of the file.
        path: of the file, for messages.
        bad: what becomes of bad records.

    Raises:
        DataError: a list is missing; names the record.
    """
    images: dict[int, Mapping[str, object]] = {}
    for number, image in enumerate(get(content, "images", list, str(path))):
        with bad.guard():
            images[get(image, "id", int, f"{path}, image number {number}")] = image
    categories = _categories(content)
    for number, annotation in enumerate(get(content, "annotations", list, str(path))):
        with bad.guard():
            yield _labelled(annotation, f"{path}, annotation number {number}", images, categories)


def _categories(content: Mapping[str, object]) -> dict[object, str]:
    listed = content.get("categories")
    return {
        each["id"]: each["name"]
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict)
        and isinstance(each.get("id"), int)
        and isinstance(each.get("name"), str)
    }


def _labelled(
    annotation: object,
    where: str,
    images: Mapping[int, Mapping[str, object]],
    categories: Mapping[object, str],
) -> LabelledObject:
    image_id = get(annotation, "image_id", int, where)
    assert isinstance(annotation, dict)  # `get` has looked
    record = f"{where} (id {annotation['id']})" if "id" in annotation else where
    if image_id not in images:
        raise DataError(f"{record}: there is no image with the id {image_id}.")
    image = images[image_id]
    name = get(image, "file_name", str, f"{record}: its image")
    attributes = annotation.get("attributes")
    told = (annotation, attributes if isinstance(attributes, dict) else {})
    if "segmentation" not in annotation:
        raise DataError(f"{record}: the key 'segmentation' is missing; a box alone is no mask.")
    segmentation = annotation["segmentation"]
    if segmentation == [] and annotation.get("area") != 0:
        raise DataError(
            f"{record}: its segmentation is empty, as that of a box, which is no mask; an "
            "expression that names nothing has the area 0, too."
        )
    height, width = (get(image, key, int, f"{record}: its image") for key in ("height", "width"))
    if isinstance(segmentation, dict) and annotation.get("area") == 0:
        is_empty = encode_segmentation(segmentation, height, width, record) == empty(height, width)
        segmentation = [] if is_empty else segmentation
    category = annotation.get("category_id")
    return LabelledObject(
        record,
        name,
        (name,),
        height,
        width,
        segmentation,
        sentences([each.get(key) for each in told for key in SENTENCES], record),
        categories.get(category) if isinstance(category, int) else None,
    )

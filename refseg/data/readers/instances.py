"""`instances.json` as COCO, REFER and gRefCOCO publish it: images and segmented objects."""

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from refseg.data.readers.coco_json import CocoAnnotation, CocoImage, read_coco, written
from refseg.data.readers.records import BadRecords, get
from refseg.data.readers.segmentations import encode_object
from refseg.errors import DataError
from refseg.types import RunLengths


class InstanceImage(NamedTuple):
    """An image as its record says.

    Args:
        file_name: relative to the folder of images.
        height: pixels.
        width: pixels.
    """

    file_name: str
    height: int
    width: int


class Instance(NamedTuple):
    """A segmented object.

    Args:
        image_id: of the image that it lies on.
        segmentation: polygons or run lengths, as `json` gives them or as they are written.
    """

    image_id: int
    segmentation: object


class Instances:
    """The images and objects of a file, by id; a mask is encoded when it is first asked for.

    Args:
        path: of the file, for messages.
        images: by id.
        annotations: by id.
    """

    def __init__(
        self, path: Path, images: dict[int, InstanceImage], annotations: dict[int, Instance]
    ) -> None:
        self.path, self.images, self.annotations = path, images, annotations
        self._masks: dict[int, RunLengths] = {}

    def image(self, image_id: int, record: str) -> InstanceImage:
        """The image of an id.

        Args:
            image_id: of the file.
            record: which asks for it, for messages.

        Raises:
            DataError: there is none.
        """
        if image_id not in self.images:
            raise DataError(f"{record}: its image_id {image_id} is not in {self.path}.")
        return self.images[image_id]

    def mask(self, annotation_id: int, image_id: int, record: str) -> RunLengths:
        """The mask of an object, in its image's size.

        Args:
            annotation_id: of the object.
            image_id: of the image that it should lie on.
            record: which asks for it, for messages.

        Raises:
            DataError: there is no such object on that image, or its segmentation is damaged or
                covers nothing.
        """
        if annotation_id not in self.annotations:
            raise DataError(f"{record}: its ann_id {annotation_id} is not in {self.path}.")
        image = self.image(image_id, record)
        other, segmentation = self.annotations[annotation_id]
        if other != image_id:
            raise DataError(
                f"{record}: it names image {image_id}, but its annotation {annotation_id} in "
                f"{self.path} lies on image {other}."
            )
        if annotation_id not in self._masks:
            where = f"{record}: annotation {annotation_id} of {self.path}"
            self._masks[annotation_id] = encode_object(
                written(segmentation, where), image.height, image.width, where
            )
        return self._masks[annotation_id]


def read_instances(path: Path, bad: BadRecords) -> Instances:
    """Read `instances.json`.

    Args:
        path: of the file.
        bad: what becomes of a bad record.

    Raises:
        DataError: the file is absent or not complete, a record lacks what belongs to it, two
            different records have the same id, or a file name leads out of the folder of images.
    """
    content = read_coco(path)
    images: dict[int, InstanceImage] = {}
    for position, image in enumerate(content.images):
        record = f"{path}, image number {position}"
        with bad.guard():
            number, found = _image(image, record)
            if images.setdefault(number, found) != found:
                raise DataError(f"{record}: an earlier image has the same id and differs.")
    annotations: dict[int, Instance] = {}
    for position, annotation in enumerate(content.annotations):
        record = f"{path}, annotation number {position}"
        with bad.guard():
            number, segmented = _instance(annotation, record)
            if annotations.setdefault(number, segmented) != segmented:
                raise DataError(f"{record}: an earlier annotation has the same id and differs.")
    return Instances(path, images, annotations)


def _image(image: object, record: str) -> tuple[int, InstanceImage]:
    if isinstance(image, CocoImage):
        name = checked_name(image.file_name, record)
        return image.id, InstanceImage(name, image.height, image.width)
    return get(image, "id", int, record), InstanceImage(
        file_name(image, record),
        get(image, "height", int, record),
        get(image, "width", int, record),
    )


def _instance(annotation: object, record: str) -> tuple[int, Instance]:
    if isinstance(annotation, CocoAnnotation):
        return annotation.id, Instance(annotation.image_id, annotation.segmentation)
    return get(annotation, "id", int, record), Instance(
        get(annotation, "image_id", int, record), get(annotation, "segmentation", object, record)
    )


def file_name(image: object, record: str) -> str:
    """The `file_name` of an image's record.

    Raises:
        DataError: it is missing, is no text, or leads out of the folder of images.
    """
    return checked_name(get(image, "file_name", str, record), record)


def checked_name(name: str, record: str) -> str:
    """The name, if it is one of a file in a folder.

    Raises:
        DataError: it is no text, or leads out of the folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or not path.name:
        raise DataError(f"{record}: its file_name {name[:60]!r} leads out of the folder of images.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{record}: its file_name {name[:60]!r} is no text.") from None
    return name

"""The in-memory index of the published REFER API: the records of a data set by their ids."""

import os.path
from pathlib import Path
from typing import Any, TypeAlias

from refseg.data.readers.coco_json import read_json
from refseg.data.readers.collector import paused_collector
from refseg.data.readers.image_places import find_images
from refseg.data.readers.instances import file_name
from refseg.data.readers.partitions import find_partition
from refseg.data.readers.pickles import load_python2_pickle
from refseg.data.readers.records import as_unicode, get, shown
from refseg.data.readers.refer_records import record_name
from refseg.errors import DataError
from refseg.files import as_path

Record: TypeAlias = dict[str, Any]


class ReferIndex:
    """The attributes of `REFER`, under their published names.

    Args:
        data_root: the folder with the data sets and the images.
        dataset: name of the folder with the annotations, such as `refcoco+`.
        splitBy: who made the splits: `unc`, `google`, `umd` or `berkeley`.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.
    """

    def __init__(
        self, data_root: str | Path, dataset: str = "refcoco", splitBy: str = "unc"
    ) -> None:
        root = as_path(data_root)
        self.ROOT_DIR = os.path.abspath(os.path.dirname(__file__))  # noqa: PTH100, PTH120 - text
        self.DATA_DIR = str(root / dataset)
        self._refs_path, _ = find_partition(root, dataset, splitBy, ("refs(*).p",))
        self._instances_path = root / dataset / "instances.json"
        with paused_collector():
            instances = read_json(self._instances_path)
            self.data: dict[str, Any] = {
                "dataset": dataset,
                "refs": load_python2_pickle(self._refs_path),
            }
            for name in ("images", "annotations", "categories"):
                self.data[name] = get(instances, name, list, str(self._instances_path))
            if not isinstance(self.data["refs"], list):
                raise DataError(
                    f"{self._refs_path}: expected a list of references, got "
                    f"{shown(self.data['refs'])}."
                )
            self.createIndex()
        self.IMAGE_DIR = str(self._image_folder(root, dataset))

    def createIndex(self) -> None:
        """Build the mappings from ids to records, and between records."""
        self._index_instances()
        self.Refs: dict[int, Record] = {}
        self.Sents: dict[int, Record] = {}
        self.imgToRefs: dict[int, list[Record]] = {}
        self.refToAnn: dict[int, Record] = {}
        self.annToRef: dict[int, Record] = {}
        self.catToRefs: dict[int, list[Record]] = {}
        self.sentToRef: dict[int, Record] = {}
        self.sentToTokens: dict[int, list[str]] = {}
        for position, ref in enumerate(self.data["refs"]):
            record = record_name(self._refs_path, ref, position)
            ref_id = get(ref, "ref_id", int, record)
            ann_id = get(ref, "ann_id", int, record)
            get(ref, "split", str, record)
            if ann_id not in self.Anns:
                raise DataError(f"{record}: its ann_id {ann_id} is not in {self._instances_path}.")
            self.Refs[ref_id] = ref
            self.imgToRefs.setdefault(get(ref, "image_id", int, record), []).append(ref)
            self.catToRefs.setdefault(get(ref, "category_id", int, record), []).append(ref)
            self.refToAnn[ref_id] = self.Anns[ann_id]
            self.annToRef[ann_id] = ref
            for sentence in get(ref, "sentences", list, record):
                sent_id = get(sentence, "sent_id", int, record)
                self.Sents[sent_id] = _with_unicode(sentence, record)
                self.sentToRef[sent_id] = ref
                self.sentToTokens[sent_id] = sentence["tokens"]

    def _index_instances(self) -> None:
        path = self._instances_path
        self.Anns: dict[int, Record] = {}
        self.Imgs: dict[int, Record] = {}
        self.Cats: dict[int, str] = {}
        self.imgToAnns: dict[int, list[Record]] = {}
        for position, annotation in enumerate(self.data["annotations"]):
            record = f"{path}, annotation number {position}"
            self.Anns[get(annotation, "id", int, record)] = annotation
            image_id = get(annotation, "image_id", int, record)
            self.imgToAnns.setdefault(image_id, []).append(annotation)
            if "category_id" in annotation:
                get(annotation, "category_id", int, record)
        for position, image in enumerate(self.data["images"]):
            record = f"{path}, image number {position}"
            file_name(image, record)
            self.Imgs[get(image, "id", int, record)] = image
        for position, category in enumerate(self.data["categories"]):
            record = f"{path}, category number {position}"
            self.Cats[get(category, "id", int, record)] = get(category, "name", str, record)

    def _image_folder(self, root: Path, dataset: str) -> Path:
        """Where the images are; without any, where the published class would look for them."""
        try:
            return find_images(root, dataset, (image["file_name"] for image in self.data["images"]))
        except DataError:
            inside = "saiapr_tc-12" if dataset == "refclef" else "mscoco/images/train2014"
            return root / "images" / inside


def _with_unicode(sentence: Record, record: str) -> Record:
    """A sentence whose texts, which Python 2 wrote as bytes, are put right in place."""
    tokens = get(sentence, "tokens", list, record)
    sentence["tokens"] = [as_unicode(token) for token in tokens if isinstance(token, str)]
    for key in ("sent", "raw"):
        if isinstance(text := sentence.get(key), str):
            sentence[key] = as_unicode(text)
    return sentence

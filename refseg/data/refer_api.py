"""The published REFER API, on Python 3: scripts that were written for it run unchanged."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import numpy as np
from jaxtyping import UInt8

from refseg.data.images import read_image
from refseg.data.readers.named_files import image_in
from refseg.data.readers.records import get, shown
from refseg.data.refer_index import Record, ReferIndex
from refseg.errors import DataError
from refseg.masks import decode, encode_segmentation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ids: TypeAlias = int | Iterable[int]


class MaskAndArea(TypedDict):
    """What `getMask` returns: the union of an object's parts, 0 and 1, and its pixels."""

    mask: UInt8[np.ndarray, "height width"]
    area: int


class REFER(ReferIndex):
    """The interface of github.com/lichengunc/refer, with its names, arguments and return types.

    Everything that the published class indexes is here, under the same names: `data` (`dataset`,
    `refs`, `images`, `annotations`, `categories`), `Refs`, `Anns`, `Imgs`, `Cats`, `Sents`,
    `imgToRefs`, `imgToAnns`, `refToAnn`, `annToRef`, `catToRefs`, `sentToRef`, `sentToTokens`,
    `ROOT_DIR`, `DATA_DIR` and `IMAGE_DIR`. Arguments named `…_ids` are one id or a list; none means
    all.

    Unlike the published class, `getMask` returns the union of an object's polygons, not their sum;
    `getAnnIds` applies `ref_ids`, which was computed and then ignored; `getRefIds` accepts
    `image_ids`, which raised an error; results have a fixed order; the pickle is read without
    running what it contains; and bad input is a `DataError` instead of the end of the program.

    Args:
        data_root: the folder with the data sets and the images.
        dataset: name of the folder with the annotations, such as `refcoco+`.
        splitBy: who made the splits: `unc`, `google`, `umd` or `berkeley`.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.

    References:
        Kazemzadeh, Ordonez, Matten, Berg: ReferItGame, EMNLP 2014. Yu, Poirson, Yang, Berg, Berg:
        Modeling Context in Referring Expressions, ECCV 2016. https://github.com/lichengunc/refer
    """

    def getRefIds(
        self, image_ids: Ids = (), cat_ids: Ids = (), ref_ids: Ids = (), split: str = ""
    ) -> list[int]:
        """Ids of the references that satisfy all of the conditions.

        Args:
            image_ids: of their images.
            cat_ids: of their objects' classes.
            ref_ids: of themselves.
            split: with the published meaning: `train` and `val` as they are; `test` is every split
                with "test" in its name; `testA`, `testB` and `testC` are every split with that
                letter in its name, such as `testAB`, while `testAB` is that one alone.

        Raises:
            DataError: no reference has such a split.
        """
        refs = self.data["refs"]
        if images := _listed(image_ids):
            refs = [ref for image_id in images for ref in self.imgToRefs.get(image_id, [])]
        if categories := set(_listed(cat_ids)):
            refs = [ref for ref in refs if ref["category_id"] in categories]
        if wanted := set(_listed(ref_ids)):
            refs = [ref for ref in refs if ref["ref_id"] in wanted]
        if split:
            names = self._splits_of(split)
            refs = [ref for ref in refs if ref["split"] in names]
        return [ref["ref_id"] for ref in refs]

    def getAnnIds(self, image_ids: Ids = (), cat_ids: Ids = (), ref_ids: Ids = ()) -> list[int]:
        """Ids of the objects that satisfy all of the conditions.

        Args:
            image_ids: of their images.
            cat_ids: of their classes.
            ref_ids: of references to them.
        """
        annotations = self.data["annotations"]
        if images := _listed(image_ids):
            annotations = [ann for image_id in images for ann in self.imgToAnns.get(image_id, [])]
        if categories := set(_listed(cat_ids)):
            annotations = [ann for ann in annotations if ann.get("category_id") in categories]
        if references := _listed(ref_ids):
            named = {self.Refs[ref_id]["ann_id"] for ref_id in references}
            annotations = [ann for ann in annotations if ann["id"] in named]
        return [ann["id"] for ann in annotations]

    def getImgIds(self, ref_ids: Ids = ()) -> list[int]:
        """Ids of the images of some references, each once; of all images without references."""
        if references := _listed(ref_ids):
            return list(dict.fromkeys(self.Refs[ref_id]["image_id"] for ref_id in references))
        return list(self.Imgs)

    def getCatIds(self) -> list[int]:
        """Ids of all classes."""
        return list(self.Cats)

    def loadRefs(self, ref_ids: Ids = ()) -> list[Record]:
        """The references of some ids."""
        return [self.Refs[ref_id] for ref_id in _listed(ref_ids)]

    def loadAnns(self, ann_ids: Ids = ()) -> list[Record]:
        """The objects of some ids."""
        return [self.Anns[ann_id] for ann_id in _listed(ann_ids)]

    def loadImgs(self, image_ids: Ids = ()) -> list[Record]:
        """The records of the images of some ids."""
        return [self.Imgs[image_id] for image_id in _listed(image_ids)]

    def loadCats(self, cat_ids: Ids = ()) -> list[str]:
        """The names of the classes of some ids."""
        return [self.Cats[cat_id] for cat_id in _listed(cat_ids)]

    def getRefBox(self, ref_id: int) -> list[int | float]:
        """The box of a reference's object: left, top, width and height, pixels."""
        record = f"{self._instances_path}, annotation {self.refToAnn[ref_id]['id']}"
        box = get(self.refToAnn[ref_id], "bbox", list, record)
        if len(box) != 4 or not set(map(type, box)) <= {int, float}:
            raise DataError(f"{record}: expected a box of four numbers, got {shown(box)}.")
        return box

    def getMask(self, ref: Record) -> MaskAndArea:
        """The mask of a reference's object, and its area in pixels.

        Raises:
            DataError: the segmentation is damaged.
        """
        annotation, image = self.refToAnn[ref["ref_id"]], self._image_of(ref)
        record = f"{self._refs_path}, ref_id {ref['ref_id']}: annotation {annotation['id']}"
        height, width = (get(image, name, int, record) for name in ("height", "width"))
        segmentation = get(annotation, "segmentation", object, record)
        mask = decode(encode_segmentation(segmentation, height, width, record))
        return {"mask": mask.astype(np.uint8), "area": int(mask.sum())}

    def showRef(self, ref: Record, seg_box: str = "seg") -> None:
        """Draw a reference's image with its object into the current axes, and print its sentences.

        Args:
            ref: the reference.
            seg_box: `seg` draws the segmentation, `box` the box.
        """
        from matplotlib import pyplot
        from matplotlib.patches import Rectangle

        axes = pyplot.gca()
        image = self._image_of(ref)
        record = f"{self._refs_path}, ref_id {ref['ref_id']}: its image"
        size = get(image, "height", int, record), get(image, "width", int, record)
        axes.imshow(read_image(image_in(Path(self.IMAGE_DIR), image["file_name"]), size))
        for number, sentence in enumerate(ref["sentences"], start=1):
            print(f"{number}. {sentence['sent']}")
        if seg_box == "seg":
            self._draw_segmentation(axes, ref)
        elif seg_box == "box":
            left, top, width, height = self.getRefBox(ref["ref_id"])
            box = Rectangle((left, top), width, height, fill=False, edgecolor="green", linewidth=3)
            axes.add_patch(box)

    def showMask(self, ref: Record) -> None:
        """Draw the mask of a reference's object into the current axes."""
        from matplotlib import pyplot

        pyplot.gca().imshow(self.getMask(ref)["mask"])

    def _image_of(self, ref: Record) -> Record:
        if ref["image_id"] not in self.Imgs:
            raise DataError(
                f"{self._refs_path}, ref_id {ref['ref_id']}: its image_id {ref['image_id']} is not "
                f"in {self._instances_path}."
            )
        return self.Imgs[ref["image_id"]]

    def _draw_segmentation(self, axes: "Axes", ref: Record) -> None:
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Polygon

        mask = self.getMask(ref)["mask"]  # which refuses a damaged segmentation
        segmentation = self.refToAnn[ref["ref_id"]]["segmentation"]
        if isinstance(segmentation, list) and isinstance(segmentation[0], list):
            outlines = [
                Polygon(np.reshape(polygon, (-1, 2)), closed=True) for polygon in segmentation
            ]
            for color, linewidth in (("yellow", 3), ("red", 1)):
                collection = PatchCollection(
                    outlines, facecolors="none", edgecolors=color, linewidths=linewidth
                )
                axes.add_collection(collection, autolim=False)
        else:
            tint = np.zeros((*mask.shape, 4))
            tint[...] = (2 / 255, 166 / 255, 101 / 255, 0)
            tint[..., 3] = 0.5 * mask
            axes.imshow(tint)

    def _splits_of(self, split: str) -> set[str]:
        names = {ref["split"] for ref in self.data["refs"]}
        if split in ("testA", "testB", "testC"):
            return {name for name in names if split[-1] in name}
        if split == "test":
            return {name for name in names if "test" in name}
        if split not in names | {"train", "val", "testAB", "testBC", "testAC"}:
            raise DataError(
                f"No such split '{split}' in {self._refs_path}; choose one of "
                f"{', '.join(sorted(names))}."
            )
        return {split}


def _listed(ids: Ids) -> list[int]:
    return list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else [ids]

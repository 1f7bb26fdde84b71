"""Photographs with an EXIF orientation are read the way up that their annotations were made."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from refseg.analysis.true_masks import image_of
from refseg.cli.data.annotated_images import annotated_image
from refseg.data.dataset import ReferringDataset, read_annotated_image
from refseg.data.features.digests import ImageDigests, digest_of
from refseg.data.images import image_size, read_image, read_orientation
from refseg.data.orientation import Orientation
from refseg.data.readers import read_references
from refseg.data.references import References
from refseg.data.streaming.shards import open_shards
from refseg.data.streaming.writer import write_shards
from refseg.data.transforms import Transform
from refseg.inference.pipeline import as_pixels

from .fake_folder import write_fake_folder
from .fake_grefcoco import write_fake_grefcoco
from .fake_hub import write_fake_hub
from .fake_phrasecut import write_fake_phrasecut
from .fake_refer import write_fake_refer
from .fake_referit import write_fake_referit

FORMATS: dict[str, Callable[[Path], Path]] = {
    "fake": write_fake_refer,
    "grefcoco": write_fake_grefcoco,
    "referit": write_fake_referit,
    "phrasecut": write_fake_phrasecut,
    "refcoco": write_fake_hub,
    "mine": write_fake_folder,
}
FORMATS_OF_FILES = ["jpg", "png", "tif", "webp"]
# What a camera stores, written out by hand: rows and columns of the upright picture in which order.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],
    7: lambda upright: upright.swapaxes(0, 1)[::-1, ::-1],
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],
}


def scene(height: int, width: int) -> np.ndarray:
    """Four quarters of four colours: no two orientations look alike."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[: height // 2, : width // 2] = (200, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 200, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 200)
    return pixels


def write(path: Path, stored: np.ndarray, number: int) -> None:
    """An image file whose EXIF says a number."""
    exif = Image.Exif()
    exif[0x0112] = number
    quality = {"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {}
    if path.suffix == ".webp":
        quality = {"lossless": True}
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, **quality)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether they show the same, up to what JPEG changes."""
    return one.shape == other.shape and np.abs(one.astype(int) - other).max() < 90


@pytest.mark.parametrize("number", STORED)
def test_the_pictures_stored_by_hand_are_what_pillow_turns_upright(number: int) -> None:
    upright = scene(40, 60)
    image = Image.fromarray(np.ascontiguousarray(STORED[number](upright)))
    image.getexif()[0x0112] = number
    np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(image)), upright)


@pytest.mark.parametrize("number", STORED)
@pytest.mark.parametrize("ending", FORMATS_OF_FILES)
@pytest.mark.parametrize("size", [(40, 60), (48, 48)])
def test_all_orientations(tmp_path: Path, number: int, ending: str, size: tuple[int, int]) -> None:
    upright, path = scene(*size), tmp_path / f"photo.{ending}"
    stored = STORED[number](upright)
    write(path, stored, number)
    assert same(read_image(path), upright)
    assert image_size(path) == size
    assert same(read_image(path, size), upright)
    assert same(as_pixels(path), upright)
    with Image.open(path) as image:
        assert same(as_pixels(image), upright)
    orientation = read_orientation(path)
    assert orientation.stored == stored.shape[:2]
    assert orientation.is_ambiguous == (number != 1 and stored.shape == upright.shape)
    if not orientation.is_ambiguous:
        assert same(read_image(path, stored.shape[:2]), stored)


def test_a_picture_that_is_turned_already_is_not_turned_again(tmp_path: Path) -> None:
    write(tmp_path / "photo.jpg", STORED[6](scene(40, 60)), 6)
    with Image.open(tmp_path / "photo.jpg") as image:
        assert same(as_pixels(ImageOps.exif_transpose(image)), scene(40, 60))
        assert same(as_pixels(image.convert("RGB")), scene(40, 60))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"nonsense"])
def test_damaged_exif_is_no_reason_to_see_no_picture(tmp_path: Path, exif: bytes) -> None:
    Image.fromarray(scene(40, 60)).save(tmp_path / "photo.jpg", exif=exif)
    assert image_size(tmp_path / "photo.jpg") == (40, 60)
    assert read_image(tmp_path / "photo.jpg").shape == (40, 60, 3)


def test_another_number_than_exif_knows(tmp_path: Path) -> None:
    write(tmp_path / "photo.jpg", scene(40, 60), 9)
    assert read_orientation(tmp_path / "photo.jpg") == Orientation(1, 40, 60)


def turned(root: Path, dataset: str, *, is_upright: bool) -> tuple[References, np.ndarray]:
    """A set whose first image has annotations on the upright picture or on the stored one."""
    row = read_references(root, dataset).table.slice(0, 1).to_pylist()[0]
    shown = scene(row["height"], row["width"])
    path = Path(row["image_path"])
    if is_upright:
        write(path, STORED[6](shown), 6)
    else:
        write(path, shown, 6)
    return read_references(root, dataset), shown


@pytest.mark.parametrize("is_upright", [True, False])
@pytest.mark.parametrize("dataset", FORMATS)
def test_every_route_of_annotations(tmp_path: Path, dataset: str, is_upright: bool) -> None:
    root = FORMATS[dataset](tmp_path / "root")
    references, shown = turned(root, dataset, is_upright=is_upright)
    assert not references.notes or dataset == "phrasecut"
    row = references.table.slice(0, 1).to_pylist()[0]
    assert (row["height"], row["width"]) == shown.shape[:2]
    assert same(read_annotated_image(references, 0), shown)
    alone = references.select(np.array([0]))
    assert same(ReferringDataset(alone, lambda sample: sample)[0].image, shown)
    drawn = image_of(row)  # in reports and galleries
    assert drawn is not None
    assert same(drawn, shown)
    annotated = annotated_image(
        references, np.array([0]), np.ones(len(references), bool)
    )  # previews
    assert annotated.image is not None
    assert same(annotated.image, shown)


@pytest.mark.parametrize("is_upright", [True, False])
def test_shards_keep_what_the_annotations_were_made_on(tmp_path: Path, is_upright: bool) -> None:
    root = write_fake_refer(tmp_path / "root")
    references, shown = turned(root, "fake", is_upright=is_upright)
    write_shards(references, tmp_path / "shards", "fake", progress=False)
    streamed = open_shards(str(tmp_path / "shards"))
    assert same(read_annotated_image(streamed, 0), shown)


def test_features_of_the_two_pictures_of_a_file_are_kept_apart(tmp_path: Path) -> None:
    from refseg.data.features.images import FittedImages

    root = write_fake_refer(tmp_path / "root")
    digests = ImageDigests(tmp_path / "memory.parquet")
    keys = []
    for is_upright in (False, True):
        references, shown = turned(root, "fake", is_upright=is_upright)
        path, size = references.table["image_path"][0].as_py(), shown.shape[:2]
        content = Path(path).read_bytes()
        (key,) = digests.of_all([path], [size])
        fitted = FittedImages([references.select(np.array([0]))], Transform(32))[0]
        assert key.tobytes() == fitted.key == digest_of(content).as_read(size)
        keys.append((key.tobytes(), digest_of(content)))
    (stored, of_stored), (upright, of_upright) = keys
    assert stored == of_stored.sha256  # as it was before pictures were turned
    assert upright != of_upright.sha256
    assert of_upright.as_read(of_upright.orientation.stored) == of_upright.sha256

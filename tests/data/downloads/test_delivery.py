"""From what the user has, or a mirror, to the places where the readers look."""

import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from refseg.data.catalog import CATALOG, IMAGE_SETS, ImageSet, KnownDataset
from refseg.data.downloads import Delivery, Listener, Patience
from refseg.data.downloads.delivery import LOCK
from refseg.data.presence import find_images, find_partitions
from refseg.errors import DataError

from .server import Server, content, serve, status

QUICK = Patience(connect=1.0, read=1.0, tries=2, pause=0.0)
FILES = {"instances.json": b"{}", "refs(unc).p": b"unc", "refs(google).p": b"google"}


def make_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


REFCOCO = make_zip({f"refcoco/{name}": data for name, data in FILES.items()})
PHOTOS = {f"train2014/COCO_train2014_{number:012d}.jpg": b"jpeg" for number in range(5)}
TRAIN2014 = make_zip(PHOTOS)


def mirrored(name: str, *urls: str) -> KnownDataset:
    """A data set whose only file comes from other mirrors and has no known checksum."""
    (file,) = CATALOG[name].files
    return replace(CATALOG[name], files=(replace(file, mirrors=urls, size=None, sha256=None),))


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


class Root:
    """A root of data, and what was said while it was filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.output = io.StringIO()

    def delivery(self, *given: Path, unpack_images: bool = False) -> Delivery:
        listener = Listener(Console(file=self.output, width=200))
        return Delivery(self.path, given, unpack_images, listener, QUICK)

    @property
    def said(self) -> str:
        return self.output.getvalue()

    def content(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file() and path.name != LOCK
        }


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "root")


IN_PLACE = {f"refcoco/{name}": data for name, data in FILES.items()}


def test_a_data_set_is_fetched_unpacked_and_tidied_up(server: Server, root: Root) -> None:
    refcoco = mirrored("refcoco", server.url("/a", status(404)), server.url("/b", content(REFCOCO)))
    assert root.delivery().deliver(refcoco) == []
    assert root.content() == IN_PLACE
    assert sorted(path.name for path in root.path.iterdir()) == [LOCK, "refcoco"]
    assert find_partitions(root.path, refcoco) == {"unc": [], "google": []}


def test_what_is_in_place_is_left_alone(server: Server, root: Root) -> None:
    refcoco = mirrored("refcoco", server.url("/a", content(REFCOCO)))
    root.delivery().deliver(refcoco)
    server.requests.clear()
    root.delivery().deliver(refcoco)
    assert not server.requests
    assert "already" in root.said
    assert root.content() == IN_PLACE


def test_a_broken_file_in_place_is_an_error(server: Server, root: Root) -> None:
    refcoco = mirrored("refcoco", server.url("/a", content(REFCOCO)))
    root.delivery().deliver(refcoco)
    (root.path / "refcoco" / "instances.json").write_bytes(b'{"images": [')
    with pytest.raises(DataError, match=r"instances\.json is empty, cut short"):
        root.delivery().deliver(refcoco)


def test_only_what_is_missing_is_added(server: Server, root: Root) -> None:
    folder = root.path / "refcoco"
    folder.mkdir(parents=True)
    (folder / "refs(unc).p").write_bytes(b"mine")
    root.delivery().deliver(mirrored("refcoco", server.url("/a", content(REFCOCO))))
    assert root.content() == IN_PLACE | {"refcoco/refs(unc).p": b"mine"}


def test_when_all_mirrors_are_dead_the_file_is_named(server: Server, root: Root) -> None:
    refcoco = mirrored("refcoco", server.url("/a", status(404)))
    assert root.delivery().deliver(refcoco) == list(refcoco.files)
    assert root.content() == {}


@pytest.mark.parametrize("place", ["refcoco.zip", "downloads/refcoco.zip", "refcoco/refcoco.zip"])
def test_an_archive_that_lies_under_the_root_is_taken(root: Root, place: str) -> None:
    path = root.path / place
    path.parent.mkdir(parents=True)
    path.write_bytes(REFCOCO)
    assert root.delivery().deliver(mirrored("refcoco")) == []
    assert path.read_bytes() == REFCOCO  # it is the user's
    assert IN_PLACE.items() <= root.content().items()
    assert "unpacked" in root.said


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("exact", [True, False])
def test_what_is_given_is_taken(tmp_path: Path, root: Root, packed: bool, exact: bool) -> None:
    home = tmp_path / "Downloads"
    given = home / ("my copy.zip" if packed and exact else "refcoco.zip" if packed else "refcoco")
    home.mkdir()
    if packed:
        given.write_bytes(REFCOCO)
    else:
        given.mkdir()
        for name, data in FILES.items():
            (given / name).write_bytes(data)
    assert root.delivery(given if exact else home).deliver(mirrored("refcoco")) == []
    assert root.content() == IN_PLACE
    assert not (root.path / "refcoco").is_symlink()
    assert str(given) in root.said


def test_a_copy_with_one_partition_is_taken_and_the_rest_is_named(
    tmp_path: Path, root: Root
) -> None:
    few = {name: data for name, data in FILES.items() if "google" not in name}
    given = tmp_path / "refcoco.zip"
    given.write_bytes(make_zip(few))
    refcoco = mirrored("refcoco")
    assert root.delivery(given).deliver(refcoco) == list(refcoco.files)
    assert find_partitions(root.path, refcoco) == {"unc": [], "google": ["refs(google).p"]}


def test_single_files_are_fetched_and_taken(tmp_path: Path, server: Server, root: Root) -> None:
    grefs, instances = CATALOG["grefcoco"].files
    given = tmp_path / "grefs(unc).json"
    given.write_bytes(b"[]")
    url = server.url("/instances", content(b'{"images": []}\n'))
    grefcoco = replace(
        CATALOG["grefcoco"], files=(replace(grefs, mirrors=()), replace(instances, mirrors=(url,)))
    )
    assert root.delivery(given).deliver(grefcoco) == []
    assert root.content() == {
        "grefcoco/grefs(unc).json": b"[]",
        "grefcoco/instances.json": b'{"images": []}\n',
    }


def photos(*urls: str) -> ImageSet:
    (file,) = IMAGE_SETS["train2014"].files
    return replace(
        IMAGE_SETS["train2014"], files=(replace(file, mirrors=urls, size=None, sha256=None),)
    )


def test_images_stay_packed_unless_asked(server: Server, root: Root) -> None:
    train2014 = photos(server.url("/a", content(TRAIN2014)))
    assert root.delivery().deliver(train2014) == []
    assert root.content() == {"images/train2014.zip": TRAIN2014}
    present = find_images(root.path, IMAGE_SETS["train2014"])
    assert present is not None
    assert (present.images, present.is_archive) == (5, True)
    assert root.delivery(unpack_images=True).deliver(train2014) == []
    assert len(server.requests) == 1
    present = find_images(root.path, IMAGE_SETS["train2014"])
    assert present is not None
    assert (present.images, present.is_archive) == (5, False)


@pytest.mark.parametrize("packed", [True, False])
def test_images_that_are_given_are_linked(tmp_path: Path, root: Root, packed: bool) -> None:
    given = tmp_path / ("train2014.zip" if packed else "coco/train2014")
    if packed:
        given.write_bytes(TRAIN2014)
    else:
        given.mkdir(parents=True)
        for name in PHOTOS:
            (given / Path(name).name).write_bytes(b"jpeg")
    assert root.delivery(given if packed else tmp_path / "coco").deliver(photos()) == []
    place = root.path / "images" / ("train2014.zip" if packed else "train2014")
    assert place.is_symlink()
    assert place.resolve() == given
    present = find_images(root.path, IMAGE_SETS["train2014"])
    assert present is not None
    assert present.images == 5


def test_images_in_two_parts_need_both(server: Server, root: Root) -> None:
    parts = [make_zip({f"VG/{number}.jpg": b"jpeg"}) for number in range(2)]
    genome = IMAGE_SETS["visual_genome"]
    urls = [server.url(f"/{number}", content(part)) for number, part in enumerate(parts)]
    both = replace(
        genome,
        files=tuple(replace(f, mirrors=(url,)) for f, url in zip(genome.files, urls, strict=True)),
    )
    dead = replace(both, files=(both.files[0], replace(both.files[1], mirrors=())))
    assert root.delivery().deliver(dead) == [dead.files[1]]
    assert root.delivery().deliver(both) == []
    assert len(server.requests) == 2
    present = find_images(root.path, genome)
    assert present is not None
    assert present.images == 2


def test_a_broken_archive_of_images_is_an_error(root: Root) -> None:
    (root.path / "images").mkdir(parents=True)
    (root.path / "images" / "train2014.zip").write_bytes(TRAIN2014[:-40])
    with pytest.raises(DataError, match=r"train2014\.zip cannot be read"):
        root.delivery().deliver(photos())


def test_a_root_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="--root"):
        Root(tmp_path / "file" / "root").delivery().deliver(mirrored("refcoco"))


def test_a_second_call_waits_and_finds_the_files(server: Server, root: Root) -> None:
    refcoco = mirrored("refcoco", server.url("/a", content(REFCOCO)))
    root.path.mkdir()
    with ThreadPoolExecutor() as pool:
        with FileLock(root.path / LOCK):
            calls = [pool.submit(root.delivery().deliver, refcoco) for _ in range(2)]
            while root.said.count("waiting") < 2:
                time.sleep(0.01)
            assert not server.requests
        assert [call.result(timeout=60) for call in calls] == [[], []]
    assert root.said.count("already") == 1
    assert len(server.requests) == 1
    assert root.content() == IN_PLACE


@pytest.mark.slow
def test_a_second_process_waits(server: Server, root: Root) -> None:
    code = (
        "import sys\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from refseg.data.catalog import CATALOG\n"
        "from refseg.data.downloads import Delivery\n"
        "refcoco = CATALOG['refcoco']\n"
        "file = replace(refcoco.files[0], mirrors=(sys.argv[2],), size=None, sha256=None)\n"
        "assert Delivery(Path(sys.argv[1])).deliver(replace(refcoco, files=(file,))) == []\n"
    )
    root.path.mkdir()
    command = [sys.executable, "-c", code, str(root.path), server.url("/a", content(REFCOCO))]
    with FileLock(root.path / LOCK):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert "waiting" in process.stdout.readline()
        assert not server.requests
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "unpacked" in rest

"""Anything may be in the files: the readers of the REFER family give references or one error."""

import copy
import pickle
import pickletools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from refseg import REFER
from refseg.data.readers import load_python2_pickle, read_grefcoco, read_refer, read_references

from ..fake_refer import python2_pickle, rectangle
from .fuzzing import (
    EXAMPLES,
    Mutations,
    as_json,
    changed,
    changes,
    judge,
    limits,
    mutated,
    mutations,
    repeatedly,
    start_clock,
)

POLICIES = ("error", "skip")
PROTOCOLS = st.sampled_from([0, 1, 2, "py2-0", "py2-2", 3, 4, 5])
DATASETS = st.sampled_from(["refcoco", "refclef"])


def documents() -> list[Any]:
    """Three references to two objects in two images: polygons, and run lengths."""
    sentences = [
        {"sent_id": n, "sent": text, "raw": text.title(), "tokens": text.split()}
        for n, text in enumerate(["the red box", "café table", "left", "left one"])
    ]
    common = {"category_id": 1, "image_id": 1, "file_name": "a_1.png"}
    refs = [
        {"ref_id": 0, "ann_id": 5, "split": "train", "sentences": sentences[:2], **common},
        {"ref_id": 1, "ann_id": 6, "split": "testAB", "sentences": sentences[2:3], **common},
        {"ref_id": 2, "ann_id": 7, "split": "val", "sentences": sentences[3:], **common},
    ]
    refs[2]["image_id"] = 2
    size = {"height": 8, "width": 9}
    runs = {"size": [8, 9], "counts": [10, 5, 57]}
    box = {"bbox": [0, 0, 5, 5], "category_id": 1, "iscrowd": 0, "area": 9.0}
    polygons = [rectangle(0, 0, 4, 4), rectangle(3, 3, 9, 8)]
    instances = {
        "images": [{"id": n, "file_name": f"{n}.png", **size} for n in (1, 2)],
        "annotations": [
            {"id": 5, "image_id": 1, "segmentation": polygons, **box},
            {"id": 6, "image_id": 1, "segmentation": [runs], **box},
            {"id": 7, "image_id": 2, "segmentation": runs, **box},
        ],
        "categories": [{"id": 1, "name": "box", "supercategory": "thing"}],
    }
    return [refs, instances]


def grefs() -> list[Any]:
    """The same as gRefCOCO writes it: one object, two, and none."""
    refs, instances = documents()
    for ref, ids, classes in zip(refs, ([5], [5, 6], [-1]), ([1], [1, 1], [-1]), strict=True):
        ref["ann_id"], ref["category_id"] = ids, classes
    return [refs, instances]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("refcoco", "refclef", "grefcoco"):
        (folder / name).mkdir()
    (folder / "images").mkdir()
    for number in (1, 2):
        Image.new("RGB", (9, 8)).save(folder / "images" / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def _limits() -> Iterator[None]:
    with limits():
        yield


def pickled(value: object, protocol: object) -> bytes:
    """A pickle of Python 2 or 3; texts that have no UTF-8 are left to Python 3."""
    if isinstance(protocol, int):
        return pickle.dumps(value, protocol)
    try:
        return python2_pickle(value, int(str(protocol)[-1]))
    except UnicodeEncodeError:
        return pickle.dumps(value, 2)


def write(root: Path, name: str, refs: bytes, instances: bytes) -> None:
    (root / name / ("grefs(unc).json" if name == "grefcoco" else "refs(unc).p")).write_bytes(refs)
    (root / name / "instances.json").write_bytes(instances)


def read_all(root: Path, name: str) -> None:
    """With both policies; what `skip` keeps, `error` keeps as well if it raises nothing."""
    kept = [judge(lambda p=p: read_refer(root, name, "unc", p), root) for p in POLICIES]
    if kept[0] is not None:
        assert kept[1] is not None
        assert kept[1].fingerprint() == kept[0].fingerprint()


def ask_everything(root: Path, name: str) -> None:
    """Every question that REFER's API answers, about every record."""
    refer = REFER(root, name, "unc")
    assert len(refer.getRefIds()) == len(refer.data["refs"])
    assert len(refer.getAnnIds()) == len(refer.data["annotations"])
    for split in ("train", "val", "test", "testA", "testB", "testC", "testAB"):
        assert set(refer.getRefIds(split=split)) <= set(refer.getRefIds())
    for ref_id in refer.getRefIds():
        (ref,) = refer.loadRefs(ref_id)
        assert refer.getRefIds(ref["image_id"], ref["category_id"], ref_id, "")
        assert refer.getImgIds(ref_id) == [ref["image_id"]]
        refer.getAnnIds(refer.getImgIds(ref_id), ref["category_id"], ref_id)
        mask = refer.getMask(ref)
        assert mask["area"] == mask["mask"].sum()
        refer.getRefBox(ref_id)
    refer.loadCats(refer.getCatIds())


@EXAMPLES
def test_records_of_refer(root: Path, examples: int) -> None:
    @repeatedly(examples)
    @given(mutations, PROTOCOLS, DATASETS)
    def check(wanted: Mutations, protocol: object, name: str) -> None:
        start_clock()
        refs, instances = mutated(documents(), wanted)
        write(root, name, pickled(refs, protocol), as_json(instances))
        read_all(root, name)

    check()


@EXAMPLES
def test_records_of_the_refer_api(root: Path, examples: int) -> None:
    @repeatedly(examples)
    @given(mutations, PROTOCOLS)
    def check(wanted: Mutations, protocol: object) -> None:
        start_clock()
        refs, instances = mutated(documents(), wanted)
        write(root, "refcoco", pickled(refs, protocol), as_json(instances))
        judge(lambda: ask_everything(root, "refcoco"), root)

    check()


@EXAMPLES
def test_records_of_grefcoco(root: Path, examples: int) -> None:
    @repeatedly(examples)
    @given(mutations)
    def check(wanted: Mutations) -> None:
        start_clock()
        write(root, "grefcoco", *map(as_json, mutated(grefs(), wanted)))
        for policy in POLICIES:
            judge(lambda p=policy: read_grefcoco(root, "grefcoco", "unc", p), root)

    check()


@EXAMPLES
def test_bytes_of_files(root: Path, examples: int) -> None:
    refs, instances = documents()
    pickles = {p: pickled(refs, p) for p in (0, 2, 4, "py2-0", "py2-2")}
    grefs_json, instances_json = as_json(grefs()[0]), as_json(instances)

    @repeatedly(examples)
    @given(changes, st.integers(0, 3), st.sampled_from(sorted(pickles, key=str)))
    def check(
        wanted: tuple[list[tuple[int, int]], int | None, str], file: int, protocol: object
    ) -> None:
        start_clock()
        if file % 2:
            content = changed(pickles[protocol], wanted) if file == 1 else pickles[protocol]
            broken = changed(instances_json, wanted) if file == 3 else instances_json
            write(root, "refclef" if file == 1 else "refcoco", content, broken)
            read_all(root, "refclef" if file == 1 else "refcoco")
            return
        broken = changed(instances_json, wanted) if file == 2 else instances_json
        content = changed(grefs_json, wanted) if file == 0 else grefs_json
        write(root, "grefcoco", content, broken)
        judge(lambda: read_references(root, "grefcoco", "unc", "skip"), root)

    check()


OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]
ARGUMENTS = st.sampled_from(
    [
        *(b"", b"\x00", b"\x01", b"\xff", b"0\n", b"1\n", b"-1\n", b"99999999999\n", b"x\n"),
        *(b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x00\x10", b"\x03abc"),
        *(b"\x03\x00\x00\x00abc", (2**40).to_bytes(8, "little"), (2**63).to_bytes(8, "little")),
        *(b"posix\nmkdir\n", b"builtins\neval\n", b"'a'\n", b"nan\n", b"\x80\x04\x95", b"1e999\n"),
    ]
)
CANARY = "canary"


def hostile(path: Path) -> bytes:
    """A pickle that makes a folder when it is opened with `pickle.load`."""
    return b"cposix\nmkdir\n(S" + repr(str(path)).encode() + b"\ntR."


@EXAMPLES
def test_pickles_of_any_opcodes(root: Path, examples: int) -> None:
    canary, path = root / CANARY, root / "refs.p"
    attack = hostile(canary)
    pickle.loads(attack)
    canary.rmdir()  # so that one knows that it works
    whole = pickled(documents()[0], 2)

    @repeatedly(examples)
    @given(
        st.lists(st.tuples(st.sampled_from(OPCODES), ARGUMENTS), max_size=30),
        st.integers(0, len(whole)),
        st.booleans(),
    )
    def check(program: list[tuple[bytes, bytes]], kept: int, attacks: bool) -> None:
        start_clock()
        content = b"".join(opcode + argument for opcode, argument in program)
        path.write_bytes(whole[:kept] + content + (attack if attacks else b"."))
        judge(lambda: load_python2_pickle(path), root)
        assert not canary.exists()

    check()


def test_a_verdict_can_be_bad(root: Path) -> None:
    """Else the tests above could not fail."""
    with pytest.raises(KeyError):
        judge(lambda: copy.copy({})["x"], root)
    with pytest.raises(MemoryError):
        judge(lambda: bytearray(2**31), root)
    write(root, "refcoco", pickled(documents()[0], 2), as_json(documents()[1]))
    references = judge(lambda: read_refer(root, "refcoco", "unc"), root)
    assert references is not None
    assert references.splits == ("train", "val", "testA", "testB")
    write(root, "grefcoco", *map(as_json, grefs()))
    assert judge(lambda: read_grefcoco(root, "grefcoco", "unc"), root) is not None
    ask_everything(root, "refcoco")

"""What a label tool has exported is read back by the reader of one's own data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from refseg.__main__ import main
from refseg.data.label_tools.importing import Imported, import_labels
from refseg.data.readers import read_references
from refseg.errors import ConfigError, DataError
from refseg.masks import decode

from . import exports

Row = tuple[str, str, str | None, np.ndarray]

POLYGON = [[6, 3, 27, 3, 27, 18, 6, 18]]
NOTHING = {"size": list(exports.SIZE), "counts": [exports.SIZE[0] * exports.SIZE[1]]}
CORNERS = "6,3;27,3;27,18;6,18"


def read_back(output: Path) -> list[Row]:
    """Image relative to the folder, sentence, category and mask of each expression."""
    references = read_references(output.parent, output.name)
    return [
        (
            Path(row["image_path"]).relative_to(output).as_posix(),
            row["expression"],
            row["category"],
            decode(references.truth(number)),
        )
        for number, row in enumerate(references.table.to_pylist())
    ]


def check(made: Imported, expected: list[Row]) -> None:
    found = read_back(made.table.parent)
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    for (*_, mask), (*_, drawn) in zip(found, expected, strict=True):
        assert (mask == drawn).all()
    assert made.expressions == len(expected)
    assert made.images == len({row[0] for row in expected})


def test_label_studio(tmp_path: Path) -> None:
    export = exports.write(tmp_path / "export.json", exports.label_studio())
    exports.write_images(tmp_path / "files", "dog.png", "pets/street 1.png")
    made = import_labels(export, tmp_path / "own", tmp_path / "files")
    assert (made.title, made.bad, made.silent) == ("Label Studio", [], [])
    check(
        made,
        [
            ("images/dog.png", "the dog", "dog", exports.rectangle()),
            ("images/dog.png", "left dog", "dog", exports.rectangle()),
            ("images/dog.png", "the cat with a hole", "cat", exports.drawn()),
            ("images/pets/street 1.png", "a dog", "dog", exports.rectangle()),
        ],
    )
    copied = tmp_path / "own" / "images" / "dog.png"
    assert copied.read_bytes() == (tmp_path / "files" / "dog.png").read_bytes()


def test_cvat(tmp_path: Path) -> None:
    far = np.zeros(exports.SIZE, dtype=bool)
    far[20:23, 30:35] = True
    shapes = [
        exports.cvat_polygon(CORNERS, "the dog &amp; its bone"),
        exports.cvat_mask(exports.drawn(), "a cat"),
        exports.cvat_polygon(CORNERS, None),
        exports.cvat_polygon(CORNERS, "two parts", group=4),
        exports.cvat_polygon("30,20;35,20;35,23;30,23", None, group=4),
        '<box label="dog" xtl="1" ytl="1" xbr="9" ybr="9"></box>',
    ]
    export = exports.write(tmp_path / "own" / "annotations.xml", exports.cvat(shapes))
    exports.write_images(tmp_path / "own" / "images", "pets/dog.png")
    made = import_labels(export, tmp_path / "own")
    assert (made.title, made.bad) == ("CVAT", [])
    assert [record.rpartition(", ")[2] for record in made.silent] == ["polygon number 2"]
    name = "images/pets/dog.png"
    check(
        made,
        [
            (name, "the dog & its bone", "dog", exports.rectangle()),
            (name, "a cat", "cat", exports.drawn()),
            (name, "two parts", "dog", exports.rectangle() | far),
        ],
    )


def test_coco(tmp_path: Path) -> None:
    column_runs = [0]
    for pixel in exports.drawn().T.ravel().tolist():
        if pixel != bool(len(column_runs) % 2 == 0):
            column_runs.append(0)
        column_runs[-1] += 1
    annotations = [
        {"segmentation": POLYGON, "caption": "the dog", "expression": ["dog", "the dog", " "]},
        {
            "segmentation": {"size": list(exports.SIZE), "counts": column_runs},
            "attributes": {"expression": "a hole", "occluded": False},
            "category_id": 9,
        },
        {"segmentation": [], "area": 0, "caption": "a unicorn"},
        {"segmentation": NOTHING, "area": 0, "caption": "a second one"},
        {"segmentation": POLYGON},
        {"segmentation": POLYGON, "captions": ["Hund", "le chien"]},
    ]
    export = exports.write(tmp_path / "instances.json", exports.coco(annotations))
    exports.write_images(tmp_path / "own", "pets/dog.png")
    made = import_labels(export, tmp_path / "own", split="val")
    assert (made.title, made.bad, made.objects) == ("COCO", [], 3)
    assert [record.rpartition(", ")[2] for record in made.silent] == [
        "annotation number 4 (id 104)"
    ]
    name, nothing = "pets/dog.png", np.zeros(exports.SIZE, dtype=bool)
    check(
        made,
        [
            *(
                (name, text, "dog", exports.rectangle())
                for text in ("dog", "the dog", "Hund", "le chien")
            ),
            (name, "a hole", None, exports.drawn()),
            (name, "a unicorn", "dog", nothing),
            (name, "a second one", "dog", nothing),
        ],
    )
    assert read_references(tmp_path, "own").splits == ("val",)
    assert not (tmp_path / "own" / "images").exists(), "it lies there already"


@pytest.mark.parametrize("form", ["coco", "polygons"])
def test_what_segment_has_written(form: str, photo: Path, eager: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"image,expression\n{photo.name},star\n{photo.name},the red circle\n")
    words = ["segment", str(photo.parent), "--expressions", str(table), "--format", form]
    output = tmp_path / "masks"
    assert main([*words, "--checkpoint", str(eager), "--output", str(output)]) == 0
    made = import_labels(output / "instances.json", tmp_path / "own", photo.parent)
    assert [row[1] for row in read_back(tmp_path / "own")] == ["star", "the red circle"]
    assert made.bad == []


COCO = {"segmentation": POLYGON, "caption": "the dog"}
HEIGHT, WIDTH = exports.SIZE


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({**COCO, "image_id": 6}, "annotation number 1 (id 101): there is no image with the id 6"),
        ({**COCO, "image_id": "5"}, "annotation number 1: expected 'image_id' to be of type int"),
        ({"caption": "a dog"}, "'segmentation' is missing; a box alone is no mask"),
        ({"caption": "a dog", "segmentation": [], "area": 9}, "its segmentation is empty, as that"),
        ({"caption": "a dog", "segmentation": [[1, 2]]}, "no polygon has three points"),
        ({"caption": "a dog", "segmentation": {"size": [1, 2]}}, "run lengths of size [24, 36]"),
        ({"caption": "a dog", "segmentation": NOTHING}, "its run lengths cover no pixel"),
        ({**COCO, "caption": 7}, "expected a sentence as text, got int 7"),
        ({**COCO, "caption": "…"}, "its sentence '…' has no word"),
    ],
)
def test_bad_records_of_coco(bad: dict[str, Any], message: str, tmp_path: Path) -> None:
    export = exports.write(tmp_path / "instances.json", exports.coco([COCO, bad, COCO]))
    exports.write_images(tmp_path, "pets/dog.png")
    made = import_labels(export, tmp_path / "own")
    assert made.objects == 1, "the others are one"
    (told,) = made.bad
    assert str(export) in told
    assert message in told


def label_studio_with(**changes: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    """A good region and its text, and a bad one."""
    brush = {"format": "rle", "rle": exports.packed_bits(exports.drawn())}
    good = exports.region("a", "polygonlabels", exports.polygon_value())
    text = exports.region("a", "textarea", {"text": ["dog"]})
    bad = exports.region("b", "brushlabels", brush) | changes
    said = exports.region("b", "textarea", {"text": ["cat"]})
    return [
        {
            "id": 3,
            "data": {"image": "dog.png"},
            "annotations": [{"result": [good, text, bad, said]}],
        }
    ]


BITS = exports.packed_bits(exports.drawn())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": {"rle": BITS[:-40]}}, "region b: the run lengths of its brush are cut short"),
        ({"value": {"rle": []}}, "are cut short"),
        ({"value": {"rle": [300]}}, "as numbers from 0 to 255"),
        ({"value": {"rle": BITS}, "original_width": 35}, "the brush of an image of 35 × 24"),
        ({"value": {}}, "the key 'rle' is missing"),
        ({"value": 5}, "expected 'value' to be of type dict"),
        ({"image_rotation": 90}, "was turned by 90°"),
        ({"type": "rectanglelabels"}, "a rectanglelabels is no mask"),
        ({"type": "polygon", "value": {"points": [[1]]}}, "expected points [x, y] in percent"),
        ({"original_height": 10**9}, "region b"),
        ({"original_height": 48, "type": "polygonlabels", "value": exports.polygon_value()},
         "it was labelled on 36 × 48 pixels"),
    ],
)  # fmt: skip
def test_bad_records_of_label_studio(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    export = exports.write(tmp_path / "export.json", label_studio_with(**changes))
    exports.write_images(tmp_path, "dog.png")
    made = import_labels(export, tmp_path / "own")
    assert (made.objects, made.expressions) == (1, 1), "the text of the bad one is not the other's"
    (told,) = made.bad
    assert f"{export}, task number 0 (id 3)" in told
    assert message in told


MASK = exports.cvat_mask(exports.drawn(), "x")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (exports.cvat_polygon("1,2;x", "dog"), "expected points x,y;x,y"),
        (exports.cvat_polygon("1,2;3,4;nan,5", "dog"), "not a number"),
        (MASK.replace('left="6"', 'left="30"'), "leaves the image of 36 × 24 pixels"),
        (MASK.replace('rle="0', 'rle="1'), "add up to the"),
        (MASK.replace('rle="0', 'rle="9999999999'), "its run lengths as numbers"),
        (MASK.replace('top="4"', 'top="-4"'), "'top' to be a whole number"),
        ('<box><attribute name="caption">dog</attribute></box>', "a box is no mask"),
    ],
)  # fmt: skip
def test_bad_records_of_cvat(shape: str, message: str, tmp_path: Path) -> None:
    good = exports.cvat_polygon(CORNERS, "dog")
    export = exports.write(tmp_path / "annotations.xml", exports.cvat([good, shape]))
    exports.write_images(tmp_path, "pets/dog.png")
    made = import_labels(export, tmp_path / "own")
    assert made.objects == 1
    (told,) = made.bad
    assert f"{export}, image 7 (pets/dog.png)" in told
    assert message in told


LAUGHS = '<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;">]>'
FILES = '<!DOCTYPE a [<!ENTITY l SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "this is not complete JSON"),
        ("{}", "is of no known format; expected COCO's instances.json"),
        ("[]", "is of no known format"),
        ('[{"image": "x.png", "label": []}]', "is of no known format"),
        ("PK\3\4", "is a zip file; unpack it"),
        ("<annotations>", "this is not complete XML"),
        ("<html></html>", "expected the XML of CVAT (annotations), got <html>"),
        ("<annotations><track/></annotations>", "is of CVAT for video"),
        ("<annotations><version>1.0</version></annotations>", "expected version 1.1"),
        (exports.cvat([], before=LAUGHS), "declares a document type"),
        (exports.cvat([exports.cvat_polygon(CORNERS, "&l;")], before=FILES), "declares a document"),
        (exports.cvat([]), "expected objects with masks and sentences, got none"),
        (exports.cvat([exports.cvat_polygon(CORNERS, None)]), "nothing is said of it"),
        (exports.cvat([exports.cvat_polygon(CORNERS, "dog")]), "its image 'pets/dog.png' is abs"),
        ('{"images": 3, "annotations": []}', "expected 'images' to be of type list"),
        ('{"images": [], "annotations": {}}', "expected 'annotations' to be of type list"),
    ],
)  # fmt: skip
def test_files_that_are_no_export(content: str, message: str, tmp_path: Path) -> None:
    export = exports.write(tmp_path / "export", content)
    with pytest.raises(DataError) as caught:
        import_labels(export, tmp_path / "own")
    assert message in str(caught.value)
    assert str(export) in str(caught.value)
    assert not (tmp_path / "own").exists()


def test_a_document_type_in_another_encoding(tmp_path: Path) -> None:
    text = exports.cvat([], before=LAUGHS).replace("utf-8", "utf-16")
    (tmp_path / "export.xml").write_bytes(text.encode("utf-16"))
    with pytest.raises(DataError, match="declares a document type"):
        import_labels(tmp_path / "export.xml", tmp_path / "own")


def test_names_that_lead_elsewhere(tmp_path: Path) -> None:
    exports.write_images(tmp_path / "given", "secret.png", "in/pets.png")
    for name, found in {
        "../secret.png": None,
        "/x/pets.png": "pets.png",
        r"in\pets.png": None,
    }.items():
        content = exports.coco([COCO])
        content["images"][0]["file_name"] = name
        export = exports.write(tmp_path / "instances.json", content)
        folder = tmp_path / "given" / "in"
        if name.startswith("in"):
            folder, found = folder.parent, "in/pets.png"
        if found is None:
            with pytest.raises(DataError, match="is absent"):
                import_labels(export, tmp_path / "own", folder)
            continue
        made = import_labels(export, tmp_path / "own", folder, overwrite=True)
        assert json.loads(made.table.read_text())["image"] == f"images/{found}"


def test_two_images_of_one_name(tmp_path: Path) -> None:
    content = label_studio_with()
    content += label_studio_with()
    content[0]["data"]["image"] = "/data/upload/1/aaaaaaaa-dog.png"
    content[1]["data"]["image"] = "s3://bucket/b/dog.png"
    export = exports.write(tmp_path / "export.json", content)
    exports.write_images(tmp_path / "photos", "b/dog.png", "dog.png")
    made = import_labels(export, tmp_path / "own", tmp_path / "photos")
    names = {json.loads(line)["image"] for line in made.table.read_text().splitlines()}
    assert names == {"images/dog.png", "images/b/dog.png"}
    # Of another import into the same folder, with other pixels.
    exports.write_images(tmp_path / "more", "x.png", "y.png", "dog.png")
    made = import_labels(export, tmp_path / "own", tmp_path / "more", overwrite=True)
    names = {json.loads(line)["image"] for line in made.table.read_text().splitlines()}
    assert names == {"images/dog-2.png"}
    with Image.open(tmp_path / "own" / "images" / "dog-2.png") as image:
        image.load()


def test_a_table_that_is_there(tmp_path: Path) -> None:
    export = exports.write(tmp_path / "instances.json", exports.coco([COCO]))
    exports.write_images(tmp_path, "pets/dog.png")
    own = tmp_path / "own"
    table = exports.write(own / "annotations.jsonl", "mine")
    with pytest.raises(ConfigError, match="is there already; choose another --output, or --over"):
        import_labels(export, own)
    assert table.read_text() == "mine"
    import_labels(export, own, overwrite=True)
    assert len(read_back(own)) == 1
    table.rename(own / "annotations.csv")
    with pytest.raises(
        ConfigError, match=r"annotations\.csv is there already; choose another --out"
    ):
        import_labels(export, own, overwrite=True)
    with pytest.raises(ConfigError, match="Expected a short name"):
        import_labels(export, tmp_path / "new", split="a|b")


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silent, broken = {"segmentation": POLYGON}, {**COCO, "image_id": 1}
    export = exports.write(tmp_path / "instances.json", exports.coco([COCO, silent, *[broken] * 7]))
    exports.write_images(tmp_path, "pets/dog.png")
    words = ["data", "import", str(export), "--output", str(tmp_path / "own")]
    assert main(words) == 1
    told = capsys.readouterr()
    assert told.err.count("left out: ") == 5
    assert "and 2 more" in told.err
    assert f"COCO: 1 objects with 1 expressions on 1 images: {tmp_path}/own" in told.out
    assert "1 objects without a sentence, as " in told.out
    assert "7 records were left out" in told.out
    assert main(words) == 2
    assert "is there already" in capsys.readouterr().err
    exports.write(export, exports.coco([COCO]))
    assert main([*words, "--overwrite"]) == 0

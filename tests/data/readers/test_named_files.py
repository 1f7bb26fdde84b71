"""Names in tables: written on Windows, leading out of the folder, in the home folder."""

import json
import zipfile
from pathlib import Path

import pytest

from refseg.__main__ import main
from refseg.cli.configs.checkpoint import data_of
from refseg.data.cache import open_references
from refseg.data.containers import Member, index_of, read_member
from refseg.data.dataset import read_annotated_image
from refseg.data.readers import read_references
from refseg.data.readers.named_files import NamedFiles, image_in
from refseg.data.refer_api import REFER
from refseg.data.references import References
from refseg.errors import DataError

from ..fake_folder import SIZES, records, run_lengths, write_csv, write_files, write_jsonl
from ..fake_grefcoco import write_fake_grefcoco
from ..fake_hub import rows, write_fake_hub, write_parquet
from ..fake_refer import annotations, write_annotations, write_fake_refer, write_images


def paths_of(references: References) -> set[str]:
    return set(references.table["image_path"].to_pylist())


def table_of(references: References) -> list[dict[str, object]]:
    return references.table.to_pylist()


def test_a_table_written_on_windows(tmp_path: Path) -> None:
    for name in ("here", "there"):
        write_files(tmp_path / name)
        folder = tmp_path / name / "photos"
        folder.mkdir()
        for image in SIZES:
            (tmp_path / name / image).rename(folder / image)
    lines = [{**line, "image": f"photos/{line['image']}"} for line in records()]
    write_csv(tmp_path / "here" / "annotations.csv", lines)
    expected = read_references(tmp_path, "here")
    for line in lines:
        line["image"] = line["image"].replace("/", "\\")
        if line["mask"] == "masks/dog.png":
            line["mask"] = "masks\\dog.png"
    write_csv(tmp_path / "here" / "annotations.csv", lines)
    assert table_of(read_references(tmp_path, "here")) == table_of(expected)
    write_jsonl(tmp_path / "there" / "annotations.jsonl", lines)
    assert len(read_references(tmp_path, "there")) == len(expected)


def test_a_file_whose_very_name_has_a_backslash(tmp_path: Path) -> None:
    write_files(tmp_path)
    (tmp_path / "dog.jpg").rename(tmp_path / "my\\dog.jpg")
    line = {"image": "my\\dog.jpg", "expression": "dog", "mask": run_lengths("dog.jpg")}
    write_jsonl(tmp_path / "annotations.jsonl", [line])
    assert paths_of(read_references(tmp_path, ".")) == {str(tmp_path / "my\\dog.jpg")}


@pytest.mark.parametrize("dataset", ["fake", "grefcoco"])
def test_file_names_of_coco_written_on_windows(tmp_path: Path, dataset: str) -> None:
    write = {"fake": write_fake_refer, "grefcoco": write_fake_grefcoco}[dataset]
    root = write(tmp_path / "root")
    expected = read_references(root, dataset)
    path = root / dataset / "instances.json"
    content = json.loads(path.read_text())
    for image in content["images"]:
        image["file_name"] = f"train2014\\{image['file_name']}"
    path.write_text(json.dumps(content))
    found = read_references(root, dataset)
    assert table_of(found) == table_of(expected)
    assert read_annotated_image(found, 0).ndim == 3
    if dataset == "fake":
        assert Path(REFER(str(root), "fake").IMAGE_DIR) == root / "images"


def test_the_hub_written_on_windows(tmp_path: Path) -> None:
    root = write_fake_hub(tmp_path)
    expected = read_references(root, "refcoco")
    content = rows(*annotations())
    for row in content:
        row["image_path"] = row["image_path"].replace("/", "\\")
    write_parquet(root / "refcoco" / "data", content)
    assert table_of(read_references(root, "refcoco")) == table_of(expected)


def test_a_zip_file_written_on_windows(tmp_path: Path) -> None:
    root = write_fake_refer(tmp_path)
    folder, archive = root / "images" / "train2014", root / "images" / "train2014.zip"
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    with zipfile.ZipFile(archive, "w") as opened:
        for path in folder.iterdir():
            opened.writestr(f"train2014\\{path.name}", path.read_bytes())
            path.unlink()
    folder.rmdir()
    with zipfile.ZipFile(archive) as opened:
        assert all("\\" in name for name in opened.namelist())
    for name, content in contents.items():
        assert read_member(Member(archive, f"train2014/{name}")) == content
        assert read_member(Member(archive, f"train2014\\{name}")) == content
    assert "train2014" in index_of(archive).folders
    references = read_references(root, "fake")
    assert read_annotated_image(references, 0).ndim == 3


OUTSIDE = ["../elsewhere/dog.jpg", "a/../../elsewhere/dog.jpg", "..\\elsewhere\\dog.jpg", "{root}"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("column", ["image", "mask"])
def test_names_that_lead_out_of_the_folder(tmp_path: Path, name: str, column: str) -> None:
    write_files(tmp_path / "elsewhere")
    write_files(tmp_path / "mine")
    (tmp_path / "mine" / "a").mkdir()
    line = {"image": "dog.jpg", "expression": "dog", "mask": "masks/dog.png"}
    line[column] = name.format(root=tmp_path / "elsewhere" / "dog.jpg")
    if column == "mask":
        line["mask"] = line["mask"].replace("dog.jpg", "masks/dog.png")
    other = {"image": "street.png", "expression": "a zebra", "mask": []}
    write_csv(tmp_path / "mine" / "annotations.csv", [line, other])
    with pytest.raises(DataError, match=r"line 2: .* leads out of .*--data\.outside_files true"):
        read_references(tmp_path, "mine")
    with pytest.raises(DataError, match="leads out of"):
        open_references(tmp_path, "mine")
    allowed = open_references(tmp_path, "mine", outside_files=True)
    assert table_of(allowed) == table_of(read_references(tmp_path, "mine", outside_files=True))
    with pytest.raises(DataError, match="leads out of"):  # not from the cache either
        open_references(tmp_path, "mine")
    path = allowed.table["image_path"][0].as_py()
    assert Path(path).samefile(tmp_path / ("mine" if column == "mask" else "elsewhere") / "dog.jpg")
    assert main(["data", "verify", "mine", "--root", str(tmp_path)]) == 1
    words = ["data", "verify", "mine", "--root", str(tmp_path), "--outside_files"]
    assert main(words) == 0


def test_names_within_the_folder_by_detours(tmp_path: Path) -> None:
    write_files(tmp_path / "mine")
    (tmp_path / "mine" / "images").mkdir()
    (tmp_path / "mine" / "dog.jpg").rename(tmp_path / "mine" / "images" / "dog.jpg")
    files = NamedFiles(tmp_path / "mine")
    found = tmp_path / "mine" / "images" / "dog.jpg"
    for name in ("dog.jpg", "images/dog.jpg", "masks/../images/dog.jpg", ".\\images\\dog.jpg"):
        assert files.find(name, "here", ("", "images")) == found
    assert files.find(str(found), "here") == found  # absolute
    assert files.find("../street.png", "here", ("", "images")) == tmp_path / "mine" / "street.png"
    for name in ("C:\\photos\\dog.jpg", "~/dog.jpg", "..", "/etc/passwd"):
        with pytest.raises(DataError, match=r"here: the path .* leads out of"):
            files.find(name, "here")


def test_links_in_the_folder_are_the_users_doing(tmp_path: Path) -> None:
    write_files(tmp_path / "elsewhere")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photos").symlink_to(tmp_path / "elsewhere")
    line = {"image": "photos/dog.jpg", "expression": "dog", "mask": run_lengths("dog.jpg")}
    write_jsonl(tmp_path / "mine" / "annotations.jsonl", [line])
    assert len(read_references(tmp_path, "mine")) == 1
    # but `..` never climbs out of the folder that a link leads to
    line["image"] = "photos/../secret/dog.jpg"
    write_files(tmp_path / "secret")
    write_jsonl(tmp_path / "mine" / "annotations.jsonl", [line])
    with pytest.raises(DataError, match="is absent"):
        read_references(tmp_path, "mine")


def test_names_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_files(tmp_path / "home")
    (tmp_path / "mine").mkdir()
    line = {"image": "~/dog.jpg", "expression": "dog", "mask": "~/masks/dog.png"}
    write_jsonl(tmp_path / "mine" / "annotations.jsonl", [line])
    found = read_references(tmp_path, "mine", outside_files=True)
    assert paths_of(found) == {str(tmp_path / "home" / "dog.jpg")}


def test_rrsis_d_where_its_authors_put_it(tmp_path: Path) -> None:
    write_annotations(tmp_path, *annotations(), dataset="rrsisd")
    folder = tmp_path / "images" / "rrsisd" / "JPEGImages"
    write_images(folder)
    (folder.parent / "ann_split").mkdir()
    found = read_references(tmp_path, "rrsisd", "unc")
    assert {str(Path(path).parent) for path in paths_of(found)} == {str(folder)}
    assert found.source == "rrsisd (unc)"
    assert image_in(folder, "none.jpg") == folder / "none.jpg"


def test_no_checkpoint_lets_a_table_name_any_file() -> None:
    content = {"data": {"root": "data", "dataset": "mine", "outside_files": True}}
    assert not data_of(content, "best.ckpt").get("outside_files")

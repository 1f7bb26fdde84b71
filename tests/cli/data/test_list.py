"""`refseg data list`."""

import re
from pathlib import Path

import pytest

from refseg.__main__ import main
from refseg.data.catalog import CATALOG, IMAGE_SETS

Capture = pytest.CaptureFixture[str]


def test_everything_is_listed(capsys: Capture) -> None:
    assert main(["data", "list"]) == 0
    output = capsys.readouterr().out
    for name in (*CATALOG, *IMAGE_SETS):
        assert f"  {name} " in output
    assert "142,210" not in output  # a total, and no split's size
    assert "120,624" in output
    assert "CC BY-NC-SA 4.0" in output


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_the_terminal(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, width: int, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.chdir(tmp_path)
    main(["data", "list"])
    main(["data", "list", "--root", "."])
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= width
    assert "…" not in output


def test_what_is_present_is_told(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "my data"
    (root / "refcoco").mkdir(parents=True)
    (root / "images" / "train2014").mkdir(parents=True)
    for name in ("instances.json", "refs(unc).p"):
        (root / "refcoco" / name).write_bytes(b"{}")
    for number in range(3):
        (root / "images" / "train2014" / f"{number}.jpg").write_bytes(b"jpeg")
    assert main(["data", "list", "refcoco", "refclef", "--root", "my data"]) == 0
    table = capsys.readouterr().out.split("Under")[1]
    rows = {tuple(line.split()[:2]): line for line in table.splitlines() if line.strip()}
    assert "complete" in rows["refcoco", "unc"]
    assert "3 of 82,783 in images/train2014" in rows["refcoco", "unc"]
    assert "without refs(google).p" in table
    assert rows["refclef", "unc"].split()[2:] == ["absent", "absent"]
    remedies = [line for line in table.splitlines() if line.startswith("refseg data download")]
    assert remedies == [
        "refseg data download refcoco --root 'my data'",
        "refseg data download refclef --root 'my data'",
        "refseg data download saiapr_tc-12 --root 'my data'",
    ]


def test_a_broken_archive_is_told(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "train2014.zip").write_bytes(b"PK\x03\x04 and no more")
    assert main(["data", "list", "train2014", "--root", str(tmp_path)]) == 0
    assert "broken archive" in capsys.readouterr().out


def test_wrong_names_and_roots_are_errors(tmp_path: Path, capsys: Capture) -> None:
    assert main(["data", "list", "recoco"]) == 2
    assert "did you mean refcoco?" in capsys.readouterr().err
    assert main(["data", "list", "--root", str(tmp_path / "absent")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_own_sets_are_listed(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a reader takes, and what is no known data set; images and other files are not."""
    monkeypatch.setenv("COLUMNS", "120")
    for name in (
        "dogs/annotations.csv",
        "[red] cats/annotations.jsonl",
        "refcoco_part/refs(unc).p",
        "refcoco_part/refs(google).p",
        "refcoco_part/instances.json",
        "many/grefs(unc).json",
        "hub/data/train-00000-of-00002.parquet",
        "hub/data/train-00001-of-00002.parquet",
        "phrases/image_data_split3000.json",
        "regions/referit_query_val.json",
        "refcoco+/annotations.csv",
        "refcoco/refs(unc).p",
        "referit/referit_query_train.json",
        "twice/annotations.csv",
        "twice/annotations.jsonl",
        "images/1.jpg",
        "notes/list.csv",
        ".hidden/annotations.csv",
        "annotations.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    assert main(["data", "list", "--root", str(tmp_path)]) == 0
    table = capsys.readouterr().out.split("Your own sets under")[1]
    lines = [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()]
    assert [line for line in lines if len(line) == 3 and "─" not in line[0]] == [
        ["data set", "format", "annotations"],
        [".", "one's own data", "annotations.csv"],
        ["[red] cats", "one's own data", "[red] cats/annotations.jsonl"],
        ["dogs", "one's own data", "dogs/annotations.csv"],
        [
            *("hub", "Hugging Face hub"),
            "hub/data/train-00000-of-00002.parquet, hub/data/train-00001-of-00002.parquet",
        ],
        ["many", "gRefCOCO", "many/grefs(unc).json without instances.json"],
        ["phrases", "PhraseCut", "phrases/image_data_split3000.json"],
        ["refcoco+", "one's own data", "refcoco+/annotations.csv"],
        ["refcoco_part", "REFER", "refcoco_part/refs(google).p, refcoco_part/refs(unc).p"],
        ["regions", "ReferIt", "regions/referit_query_val.json"],
        [
            *("twice", "one's own data"),
            "twice/annotations.csv, twice/annotations.jsonl (keep one of them)",
        ],
    ]
    assert f"refseg data verify NAME --root {tmp_path}" in " ".join(table.split())
    assert main(["data", "list", "dogs", "--root", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "dogs/annotations.csv" in output
    assert "twice" not in output
    assert "refclef" not in output
    assert main(["data", "list", "dogs"]) == 2
    assert "Unknown data set 'dogs'" in capsys.readouterr().err

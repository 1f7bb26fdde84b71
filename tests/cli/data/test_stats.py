"""`refseg data stats`: the table on the terminal and the page."""

import re
from pathlib import Path

import pytest

from refseg.__main__ import main

from ...data.fake_refer import annotations, write_annotations, write_fake_refer


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_refer(tmp_path_factory.mktemp("stats") / "root")


def numbers(output: str, label: str) -> list[str]:
    """The cells of the first row with a label."""
    row = re.search(rf"^ *{re.escape(label)}  (.*)$", output, re.MULTILINE)
    assert row, f"no row '{label}' in {output}"
    return re.findall(r"\S+(?: %)?", row[1])


def test_table(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["data", "stats", "fake", "--root", str(root)]) == 0
    output = capsys.readouterr().out
    # Per image: three objects with three, two and one sentences; four, one, one and one images.
    assert numbers(output, "expressions") == ["24", "6", "6", "6", "42"]
    assert numbers(output, "references") == ["12", "3", "3", "3", "21"]
    assert numbers(output, "references per image") == ["3.00"] * 5
    # 3 + 4 + 4 and 2 + 8 and 2 words: "man's" is two, so is "café table".
    assert numbers(output, "mean") == ["3.83"] * 5
    assert numbers(output, "words unknown to train") == ["0.00 %"] * 4 + ["–"]
    # "box on the left", "red thing, far left", "second hat from the right" of six.
    assert numbers(output, "position") == ["50.0 %"] * 5
    assert "most frequent words: the " in output


def test_one_split(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", "fake", "--root", str(root), "--splits", "val"]) == 0
    assert numbers(capsys.readouterr().out, "expressions") == ["6"]
    assert main(["data", "stats", "fake", "--root", str(root), "--splits", "dev"]) == 2
    assert "Unknown split 'dev'" in capsys.readouterr().err


def test_page(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "fake.html"
    assert main(["data", "stats", "fake", "--root", str(root), "--output", str(path)]) == 0
    assert capsys.readouterr().out.endswith(f"{path}\n")
    page = path.read_text()
    assert "<h1>fake (unc)</h1>" in page
    assert "<dd>42</dd><dt>expressions</dt>" in page
    assert page.count("Plotly.newPlot(") >= 6
    assert "<th scope=row>position</th><td>50.0\u00a0%</td>" in page


def test_bad_records_are_left_out_and_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    refs, instances = annotations()
    del refs[0]["sentences"]
    write_fake_refer(root)
    write_annotations(root, refs, instances)
    assert main(["data", "stats", "fake", "--root", str(root)]) == 0
    captured = capsys.readouterr()
    assert numbers(captured.out, "references")[-1] == "20"
    assert "1 records of fake cannot be read" in captured.err
    for ref in refs:
        ref.pop("sentences", None)
    write_annotations(root, refs, instances)
    assert main(["data", "stats", "fake", "--root", str(root)]) == 2
    assert "has no usable reference" in capsys.readouterr().err

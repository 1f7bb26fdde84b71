"""The digest of all that a command names."""

from pathlib import Path

import pytest

from refseg.cli.configs.origin import origin


def test_tells_the_contents_of_all_files_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("parts").mkdir()
    Path("own.yaml").write_text("base: [rmi.yaml]\nmodel: {fusion: parts/mine.yaml}\n")
    Path("parts/mine.yaml").write_text("class_path: FiLM\nbeside: other.yaml\n")
    Path("parts/other.yaml").write_text("a: 1\n")
    Path("free.yaml").write_text("a: 1\n")
    words = ["refseg", "fit", "--config", "own.yaml", "--trainer.logger=logger/csv.yaml"]
    first = origin(words)
    assert origin(words) == first
    Path("free.yaml").write_text("a: 2\n")  # which nothing names
    assert origin(words) == first
    found = {first}
    for name in ("own.yaml", "parts/mine.yaml", "parts/other.yaml"):
        path = Path(name)
        path.write_text(path.read_text() + "# changed\n")
        found.add(origin(words))
    Path("rmi.yaml").write_text("base: [rmi.yaml]\n")  # of one's own, in place of the package's
    found.add(origin(words))
    assert len(found) == 5
    assert origin([*words, "--model.decoder=absent.yaml"]) in found, "the command will say so"

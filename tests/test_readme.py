"""The README is short, and each of its commands and lines of Python runs as it stands."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from refseg.__main__ import main

from .conftest import TINY

README = Path(__file__).parents[1] / "README.md"
# what makes a command quick; its own words stay
SMALLER = {
    "fit": list(TINY),
    "test": ["--data.num_workers=0", "--trainer.enable_progress_bar=false"],
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.S)


def commands() -> list[list[str]]:
    """The words of each `refseg …`, in order."""
    lines = "\n".join(blocks("bash")).replace(" && ", "\n").splitlines()
    split = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in split if words[:1] == ["refseg"]]


def test_one_screen_and_a_half() -> None:
    assert len(README.read_text().splitlines()) <= 120


def test_the_command_that_the_whole_check_runs() -> None:
    marked = README.read_text().split("<!-- test command -->\n```bash\n")[1].split("\n```")[0]
    assert marked == 'pip install -e ".[test]" && pytest -n 2 --dist loadfile'


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README.read_text())
    here = [link for link in links if not link.startswith("http")]
    assert len(here) > 10
    assert [link for link in here if not (README.parent / link).exists()] == []


@pytest.mark.slow
def test_commands_and_python(
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(photo, "photo.png")
    verbs = []
    for words in commands():
        verbs.append(words[0])
        assert main([*words, *SMALLER.get(words[0], [])]) == 0, words
    assert verbs == ["fit", "segment", "test", "fit", "compare", "report"]
    assert Path("runs/rmi/validate/results.parquet").is_file()
    (python,) = blocks("python")
    names: dict[str, object] = {}
    exec(python, names)
    mask = names["mask"]
    assert isinstance(mask, np.ndarray)
    assert mask.dtype == np.bool_

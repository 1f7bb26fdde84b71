"""Fixtures for the tests of data."""

import os
import shutil
from pathlib import Path

import pytest

from refseg.data import cache
from refseg.data.readers import read_references
from refseg.data.references import References

from .fake_mixture import write_fake_mixture
from .fake_refer import write_fake_refer


@pytest.fixture(scope="session")
def fake_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set `fake`, which no test may change."""
    return write_fake_refer(tmp_path_factory.mktemp("fake") / "root")


@pytest.fixture
def own_root(fake_root: Path, tmp_path: Path) -> Path:
    """A copy of `fake_root` that a test may change, without the table that others had cached."""
    without_cache = shutil.ignore_patterns(".refseg")
    return Path(shutil.copytree(fake_root, tmp_path / "root", ignore=without_cache))


@pytest.fixture
def settled_root(own_root: Path) -> Path:
    """A data set whose files are old enough for their times to be believed."""
    for path in (own_root / "fake").iterdir():
        os.utime(path, ns=(10**18, 10**18))
    return own_root


@pytest.fixture(scope="session")
def mixed_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three data sets on the same photographs, which no test may change."""
    return write_fake_mixture(tmp_path_factory.mktemp("mixed") / "root")


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that grows by one byte with each reading of the annotations, in whatever process."""
    counter = tmp_path / "builds"
    counter.touch()

    def counting(*args: object) -> References:
        with counter.open("a") as file:
            file.write(".")
        return read_references(*args)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(cache, "read_references", counting)
    return counter

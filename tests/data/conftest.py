"""Fixtures for the tests of data."""

import shutil
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def mixed_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three data sets on the same photographs, which no test may change."""
    return write_fake_mixture(tmp_path_factory.mktemp("mixed") / "root")

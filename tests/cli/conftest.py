"""Fixtures for the tests of verbs."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from .fake_sweep import Place

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A browser without a window; else skip."""
    reason = "playwright is not installed"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    options = ["--no-sandbox", "--disable-gpu"]
    with playwright.sync_playwright() as run:
        chromium = run.chromium.launch(executable_path=found, args=options)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def drawn_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of two models with two seeds each, drawn at random."""
    from ..analysis.fake_results import draw_results
    from .report_pages import write_run

    root = tmp_path_factory.mktemp("drawn")
    for seed in range(2):
        write_run(root / f"rmi-{seed}", draw_results(60, noise=seed, skill=0.5))
        write_run(root / f"lstm-{seed}", draw_results(60, noise=10 + seed))
    return root


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Place":
    """A folder with a sweep whose runs are a small script."""
    from .fake_sweep import Place

    monkeypatch.setenv("COLUMNS", "200")  # room for the table
    return Place(tmp_path)

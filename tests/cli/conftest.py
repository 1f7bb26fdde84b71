"""Fixtures for the tests of verbs."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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

"""The page as a visitor has it: in a browser, and with eight visitors at once."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from refseg.__main__ import main

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SECONDS = float(os.environ.get("REFSEG_APP_SECONDS", "10"))


def test_without_gradio_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["app"]) == 2
    assert 'pip install "refseg[app]"' in capsys.readouterr().err


@pytest.fixture(scope="module")
def server(eager: Path) -> Iterator[tuple[str, int]]:
    """Address and process of a page."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    command = [sys.executable, "-m", "refseg", "app", "--checkpoint", str(eager), "--port", "7893"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = next((line for line in process.stdout if "The page" in line), "")
        try:
            yield re.findall(r"http://\S+", line)[0], process.pid
        finally:
            process.terminate()


@pytest.mark.slow
def test_a_visitor_sees_masks_words_and_messages(
    server: tuple[str, int], browser: "Browser", photo: Path, tmp_path: Path
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    wrong: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda one: hosts.add(one.url.split("/")[2]))
    page.goto(server[0])
    page.wait_for_selector("#sentences textarea")
    page.wait_for_timeout(1000)
    assert page.evaluate("document.documentElement.scrollWidth") == 390

    page.set_input_files("input[type=file]", photo)
    page.fill("#sentences textarea", "the red circle\nthe star")
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Segment").click()
    page.wait_for_selector("#masks img")
    page.wait_for_selector("#belief img")
    assert page.locator("#masks").get_by_text("the star").count() == 1
    assert "2 sentences in" in page.locator("#took").inner_text()
    page.wait_for_timeout(1000)
    assert page.evaluate("document.documentElement.scrollWidth") == 390, "nothing is too wide"
    masks, examples = (page.locator(f"#{name}").bounding_box() for name in ("masks", "examples"))
    assert masks
    assert examples
    assert masks["y"] < examples["y"], "the answer is seen without scrolling past examples"

    def belief() -> list[str]:
        found: list[str] = page.locator("#belief img").evaluate_all("all => all.map(e => e.src)")
        return found

    whole = belief()
    page.locator("#word input[type=number]").fill("1")
    page.locator("#word input[type=number]").press("Enter")
    _until(lambda: belief() != whole)

    (tmp_path / "notes.png").write_text("no image")
    page.get_by_label("Remove Image").first.click()
    page.set_input_files("input[type=file]", tmp_path / "notes.png")
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Segment").click()
    page.wait_for_selector(".toast-wrap >> text=Cannot read the image notes.png")
    assert wrong == []
    assert hosts == {server[0].split("/")[2]}
    page.close()


@pytest.mark.slow
def test_eight_visitors_at_once_are_answered_and_leave_no_memory_behind(
    server: tuple[str, int], photo: Path, tmp_path: Path
) -> None:
    client = pytest.importorskip("gradio_client")
    (tmp_path / "notes.png").write_text("no image")
    pictures = [tmp_path / f"{number}.png" for number in range(8)]
    with Image.open(photo) as image:
        for number, path in enumerate(pictures):
            image.resize((100 + number, 80)).save(path)
    visitors = [client.Client(server[0], verbose=False) for _ in range(8)]

    def visit(number: int) -> tuple[int, int]:
        answered = refused = 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            is_bad = (answered + refused + number) % 4 == 0
            path = tmp_path / "notes.png" if is_bad else pictures[number]
            file = client.handle_file(str(path))
            try:
                visitors[number].predict(file, "the red circle\nthe star", api_name="/answer")
                answered += 1
            except client.exceptions.AppError as error:
                assert "Cannot read the image notes.png" in str(error)  # noqa: PT017 - others are right
                refused += 1
        return answered, refused

    def burst() -> list[tuple[int, int]]:
        with ThreadPoolExecutor(8) as pool:
            return [*pool.map(visit, range(8))]

    burst()
    before = _memory(server[1])
    counts = burst()
    assert all(answered and refused for answered, refused in counts)
    assert _memory(server[1]) - before < 100e6


def _until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)


def _memory(process: int) -> float:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        pytest.skip("this system does not tell the memory of a process")
    return 1024 * float(re.findall(r"VmRSS:\s+(\d+)", status.read_text())[0])

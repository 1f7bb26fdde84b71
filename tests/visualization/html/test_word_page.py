"""The page on which words are chosen."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from refseg.visualization import heat, word_page

HOSTILE = ["<script>alert(1)</script>", '"quoted"', "$image", "left"]


class Page(HTMLParser):
    """Collects the tags and the texts of buttons."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.buttons: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "button" and data.strip():
            self.buttons.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def picture(address: str | None) -> np.ndarray:
    assert address is not None
    assert address.startswith("data:image/jpeg;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_a_page_that_stands_alone_and_escapes_what_it_shows() -> None:
    image = np.full((60, 80, 3), 90, dtype=np.uint8)
    maps = np.linspace(0, 1, 4, dtype=np.float32)[:, None, None] * np.ones((4, 60, 80), np.float32)
    text = word_page(image, HOSTILE, maps, 2 * maps - 1, side=80)
    page = Page(text)
    assert page.buttons[:4] == HOSTILE
    assert len(page.of("script")) == 1
    assert "alert(1)" not in "".join(key for _, attributes in page.tags for key in attributes)
    steps = [attributes for attributes in page.of("div") if attributes.get("class") == "step"]
    assert len(steps) == 4
    addresses = [
        value
        for _, attributes in page.tags
        for key, value in attributes.items()
        if key in {"src", "href", "srcset", "action"}
    ]
    assert len(addresses) == 1 + 2 * 4 + 2
    assert all((address or "").startswith("data:image/") for address in addresses)
    for forbidden in ("http:", "https:", "url(", "@import"):
        assert forbidden not in text
    images = page.of("img")
    shown = picture(images[1]["src"]).astype(int)
    assert np.abs(shown - heat(image, maps[0])).mean() < 3
    assert images[-1]["alt"] == "from dark blue to yellow"
    assert "mean activation -1.00" in text

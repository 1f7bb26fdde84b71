"""Files that Pillow cannot open are named, with what to do."""

import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from refseg.data.images import read_image
from refseg.data.readers.mask_files import read_mask_file
from refseg.errors import DataError


def media(brand: bytes) -> bytes:
    """The beginning of a file in ISO's container of media."""
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + b"\0" * 200


def floating_tiff() -> bytes:
    """A TIFF of one pixel with three channels of 32-bit fractions, which Pillow does not read."""
    tags = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 3, 158), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 170), (277, 3, 1, 3), (278, 4, 1, 1), (279, 4, 1, 12), (339, 3, 3, 164)]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    body += b"\0" * (158 - len(head) - len(body))
    return head + body + struct.pack("<6H", 32, 32, 32, 3, 3, 3) + struct.pack("<3f", 1, 0, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (media(b"heic"), "it is HEIC, .*convert it to JPEG or PNG.*pip install pillow-heif"),
        (media(b"mif1"), "it is HEIC"),
        (media(b"isom"), "it is a video"),
        (media(b"crx "), "the raw file of a camera"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 50, "it is JPEG XL; convert it to JPEG or PNG"),
        (b"%PDF-1.7 and so on", "it is a PDF"),
        (b"<html>404</html>", "it is a web page"),
        (floating_tiff(), "TIFF .* with 3 channels of 32-bit fractions; convert .* with 8 bits"),
        (b"II*\0 and nothing else", "TIFF .* with an unknown kind of pixels"),
    ],
)
def test_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_image(path)
    assert "cut short" not in str(caught.value)
    with pytest.raises(DataError, match=message):
        read_mask_file(path, 4, 4, "here")


def test_what_is_unknown_may_be_cut_short(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"nothing that anybody knows")
    with pytest.raises(DataError, match="cut short"):
        read_image(tmp_path / "photo.jpg")


def test_heic_is_read_where_pillow_heif_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pixels = np.full((64, 96, 3), (200, 100, 50), np.uint8)
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(tmp_path / "photo.heic")
    assert np.abs(read_image(tmp_path / "photo.heic").astype(int) - pixels).max() < 20


def test_what_reads_heic_is_registered_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    reader = SimpleNamespace(register_heif_opener=lambda: calls.append(1))
    monkeypatch.setitem(sys.modules, "pillow_heif", reader)
    (tmp_path / "photo.heic").write_bytes(media(b"heic"))
    with pytest.raises(DataError, match=r"photo\.heic"):  # it is still damaged
        read_image(tmp_path / "photo.heic")
    assert calls

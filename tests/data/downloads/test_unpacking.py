"""Archives that want to do harm, and those that people really have."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from refseg.data.downloads import Listener, archives, unpacking
from refseg.data.downloads.unpacking import unpack
from refseg.errors import DataError

WANTED = ("instances.json", "refs(*).p")
FILES = {"instances.json": b"{}", "refs(unc).p": b"pickle"}


def zipped(path: Path, files: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], *special: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in special:
            archive.addfile(member)
    return path


def under(prefix: str, files: dict[str, bytes] = FILES) -> dict[str, bytes]:
    return {prefix + name: data for name, data in files.items()}


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("prefix", ["", "refcoco/", "data/refer/refcoco/"])
@pytest.mark.parametrize(
    ("make", "name"), [(zipped, "a.zip"), (tarred, "a.tar.gz"), (tarred, "a.tar")]
)
def test_the_content_is_found_however_it_was_packed(
    tmp_path: Path, prefix: str, make: Callable[[Path, dict[str, bytes]], Path], name: str
) -> None:
    junk = {"__MACOSX/" + key: b"x" for key in under(prefix)}
    path = make(tmp_path / name, junk | under(prefix) | {"elsewhere/readme": b"x"})
    new = unpack(path, WANTED, tmp_path / "root" / "refcoco", Listener())
    found = content_of(tmp_path / "root")
    assert {f"refcoco/{name}": data for name, data in FILES.items()}.items() <= found.items()
    assert set(new) >= set(FILES)
    if prefix:
        assert len(found) == 2


def test_an_archive_that_a_program_of_windows_packed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", under("data\\refcoco\\"))
    assert sorted(unpack(path, WANTED, tmp_path / "refcoco", Listener())) == sorted(FILES)
    assert content_of(tmp_path / "refcoco") == FILES


def test_what_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "refcoco"
    folder.mkdir()
    (folder / "instances.json").write_bytes(b"mine")
    path = zipped(tmp_path / "a.zip", under("refcoco/"))
    assert unpack(path, WANTED, folder, Listener()) == ["refs(unc).p"]
    assert content_of(folder) == {"instances.json": b"mine", "refs(unc).p": b"pickle"}


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def zip_with_link(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
        entry = zipfile.ZipInfo("refs(google).p")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return path


def encrypted(path: Path) -> Path:
    data = bytearray(zipped(path, FILES).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory of the archive
    path.write_bytes(data)
    return path


def twice(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in FILES:
            archive.writestr(name, b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("instances.json", b"{}")
    return path


def cut(path: Path, keep: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def damaged(path: Path) -> Path:
    data = bytearray(zipped(path, FILES).read_bytes())
    data[data.index(b"pickle")] ^= 1
    path.write_bytes(data)
    return path


HARM = {
    "up": lambda p: zipped(p, FILES | {"../evil": b"x"}),
    "up within": lambda p: zipped(p, FILES | {"a/../../evil": b"x"}),
    "absolute": lambda p: zipped(p, FILES | {"/tmp/evil": b"x"}),
    "backslash": lambda p: zipped(p, FILES | {"..\\evil": b"x"}),
    "drive": lambda p: zipped(p, FILES | {"C:evil": b"x"}),
    "link": zip_with_link,
    "encrypted": encrypted,
    "twice": twice,
    "damaged": damaged,
    "tar up": lambda p: tarred(p, FILES | {"../evil": b"x"}),
    "tar absolute": lambda p: tarred(p, FILES | {"/evil": b"x"}),
    "tar link": lambda p: tarred(p, FILES, link("a", "/etc/passwd", tarfile.SYMTYPE)),
    "tar hard link": lambda p: tarred(p, FILES, link("a", "../../b", tarfile.LNKTYPE)),
    "tar device": lambda p: tarred(p, FILES, link("a", "", tarfile.CHRTYPE)),
    "tar pipe": lambda p: tarred(p, FILES, link("a", "", tarfile.FIFOTYPE)),
    "cut": lambda p: cut(zipped(p, FILES), 0.8),
    "tar cut": lambda p: cut(tarred(p, {**FILES, "big": bytes(range(256)) * 200}), 0.5),
    "no archive": lambda p: p.write_bytes(b"<html>") and p,
    "empty": lambda p: p.write_bytes(b"") or p,
    "other content": lambda p: zipped(p, {"refcoco/instances.json": b"{}"}),
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_refused_and_leaves_nothing_behind(tmp_path: Path, harm: str) -> None:
    path = HARM[harm](tmp_path / "a.zip")
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"a\.zip"):
        unpack(path, WANTED, tmp_path / "root" / "refcoco", Listener())
    assert content_of(tmp_path) == {"a.zip": before}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 10_000)
    monkeypatch.setattr(unpacking, "_extract", None)  # never called
    files = FILES | {"zeros": bytes(5_000_000)}
    if kind == "zip":
        path = zipped(tmp_path / "a.zip", files, compression=zipfile.ZIP_DEFLATED)
    else:
        path = tarred(tmp_path / "a.tar.gz", files)
    with pytest.raises(DataError, match="would grow"):
        unpack(path, WANTED, tmp_path / "refcoco", Listener())


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 5)
    many = {str(number): b"" for number in range(5)}
    for path in (zipped(tmp_path / "a.zip", FILES | many), tarred(tmp_path / "b", FILES | many)):
        with pytest.raises(DataError, match="or 5 files"):
            unpack(path, WANTED, tmp_path / "refcoco", Listener())


def test_a_directory_that_lies_about_sizes_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", FILES)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24  # the size before compression, in the directory
    data[place : place + 4] = (3).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DataError):
        unpack(path, WANTED, tmp_path / "root" / "refcoco", Listener())
    assert not content_of(tmp_path / "root")


def test_what_does_not_fit_on_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=3))
    with pytest.raises(DataError, match="make room"):
        unpack(zipped(tmp_path / "a.zip", FILES), WANTED, tmp_path / "refcoco", Listener())

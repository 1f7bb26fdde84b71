"""Brings each file of a data set to its place under a root: found there, given, or downloaded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from refseg.data.catalog import ImageSet, KnownDataset, KnownFile
from refseg.data.downloads.contents import check_ends
from refseg.data.downloads.given import Given, find_given, place_archive, take
from refseg.data.downloads.mirrors import PATIENCE, Patience, fetch
from refseg.data.downloads.progress import Listener
from refseg.data.presence import find_images, lacks
from refseg.errors import DataError

LOCK = ".refseg-download.lock"
DOWNLOADS = "downloads"
"""Folder under the root for what is under way; it goes when all is in place."""


def download_path(root: Path, file: KnownFile) -> Path:
    """Where a downloaded file lies until it is moved to its place."""
    return root / DOWNLOADS / file.folder / file.name


@dataclass
class Delivery:
    """One call of `refseg data download`.

    Args:
        root: the folder of the data.
        given: files and folders of the user's, which come before any mirror.
        unpack_images: unpack also images that could be read out of their archive.
        listener: is told what happens.
        patience: how long to put up with a mirror.

    Attributes:
        taken: those of `given` that something was taken from.
    """

    root: Path
    given: Sequence[Path] = ()
    unpack_images: bool = False
    listener: Listener = field(default_factory=Listener)
    patience: Patience = PATIENCE
    taken: set[Path] = field(default_factory=set, init=False)

    def deliver(self, *wanted: KnownDataset | ImageSet) -> list[KnownFile]:
        """Bring all files to their places that are not there yet.

        What is there is checked and left alone. Only one process works on a root at a time;
        another one waits, and then finds the files.

        Returns:
            The files that no mirror gave and that nobody has: the user has to get them.

        Raises:
            DataError: a file that is there is broken, or the root cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with self._lock():
                return [file for what in wanted for file in self._deliver(what)]
        except OSError as error:
            raise DataError(
                f"Cannot write under {self.root} ({error.strerror}: {error.filename}); give a "
                "folder of yours with --root."
            ) from None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        lock = FileLock(self.root / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.listener.line(f"waiting: another download is under way in {self.root}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _deliver(self, what: KnownDataset | ImageSet) -> list[KnownFile]:
        if isinstance(what, ImageSet) and self._has_images(what):
            return []
        needs = [] if isinstance(what, ImageSet) else [*what.needs.values()]
        return [file for file in what.files if not self._bring(file, needs)]

    def _has_images(self, images: ImageSet) -> bool:
        present = find_images(self.root, images)
        if present is None:
            return False
        if present.problem:
            raise DataError(f"{present.problem}; delete it, then run the command again.")
        if present.is_archive and self.unpack_images:
            return False
        if len(images.files) > 1 and present.images < images.enough:
            return False  # one part of several
        count = f"{present.images:,} of {images.images:,} images"
        self.listener.line(f"{images.name}: {present.place} is there already ({count})")
        return True

    def _bring(self, file: KnownFile, needs: Sequence[Sequence[str]]) -> bool:
        absent = lacks(self.root, file, unpacked=self.unpack_images)
        self._check_present(file, absent)
        if not absent:
            return True
        places = [*self.given, *self._own_archives(file)]
        # All that is absent, or at least enough for one partition.
        wanted = [absent, *([p for p in need if p in absent] for need in needs)]
        given = find_given(places, file, [patterns for patterns in wanted if patterns])
        if given is not None:
            self.taken.add(given.place)
            take(given, file, self.root, unpacked=self.unpack_images, listener=self.listener)
            absent = lacks(self.root, file, unpacked=self.unpack_images)
        return not absent or self._fetch(file)

    def _own_archives(self, file: KnownFile) -> list[Path]:
        """Where people leave an archive under the root."""
        folder = self.root / file.folder
        folders = [self.root, self.root / DOWNLOADS, folder, folder.parent]
        paths = [folder / file.name for folder in folders] if file.is_archive else []
        kept = self.root / file.kept_as if file.kept_as else None
        return [path for path in paths if path.is_file() and (self.unpack_images or path != kept)]

    def _fetch(self, file: KnownFile) -> bool:
        target = download_path(self.root, file)
        try:
            if fetch(file, target, self.listener, self.patience) is None:
                return False
        finally:
            self._tidy(target.parent)
        if file.is_archive:
            given = Given(target, file.holds, target)
            place_archive(
                given,
                file,
                self.root,
                unpacked=self.unpack_images,
                move=True,
                listener=self.listener,
            )
        else:
            place = self.root / file.folder / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            target.replace(place)
            self.listener.line(f"{file.name}: put into {place.parent}")
        self._tidy(target.parent)
        return True

    def _tidy(self, folder: Path) -> None:
        with suppress(OSError):  # a folder that is not empty has something to go on from
            for name in (folder / "x").relative_to(self.root).parents[:-1]:
                (self.root / name).rmdir()

    def _check_present(self, file: KnownFile, absent: Sequence[str]) -> None:
        present = [pattern for pattern in file.holds if pattern not in absent]
        folder = self.root / file.folder
        for pattern in present:
            for path in sorted(folder.glob(pattern))[:1]:
                check_ends(path)
        if present:
            verb = "is" if len(present) == 1 else "are"
            self.listener.line(f"{file.name}: {', '.join(present)} {verb} in {folder} already")

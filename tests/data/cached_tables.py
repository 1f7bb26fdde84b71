"""What lies in the cache of a data set."""

from pathlib import Path

from refseg.data.cache import BESIDE
from refseg.data.references import References


def rows(references: References) -> list[dict[str, object]]:
    return references.table.to_pylist()


def kept(root: Path) -> list[str]:
    """The kinds of files in the cache."""
    return sorted(path.suffix for path in (root / "fake" / BESIDE).iterdir() if path.suffix)


def table_file(root: Path) -> Path:
    (path,) = (root / "fake" / BESIDE).glob("*.arrow")
    return path

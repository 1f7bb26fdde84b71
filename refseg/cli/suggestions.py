"""What the user may have meant by a word that is not known."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known word; empty where none is near.

    Options are compared without their dashes, and by their last parts too, so that one whose
    beginning is forgotten (`--batch_size` for `--data.batch_size`) is found.

    Args:
        word: as the user wrote it.
        known: what could have been written.

    Example:
        >>> did_you_mean("segmnt", ["fit", "segment"])
        ' Did you mean segment?'
        >>> did_you_mean("--data.batch_sie", ["--data.batch_size", "--data.root"])
        ' Did you mean --data.batch_size?'
        >>> did_you_mean("--out", ["--output", "--root"])
        ' Did you mean --output?'
        >>> did_you_mean("photograph", ["fit"])
        ''
    """
    found = nearest(word, known)
    return f" Did you mean {found}?" if found else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest to a word; None where none is near.

    Args:
        word: as the user wrote it.
        known: what could have been written.
    """
    plain: dict[str, str] = {}
    for candidate in known:
        plain.setdefault(_plain(candidate), candidate)
    wanted = _plain(word)
    if wanted in plain:
        return plain[wanted]
    close = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.75)
    if close:
        return plain[close[0]]
    longer = sorted((name for name in plain if name.startswith(wanted)), key=len)
    if longer and len(wanted) > 2:
        return plain[longer[0]]
    ends: dict[str, str] = {}
    for name in sorted(plain, key=len):
        ends.setdefault(name.rpartition(".")[2], name)
    close = difflib.get_close_matches(wanted.rpartition(".")[2], ends, n=1, cutoff=0.8)
    return plain[ends[close[0]]] if close else None


def _plain(word: str) -> str:
    return word.lstrip("-").replace("-", "_")

"""Models by their names on the Hugging Face hub."""

import re
from pathlib import Path
from typing import NamedTuple

from refseg.checkpoint.folder import FILES
from refseg.errors import CheckpointError

# `owner/name`, perhaps with a branch, tag or commit behind it.
_NAME = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w./-]+))?", re.ASCII)
_SUFFIXES = {".bin", ".ckpt", ".h5", ".json", ".npz", ".pt", ".pth", ".safetensors", ".yaml"}

LOG_IN = "`hf auth login`, or the environment variable HF_TOKEN"
"""How the hub learns who asks."""


class HubName(NamedTuple):
    """A model on the hub.

    Args:
        name: owner and name, with a slash between them.
        revision: a branch, tag or commit; None: the newest one.
    """

    name: str
    revision: str | None = None


def is_owner_and_name(text: str) -> bool:
    """Whether a text names a model on the hub, without a revision.

    Args:
        text: what the user wrote.
    """
    match = _NAME.fullmatch(text)
    return match is not None and match[2] is None


def hub_name(text: str) -> HubName | None:
    """The name on the hub that a text is; None where it can only be a path.

    A path is what exists, what has the ending of a file, and what stands in a folder that exists.

    Args:
        text: what the user wrote: `owner/name`, or `owner/name@revision`.

    Example:
        >>> hub_name("ada/rmi-shapes@v1")
        HubName(name='ada/rmi-shapes', revision='v1')
        >>> hub_name("runs/best.ckpt"), hub_name("a/b/c"), hub_name("best")
        (None, None, None)
    """
    match = _NAME.fullmatch(text)
    if match is None or Path(text).exists() or Path(match[1]).suffix in _SUFFIXES:
        return None
    return None if Path(match[1]).parent.is_dir() else HubName(match[1], match[2])


def download(model: HubName) -> Path:
    """Get the files of a model, unless they are in the cache already; no others.

    Args:
        model: its name.

    Returns:
        The folder with them, in the cache of the hub's library.

    Raises:
        CheckpointError: there is no such model or revision, it is not open to this user, or the hub
            cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name = model.name
    try:
        folder = snapshot_download(
            name, revision=model.revision, allow_patterns=[*FILES], library_name="refseg"
        )
    except GatedRepoError:
        raise CheckpointError(
            f"The model '{name}' on the Hugging Face hub is open to those who asked for it: ask on "
            f"its page, then log in ({LOG_IN})."
        ) from None
    except RepositoryNotFoundError:
        raise CheckpointError(
            f"There is no file or folder '{name}' here, and no such model on the Hugging Face hub, "
            f"or it is private: correct the name, or log in ({LOG_IN})."
        ) from None
    except RevisionNotFoundError:
        raise CheckpointError(
            f"The model '{name}' on the Hugging Face hub has no revision '{model.revision}'; name "
            "a branch, a tag or a commit of it."
        ) from None
    except LocalEntryNotFoundError as error:
        reason = _first_line(error.__cause__ or error)
        raise CheckpointError(
            f"There is no file or folder '{name}' here, and the Hugging Face hub cannot be reached "
            f"to look for it there ({reason}); correct the path, or run `hf download {name} "
            "--local-dir FOLDER` where there is a network, and name the folder."
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The model '{name}' cannot be had from the Hugging Face hub ({_first_line(error)}); "
            "try again, or correct the name."
        ) from None
    return Path(folder)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__

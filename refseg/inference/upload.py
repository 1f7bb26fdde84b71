"""Putting the folder of a model on the Hugging Face hub."""

from pathlib import Path

from refseg.checkpoint.folder import FILES, LIBRARY
from refseg.checkpoint.hub import LOG_IN, is_owner_and_name
from refseg.errors import ConfigError


def push_folder(
    folder: Path, name: str, *, private: bool = False, message: str | None = None
) -> str:
    """Put a model on the Hugging Face hub; files of an earlier one that it lacks go.

    Args:
        folder: that `write_folder` wrote.
        name: `owner/name`; the model is made there if it is new.
        private: a new one is open to its owner only.
        message: of the commit.

    Returns:
        The address of the model.

    Raises:
        ConfigError: nobody is logged in, or may not write there, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi

    check_can_push(name)
    api = HfApi(library_name=LIBRARY)
    try:
        address = api.create_repo(name, private=private or None, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=[*FILES],
            delete_patterns=[*FILES],
            commit_message=message or "Upload a model of refseg",
        )
    except (OSError, ValueError, RuntimeError) as error:
        cause = error.__cause__ or error
        reason = " ".join(str(cause).split())[:300].rstrip(".") or type(cause).__name__
        status = getattr(getattr(cause, "response", None), "status_code", None)
        remedy = (
            f"log in as one who may write there: {LOG_IN}"
            if status in (401, 403)
            else ("see whether there is a network, and run the command again")
        )
        raise ConfigError(
            f"The model cannot be put on the Hugging Face hub as '{name}' ({reason}); {remedy}."
        ) from None
    return str(address)


def check_can_push(name: str) -> None:
    """Make sure that a name is one of the hub, and that somebody is logged in.

    Args:
        name: of a model, `owner/name`.

    Raises:
        ConfigError: it is none, or nobody is.
    """
    from huggingface_hub import get_token

    if not is_owner_and_name(name):
        raise ConfigError(
            "Expected the name of a model on the Hugging Face hub, OWNER/NAME of letters, digits "
            f"and - _ . , got '{name}'."
        )
    if get_token() is None:
        raise ConfigError(
            f"Nobody is logged in to the Hugging Face hub on this machine; log in with a token "
            f"that may write: {LOG_IN}."
        )

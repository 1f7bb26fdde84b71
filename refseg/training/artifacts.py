"""Checkpoints that are artifacts of W&B: `wandb:ENTITY/PROJECT/NAME:ALIAS`."""

from pathlib import Path
from typing import Any

from refseg.errors import CheckpointError, ConfigError
from refseg.training.loggers import why_unreachable

PREFIX = "wandb:"
_EXPECTED = "`wandb:ENTITY/PROJECT/NAME:ALIAS`, as in `wandb:me/refseg/model-1a2b3c4d:best`"


def download(reference: str, folder: Path) -> Path:
    """Bring the checkpoint of an artifact here, and return its path.

    It is a file like any other: nothing that stands in it is executed when it is read.

    Args:
        reference: `wandb:ENTITY/PROJECT/NAME:ALIAS`; without an alias, `best` is meant.
        folder: a run's folder is made in it, `NAME-VERSION/checkpoints`.

    Raises:
        ConfigError: the reference has another form, W&B is not installed, nobody is logged in, or
            the server does not answer.
        CheckpointError: there is no such artifact, or it has no checkpoint, or several.
    """
    entity, project, name, alias = _parts(reference)
    try:
        import wandb
    except ImportError as error:
        raise ConfigError(
            f"{reference} is an artifact of W&B, which is not installed: `pip install wandb`."
        ) from error
    reason = why_unreachable()
    if reason is not None:
        raise ConfigError(f"{reference} is an artifact of W&B, which cannot be asked: {reason}.")
    try:
        artifact: Any = wandb.Api().artifact(f"{entity}/{project}/{name}:{alias}")
        target = folder / f"{name}-{artifact.version}" / "checkpoints"
        artifact.download(root=str(target))
    except (wandb.Error, ValueError, OSError) as error:
        raise CheckpointError(f"Expected {_EXPECTED}, got {reference}: {error}") from error
    found = sorted(target.glob("*.ckpt"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise CheckpointError(
            f"Expected one file *.ckpt in {reference}, as `refseg fit` uploads it, got {names}; "
            f"see {target}."
        )
    return found[0]


def _parts(reference: str) -> tuple[str, str, str, str]:
    path, _, alias = reference.removeprefix(PREFIX).partition(":")
    parts = path.split("/")
    if len(parts) != 3 or not all(parts) or any(part.startswith(".") for part in parts):
        raise ConfigError(f"Expected {_EXPECTED}, got {reference}.")
    return parts[0], parts[1], parts[2], alias or "best"

"""How checkpoints reach the disk: whole, or not at all."""

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins import TorchCheckpointIO

from refseg.checkpoint.reading import read_checkpoint, read_plain
from refseg.errors import CheckpointError
from refseg.files import remove_leftovers, replacing

_VERSION = "pytorch-lightning_version"  # Lightning reads checkpoints of older ones by it


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside the old one, and puts it in its place when it is complete.

    Lightning (2.6) writes into the folder of temporary files, often on another disk, and copies
    from there over the old checkpoint: a kill in the copy, or a full disk, took both. Here the old
    one stays until the new one is on the disk, whatever happens, and a writer that was killed
    leaves nothing that the next one does not clear away. It needs room for both, for a moment.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ANN401 - as in Lightning
    ) -> None:
        """Write a checkpoint to a file.

        Args:
            checkpoint: its content.
            path: of the file; an address (`s3://…`) is left to Lightning.
            storage_options: for plugins of other kinds; none are known here.

        Raises:
            CheckpointError: it cannot be written; what was there before is untouched.
        """
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        try:
            remove_leftovers(path)
            with replacing(path, durable=True) as temporary, temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            reason = _of_the_system(error)
            if reason is None:
                raise
            before = "; the one that was there before is untouched" if path.is_file() else ""
            raise CheckpointError(
                f"Cannot write the checkpoint {path}: {reason.strerror}{before}. Make room or "
                "choose another folder (--output), then go on."
            ) from error

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any | None = None,  # noqa: ANN401 - as in Lightning
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint, executing nothing in it.

        Args:
            path: of the file, or of the folder or model on the hub that `save_pretrained` wrote; an
                address (`s3://…`) is left to Lightning.
            map_location: for addresses.
            weights_only: of files it is always true.

        Raises:
            CheckpointError: it holds more than tensors and plain values, or is no checkpoint.
        """
        if "://" in str(path):
            return super().load_checkpoint(path, map_location, weights_only=True)
        if Path(path).is_file():
            content: dict[str, Any] = read_plain(Path(path))
            return content
        return {**read_checkpoint(path), "callbacks": {}, _VERSION: lightning.__version__}


def _of_the_system(error: BaseException | None) -> OSError | None:
    """The system's own error behind one of torch's, which says only that it could not go on."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error

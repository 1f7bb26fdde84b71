"""Reading the files that other systems' own PyTorch code wrote, executing nothing."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

from refseg.checkpoint.archive import is_archive
from refseg.checkpoint.reading import check_file
from refseg.errors import ConfigError
from refseg.models.weights.files import loading_errors


def read_torch_file(path: str | Path) -> dict[str, Any]:
    """The entries of a file of `torch.save`: tensors, plain values, options of a command line.

    What is not used is not read from the disk, the state of an optimiser for one.

    Args:
        path: of the file; the format before torch 1.6 does as well.

    Raises:
        ConfigError: the file is absent, cannot be read, or holds something else.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ConfigError(f"Expected a file of torch.save, found none at {path}; name yours.")
    try:
        check_file(path, and_older=True, and_options=True)
        with torch.serialization.safe_globals([Namespace]):
            content = torch.load(
                path, map_location="cpu", weights_only=True, mmap=is_archive(path) or None
            )
    except loading_errors() as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{path} cannot be read as a file of torch.save ({reason}); expected tensors, plain "
            "values and options of a command line, as the system's own code wrote them."
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(f"Expected entries with names in {path}, got another value.")
    return content

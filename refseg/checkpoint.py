"""Opening a checkpoint without running what is in it.

A checkpoint of refseg is a checkpoint of Lightning with everything that `segment` and `test` need:

* `hyper_parameters`: the classes and arguments of the network's parts;
* `state_dict`: the weights;
* `ReferringDataModule`: the tokenizer with its vocabulary, and the transform;
* `refseg`: the version that wrote it, the whole configuration of the run, as YAML, and
  `trained_on_evaluation_images`, which is true if images of evaluation splits were trained on, and
  None if nobody has checked; and `backbone_weights`, what the backbone's weights started as
  (`refseg.models.provenance`), which is None where nobody knows.
"""

import pickle
from pathlib import Path
from typing import Any

import torch

from refseg.errors import CheckpointError

PARTS = ("state_dict", "hyper_parameters", "ReferringDataModule")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint with `weights_only=True`: tensors and plain values, no code.

    Raises:
        CheckpointError: there is no such file, it is not a checkpoint, it holds objects that would
            have to be executed, or it was not written by refseg.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"Expected a checkpoint file, found none at {path}.")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is no checkpoint of refseg: it is not a file of plain tensors and values. "
            "Such files are refused, because reading them would run code of unknown origin."
        ) from error
    except Exception as error:  # whatever the bytes of some other file make the reader stumble over
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint; it is truncated or something else: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
    missing = (
        [part for part in PARTS if part not in checkpoint]
        if isinstance(checkpoint, dict)
        else list(PARTS)
    )
    if missing:
        raise CheckpointError(
            f"{path} is no complete checkpoint of refseg: it lacks {', '.join(missing)}. "
            "Use one that `refseg fit` wrote (RUN/checkpoints/*.ckpt)."
        )
    return checkpoint

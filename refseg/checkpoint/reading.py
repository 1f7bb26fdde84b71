"""Opening a checkpoint without running what is in it, be it a file, a folder or a name on the hub.

A checkpoint of refseg is a checkpoint of Lightning with everything that `segment` and `test` need:

* `hyper_parameters`: the classes and arguments of the network's parts;
* `state_dict`: the weights;
* `ReferringDataModule`: the tokenizer with its vocabulary, and the transform;
* `refseg`: the version that wrote it, the whole configuration of the run, as YAML, and
  `trained_on_evaluation_images`, which is true if images of evaluation splits were trained on, and
  None if nobody has checked; and `backbone_weights`, what the backbone's weights started as
  (`refseg.models.weights.provenance`), which is None where nobody knows.

A folder that `save_pretrained` wrote (`refseg.checkpoint.folder`) gives the same content, less what
a training needs to go on; from there on nobody knows the two apart.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from refseg.checkpoint.archive import NotAnArchiveError, is_archive, open_archive
from refseg.checkpoint.program import NotPlainError, follow
from refseg.errors import CheckpointError
from refseg.files import as_path

PARTS = ("state_dict", "hyper_parameters", "ReferringDataModule")

WEIGHTS_PREFIX = "segmenter."
"""Before the names of the network's weights."""

_INSIDE = {"ReferringDataModule": ("tokenizer", "transform")}
_SHARED = 4  # times that the bytes of a file may be values of tensors: some share theirs
_PICKLES_OF_OLD = 4  # a number, a version, the byte order, and then the content
_MOST_VALUES = 1_000_000


def read_checkpoint(path: str | Path, revision: str | None = None) -> dict[str, Any]:
    """Read a checkpoint: tensors and plain values, no code.

    A file is read with `weights_only=True`. Before, its archive and its pickle are looked through:
    what it takes to read is bounded by the size of the file. A folder holds JSON and safetensors.
    The parts that every checkpoint has are of their types.

    Args:
        path: of a file that `refseg fit` wrote, of a folder that `save_pretrained` wrote, or the
            name of a model on the Hugging Face hub (`owner/name`, or `owner/name@revision`), which
            is downloaded if it is not in the cache. What exists as a path is the path.
        revision: of a model on the hub: a branch, tag or commit.

    Raises:
        CheckpointError: there is no such file, it is not a checkpoint, it holds objects that would
            have to be executed, or it was not written by refseg.
    """
    path = as_path(path)
    if path.is_file() and revision is None:
        checkpoint = read_plain(path)
    else:
        checkpoint = _of_folder_or_hub(path, revision)
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
    _check_parts(checkpoint, path)
    return checkpoint


def _of_folder_or_hub(path: Path, revision: str | None) -> Any:  # noqa: ANN401 - as `read_plain`
    from refseg.checkpoint.folder import read_folder  # no need of those who have a file
    from refseg.checkpoint.hub import HubName, download, hub_name

    named = hub_name(str(path))
    if revision is not None:
        if named is None or named.revision not in (None, revision):
            raise CheckpointError(
                f"Expected the name of a model on the Hugging Face hub with the revision "
                f"'{revision}', got {path}; files and folders have no revisions."
            )
        named = HubName(named.name, revision)
    if named is not None:
        return read_folder(download(named), path)
    return read_folder(path, path) if path.is_dir() else read_plain(path)


def read_plain(path: Path) -> Any:  # noqa: ANN401 - whatever is in the file
    """Read the tensors and plain values of a file, whichever they are.

    Raises:
        CheckpointError: there is no such file, it is not one of `torch.save`, or it holds objects
            that would have to be executed.
    """
    if not path.is_file():
        raise CheckpointError(
            f"Expected a checkpoint file, found none at {path}; correct the path, or make it with "
            "`refseg fit`. (A folder that save_pretrained wrote, and the name of a model on the "
            "Hugging Face hub, OWNER/NAME, will do, too.)"
        )
    try:
        check_file(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        _check_tensors(checkpoint, path.stat().st_size)
    except (pickle.UnpicklingError, NotPlainError) as error:
        reason = f" ({error})" if isinstance(error, NotPlainError) else ""
        raise CheckpointError(
            f"{path} is no checkpoint of refseg: it is not a file of plain tensors and values"
            f"{reason}. Such files are refused, because reading them would run code of unknown "
            "origin."
        ) from error
    except Exception as error:  # whatever the bytes of some other file make the reader stumble over
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint; it is truncated or something else: "
            f"{str(error).splitlines()[0][:300] if str(error) else type(error).__name__}"
        ) from error
    return checkpoint


def check_file(path: Path, *, and_older: bool = False, and_options: bool = False) -> None:
    """Look through a file of `torch.save` before it is read.

    Args:
        path: of the file.
        and_older: the format before torch 1.6 is one, too.
        and_options: the options of a command line may be in it (`argparse.Namespace`).

    Raises:
        NotAnArchiveError: it is another kind of file.
        NotPlainError: it holds more than plain tensors and values, or lies about their sizes.
    """
    if is_archive(path):
        archive = open_archive(path)
        follow(io.BytesIO(archive.program), archive.records, and_options=and_options)
    elif not and_older:
        raise NotAnArchiveError("it is no file of torch.save")
    else:
        with path.open("rb") as file:
            pickles = [follow(file, and_options=and_options) for _ in range(_PICKLES_OF_OLD)]
            storages = pickles[-1]
        if sum(storages.values()) > path.stat().st_size:
            raise NotPlainError("its tensors say that they have more bytes than the file")


def _check_tensors(content: object, size: int) -> None:
    """See that tensors have no more values than the file: one value may pose as many.

    Raises:
        NotPlainError: they have.
    """
    total, seen, waiting = 0, set[int](), [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            needed = value.numel() * value.element_size()
            total += needed
            if needed > value.untyped_storage().nbytes() or total > _SHARED * size:
                raise NotPlainError(
                    f"a tensor of size {' × '.join(map(str, value.shape))} has not so many values"
                )
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting += dict.values(value) if isinstance(value, dict) else value
            if len(seen) > _MOST_VALUES:
                raise NotPlainError("it has no end")


def _check_parts(checkpoint: dict[str, Any], path: Path) -> None:
    """See that each part is a dictionary, of weights or of named values."""
    for part in (*PARTS, "refseg"):
        value = checkpoint.get(part, {} if part == "refseg" else None)
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise _damaged(path, f"Expected `{part}` to hold values by their names")
        for inside in _INSIDE.get(part, ()):
            if not isinstance(value.get(inside), dict):
                raise _damaged(path, f"Expected `{part}` to describe the {inside}")
    for name, weight in checkpoint["state_dict"].items():
        if not isinstance(weight, Tensor):
            raise _damaged(path, f"Expected tensors in `state_dict`, got another value as {name!r}")


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is no checkpoint of refseg as it was written: {reason}. "
        "Use one that `refseg fit` wrote (RUN/checkpoints/*.ckpt)."
    )

"""What was segmented already, so that work on many images goes on where it was stopped."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from refseg.errors import ConfigError
from refseg.files import write_text
from refseg.inference.pipeline import Pipeline
from refseg.inference.text_to_mask.base import TextToMaskModel
from refseg.types import RunLengths

if TYPE_CHECKING:
    from hashlib import _Hash as Hash


class KeptMask(NamedTuple):
    """What an expression names in an image.

    Args:
        mask: in the image's own size.
        score: as in `Segmentation`.
    """

    mask: RunLengths
    score: float


class Journal:
    """A file with a line for each image whose masks are made: its state, and the masks.

    The first line says what makes the masks. A line that a kill has cut short counts as not there.

    Args:
        path: of the file; it need not exist.
        made_by: what the masks follow from beside image and expression, plain values.
        overwrite: forget masks that something else made.

    Raises:
        ConfigError: the file has masks that something else made.
    """

    def __init__(self, path: Path, made_by: Mapping[str, Any], overwrite: bool = False) -> None:
        self.path = path
        self._masks: dict[tuple[str, str], tuple[list[int], KeptMask]] = {}
        header = json.dumps(dict(made_by), sort_keys=True)
        lines = path.read_bytes().split(b"\n") if path.is_file() else []
        complete = lines[:-1]  # behind the last line break there is nothing, or a part of a line
        if complete and complete[0] != header.encode():
            if not overwrite:
                raise ConfigError(
                    f"{path.parent} has masks of another checkpoint, or with other options of "
                    "DenseCRF; name another folder with --output, or start over with --overwrite."
                )
            complete = []
        if not complete:
            write_text(path, f"{header}\n")
        elif lines[-1]:
            os.truncate(path, sum(len(line) + 1 for line in complete))
        for line in complete[1:]:
            self._read(line)

    def find(self, image: Path, expression: str) -> KeptMask | None:
        """The mask of an expression, unless it was not made, or the image has changed since.

        Args:
            image: its file.
            expression: the sentence.
        """
        state, mask = self._masks.get((_key(image), expression), (None, None))
        return mask if state == _state(image) else None

    def add(self, image: Path, masks: Mapping[str, KeptMask]) -> None:
        """Write down the masks of an image.

        Args:
            image: its file.
            masks: by expression; all of one size.
        """
        state = _state(image)
        written = [
            [expression, mask.height, mask.width, mask.counts.decode("ascii"), score]
            for expression, (mask, score) in masks.items()
        ]
        line = json.dumps({"image": _key(image), "state": state, "masks": written})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        for expression, mask in masks.items():
            self._masks[_key(image), expression] = (state, mask)

    def _read(self, line: bytes) -> None:
        try:
            content = json.loads(line)
            for expression, height, width, counts, score in content["masks"]:
                lengths = RunLengths(int(height), int(width), counts.encode("ascii"))
                key = (content["image"], expression)
                self._masks[key] = (content["state"], KeptMask(lengths, float(score)))
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # damaged: it only spares some work


def fingerprint(pipeline: Pipeline | TextToMaskModel) -> str:
    """SHA-256 of all that masks follow from: weights, network, vocabulary and transform.

    Args:
        pipeline: that segments.
    """
    if isinstance(pipeline, TextToMaskModel):
        digest = sha256(f"{pipeline.settings}".encode())
        for network in pipeline.networks:
            _add_network(digest, network)
        return digest.hexdigest()
    digest = sha256()
    _add_network(digest, pipeline.segmenter)
    tokenizer = json.dumps(pipeline.tokenizer.state_dict(), sort_keys=True, default=str)
    transform = (pipeline.image_size, pipeline.fill, pipeline.resampling, pipeline.geometry)
    digest.update(f"{tokenizer} {transform}".encode())
    return digest.hexdigest()


def _add_network(digest: "Hash", network: nn.Module) -> None:
    digest.update(repr(network).encode())
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())


def _key(image: Path) -> str:
    return str(image.absolute())


def _state(image: Path) -> list[int]:
    """Size and time of a file; none of both where there is no such file."""
    try:
        status = image.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]

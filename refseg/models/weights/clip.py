"""CLIP's weights from a file, by the names that OpenAI and open_clip share."""

import zipfile
from pathlib import Path

from torch import Tensor

from refseg.errors import ConfigError
from refseg.models.weights.files import read_weights


def read_clip(path: str) -> dict[str, Tensor]:
    """CLIP's weights in float32: OpenAI publishes them in float16.

    Args:
        path: of a state dict, `.safetensors`, `.pt` or `.pth`.

    Raises:
        ConfigError: the file is absent, cannot be read, holds something else, or would have to be
            executed.
    """
    if _is_torchscript(Path(path).expanduser()):
        raise ConfigError(
            f"{path} is a TorchScript archive, as OpenAI publishes CLIP: opening it runs code, so "
            "that it is not opened. Name a state dict in `weights`: a .safetensors file of "
            "open_clip, or what torch.save(torch.jit.load(FILE).state_dict(), STATE) writes where "
            "you trust the archive."
        )
    found = read_weights(path)
    return {name: w.float() if w.is_floating_point() else w for name, w in found.items()}


def _is_torchscript(path: Path) -> bool:
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())

"""Reading the original's variables, under one name each."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from refseg.errors import ConfigError

Variables = Mapping[str, Any]  # name -> numpy array or tensor

_LSTM = re.compile(
    r"(?P<scope>.+?)/(?:(?:multi_rnn_cell|MultiRNNCell)/(?:cell_0|Cell0)/)?"
    r"(?:basic_lstm_cell|BasicLSTMCell)/(?:[Ll]inear/)?(?P<kind>\w+)"
)
_LSTM_KINDS = {
    "kernel": "kernel", "weights": "kernel", "Matrix": "kernel",
    "bias": "bias", "biases": "bias", "Bias": "bias",
}  # fmt: skip
# What optimisers and counters leave in a checkpoint, and DeepLab's classifier of objects.
_NOT_OF_THE_MODEL = re.compile(
    r".*/(Adam|Adam_1|Momentum|RMSProp(_\d)?)|(.*/)?(beta[12]_power|global_step|Variable)(_\d+)?"
    r"|DeepLab/fc1_voc12/.+"
)


def canonical(variables: Variables) -> dict[str, Tensor]:
    """The variables of the model as tensors, by their names in TensorFlow 1.2.

    LSTMs are called otherwise in each version of TensorFlow (`Matrix` and `Bias` in 0.12). The
    state of optimisers and counters is left out.

    Args:
        variables: as a checkpoint of TensorFlow names them.

    Raises:
        ConfigError: something is not an array of numbers.

    Example:
        >>> names = ["lstm_lang/RNN/MultiRNNCell/Cell0/BasicLSTMCell/Linear/Bias:0", "beta1_power"]
        >>> [*canonical({name: np.zeros(8) for name in names})]
        ['lstm_lang/rnn/multi_rnn_cell/cell_0/basic_lstm_cell/bias']
    """
    found = {}
    for name, value in variables.items():
        plain = name.removesuffix(":0")
        if not _NOT_OF_THE_MODEL.fullmatch(plain):
            found[_renamed(plain)] = _as_tensor(name, value)
    return found


def read_variables(path: str | Path) -> dict[str, Tensor]:
    """Read an `.npz` of variables, executing nothing, and name them as `canonical` does.

    Raises:
        ConfigError: the file is absent, is no `.npz`, or holds something else than numbers.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"Expected an .npz of the original's variables, found none at {path}; name yours (to "
            "train on it: --model.backbone.weights FILE)."
        )
    try:
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise ValueError("it is a single array")
            return canonical({name: arrays[name] for name in arrays.files})
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).partition(". ")[0]
        raise ConfigError(
            f"{path} cannot be read as an .npz of the original's variables ({reason}); expected "
            "arrays of numbers by their TensorFlow names, written by numpy.savez."
        ) from error


def _renamed(name: str) -> str:
    lstm = _LSTM.fullmatch(name)
    if lstm is None or lstm["kind"] not in _LSTM_KINDS:
        return name
    scope = lstm["scope"].replace("lstm_lang/RNN", "lstm_lang/rnn")
    return f"{scope}/multi_rnn_cell/cell_0/basic_lstm_cell/{_LSTM_KINDS[lstm['kind']]}"


def _as_tensor(name: str, value: Any) -> Tensor:  # noqa: ANN401 - checked here
    try:
        return torch.as_tensor(value).float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"Expected an array of numbers for the variable {name}, got {type(value).__name__}."
        ) from error

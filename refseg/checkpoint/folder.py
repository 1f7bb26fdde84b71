"""A model in a folder, as it is shared: read into what a checkpoint holds, and believed no more.

The folder has

* `config.json`: the classes and arguments of the network's parts, the transform, the tokenizer's
  options, and what is known of the training;
* `model.safetensors`: the weights, by the network's names;
* `vocabulary.json`: the lists of the tokenizer (its words), where it has any;
* `tokenizer.json`: the tokenizer of the transformers library, where it is one;
* `training.yaml`: the config of the training, where that is known, without paths of the machine;
* `README.md`: the model card, which is for people, and not read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor

from refseg.checkpoint.reading import WEIGHTS_PREFIX
from refseg.checkpoint.values import shown
from refseg.errors import CheckpointError

LIBRARY = "refseg"
"""What `config.json` gives as `library_name`; other libraries have files of that name, too."""

FORMAT = 1
"""Of the folder; a later one is refused."""

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
VOCABULARY_FILE = "vocabulary.json"
TOKENIZER_FILE = "tokenizer.json"
TRAINING_FILE = "training.yaml"
CARD_FILE = "README.md"
FILES = (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE, TOKENIZER_FILE, TRAINING_FILE, CARD_FILE)
"""All that a folder has; nothing else is downloaded."""

SERIALISED = "serialised"
"""In the state of a tokenizer: the text of `TOKENIZER_FILE`."""

_LARGEST = 2**26  # bytes of a text; the tokenizers of many languages have 17 million
_PARTS = ("network", "transform", "tokenizer")
_MAKE_AGAIN = "get the folder again, or write it with `save_pretrained`"


def is_shared_model(folder: Path) -> bool:
    """Whether a folder has the `config.json` of a model of refseg.

    Args:
        folder: any path.
    """
    try:
        return _read_json(folder / CONFIG_FILE, folder).get("library_name") == LIBRARY
    except CheckpointError:
        return False


def read_folder(folder: Path, source: object) -> dict[str, Any]:
    """The content of a folder under the names that it has in a checkpoint; nothing is executed.

    Args:
        folder: with the files of a model.
        source: of it, for messages: the folder, or the name on the hub.

    Raises:
        CheckpointError: a file is absent, damaged or too large, or the model is of another library
            or of a later version.
    """
    config = _read_json(folder / CONFIG_FILE, source)
    if config.get("library_name") != LIBRARY:
        raise CheckpointError(
            f"{source} is no model of refseg: expected library_name '{LIBRARY}' in its "
            f"{CONFIG_FILE}, got {shown(config.get('library_name'))}; name a checkpoint, or a "
            "model that `refseg push` or `save_pretrained` wrote."
        )
    number = config.get("format")
    if type(number) is not int or not 1 <= number <= FORMAT:
        raise CheckpointError(
            f"{source} has format {shown(number)}; this version of refseg reads {FORMAT} at most: "
            "install a later one."
        )
    for part in _PARTS:
        if not isinstance(config.get(part), dict):
            raise _damaged(
                source,
                f"expected `{part}` in {CONFIG_FILE} to hold values by their names, got "
                f"{shown(config.get(part))}",
            )
    training = config.get("training")
    about: dict[str, Any] = training if isinstance(training, dict) else {}
    return {
        "state_dict": _weights(folder / WEIGHTS_FILE, source),
        "hyper_parameters": config["network"],
        "ReferringDataModule": {
            "tokenizer": _tokenizer(config["tokenizer"], folder, source),
            "transform": config["transform"],
            "trained_on_evaluation_images": about.get("trained_on_evaluation_images"),
        },
        "refseg": {**about, "version": config.get("version"), **_config(folder, source)},
        "global_step": about.get("steps"),
    }


def _tokenizer(options: Mapping[str, Any], folder: Path, source: object) -> dict[str, Any]:
    """The state of the tokenizer, of which the long parts lie in files of their own."""
    state = dict(options)
    if state.pop("vocabulary_file", None) is not None:
        state |= _read_json(folder / VOCABULARY_FILE, source)
    if state.pop("tokenizer_file", None) is not None:
        state[SERIALISED] = _read_text(folder / TOKENIZER_FILE, source)
    return state


def _config(folder: Path, source: object) -> dict[str, str]:
    """The config of the training, as a checkpoint has it: text that nobody has read yet."""
    path = folder / TRAINING_FILE
    return {"config": _read_text(path, source)} if path.is_file() else {}


def _weights(path: Path, source: object) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    _check_there(path, source)
    try:  # no tensor is larger than the file: its header is checked against it
        weights = load_file(path)
    except Exception as error:  # whatever the bytes of some other file make the reader stumble over
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise _damaged(source, f"{path.name} cannot be read ({reason})") from None
    return {f"{WEIGHTS_PREFIX}{name}": weight for name, weight in weights.items()}


def _read_json(path: Path, source: object) -> dict[str, Any]:
    try:
        content = json.loads(_read_text(path, source), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise _damaged(source, f"{path.name} is no JSON ({reason})") from None
    if not isinstance(content, dict):
        raise _damaged(source, f"expected values by their names in {path.name}, got others")
    return content


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _read_text(path: Path, source: object) -> str:
    _check_there(path, source)
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise _damaged(source, f"{path.name} has {size:,} bytes, and {_LARGEST:,} are the most")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise _damaged(source, f"{path.name} cannot be read ({error})") from None


def _check_there(path: Path, source: object) -> None:
    if not path.is_file():
        raise _damaged(source, f"there is no file {path.name}")


def _damaged(source: object, reason: str) -> CheckpointError:
    return CheckpointError(f"{source} is no complete model of refseg: {reason}; {_MAKE_AGAIN}.")

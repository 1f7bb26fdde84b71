"""Writing a model as a folder that others can load."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from refseg.checkpoint.config import config_in
from refseg.checkpoint.folder import (
    CARD_FILE,
    CONFIG_FILE,
    FILES,
    FORMAT,
    LIBRARY,
    SERIALISED,
    TOKENIZER_FILE,
    TRAINING_FILE,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
    is_shared_model,
)
from refseg.errors import ConfigError
from refseg.files import replacing, write_text
from refseg.inference.model_card import model_card

if TYPE_CHECKING:
    from refseg.inference.pipeline import Pipeline

_OF_THE_TRAINING = ("seed_everything", "model", "data", "trainer")
_OF_THE_MACHINE = ("logger", "default_root_dir", "plugins")  # of the trainer


def write_folder(
    pipeline: "Pipeline",
    folder: Path,
    name: str | None = None,
    results: str | Path | None = None,
) -> Path:
    """Write a model into a folder; see `Pipeline.save_pretrained`.

    `config.json` comes last: who finds it finds all of the files, and they belong together.

    Args:
        pipeline: that `refseg.load` made.
        folder: new, empty, or that of a model of refseg, which is replaced.
        name: of the model in its card; None: that of the folder.
        results: of the evaluation whose figures the card shows; None: those in the run.

    Raises:
        ConfigError: the folder has other files, or the model cannot be described.
        DataError: the results are absent or damaged.
    """
    described = pipeline.description
    if described is None:
        raise ConfigError(
            "Expected a model that refseg.load made, got a Pipeline that was made of parts, which "
            "cannot be described; save it as a checkpoint first (Trainer.save_checkpoint)."
        )
    _check_place(folder)
    config = config_in({"refseg": described.about}, described.source)
    files, options = _tokenizer_files(pipeline.tokenizer.state_dict())
    if config is not None:
        files[TRAINING_FILE] = yaml.safe_dump(_of_the_training(config), sort_keys=False)
    files[CARD_FILE] = model_card(pipeline, described, config, name or folder.name, results)
    content = {
        "library_name": LIBRARY,
        "format": FORMAT,
        "version": described.about.get("version"),
        "network": _with_short_names(described.network),
        "transform": {
            "image_size": pipeline.image_size,
            "fill": pipeline.fill,
            "resampling": pipeline.resampling,
            "geometry": pipeline.geometry,
        },
        "tokenizer": options,
        "training": {
            "steps": described.trained_steps,
            "trained_on_evaluation_images": described.about.get("trained_on_evaluation_images"),
            "backbone_weights": described.about.get("backbone_weights"),
        },
    }
    text = _json(content, described.source)
    for stale in {*FILES} - {*files, WEIGHTS_FILE}:
        (folder / stale).unlink(missing_ok=True)
    _write_weights(pipeline, folder / WEIGHTS_FILE)
    for file, written in files.items():
        write_text(folder / file, written)
    write_text(folder / CONFIG_FILE, text)
    return folder


def _check_place(folder: Path) -> None:
    """Refuse to write between other files: a README.md among them would be replaced."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"Expected a folder to write the model to, got the file {folder}.")
    others = folder.is_dir() and any(path.name[0] != "." for path in folder.iterdir())
    if others and not is_shared_model(folder):
        raise ConfigError(
            f"Expected a new or empty folder, or that of a model of refseg, got {folder}, which "
            "has other files; name a new one."
        )


def _write_weights(pipeline: "Pipeline", path: Path) -> None:
    from safetensors.torch import save_file

    weights = {  # copies: tensors that share their values are refused
        name: weight.detach().cpu().contiguous().clone()
        for name, weight in pipeline.segmenter.state_dict().items()
    }
    with replacing(path) as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})


def _tokenizer_files(state: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """The long parts of a tokenizer's state as files, and the rest."""
    lists = {name: value for name, value in state.items() if isinstance(value, list)}
    files: dict[str, str] = {}
    rest = {
        name: value for name, value in state.items() if name not in lists and name != SERIALISED
    }
    rest = _with_short_names(rest)
    if lists:
        files[VOCABULARY_FILE] = _json(lists, "The tokenizer")
        rest["vocabulary_file"] = VOCABULARY_FILE
    if SERIALISED in state:
        files[TOKENIZER_FILE] = state[SERIALISED]
        rest["tokenizer_file"] = TOKENIZER_FILE
    return files, rest


def _with_short_names(value: Any) -> Any:  # noqa: ANN401 - plain values
    """Values in which a `name` that is a path, of a folder with a text encoder, is its last word.

    The model does not need the folder, and nobody else has it.
    """
    if isinstance(value, Mapping):
        return {
            key: Path(item).name
            if key == "name" and isinstance(item, str) and _is_path(item)
            else _with_short_names(item)
            for key, item in value.items()
        }
    return [_with_short_names(item) for item in value] if isinstance(value, list) else value


def _of_the_training(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a training without what is of the machine: paths, loggers."""
    kept = {name: config[name] for name in _OF_THE_TRAINING if name in config}
    if isinstance(kept.get("trainer"), Mapping):
        kept["trainer"] = {k: v for k, v in kept["trainer"].items() if k not in _OF_THE_MACHINE}
    return _without_paths(_with_short_names(kept))


def _without_paths(value: Any) -> Any:  # noqa: ANN401 - plain values
    if isinstance(value, Mapping):
        return {key: _without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_paths(item) for item in value]
    return None if isinstance(value, str) and _is_path(value) else value


def _is_path(text: str) -> bool:
    return text.startswith(("/", "~", "./", "../", "file:")) or Path(text).is_absolute()


def _json(content: object, source: object) -> str:
    """Plain values as JSON that gives the same values again.

    Raises:
        ConfigError: it would not.
    """
    _check_json(content, "", source)
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _check_json(value: object, place: str, source: object) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(
                    f"{source} cannot be written as JSON: expected texts as names in "
                    f"{place.lstrip('.')}, got {key!r}; give that part a list instead."
                )
            _check_json(item, f"{place}.{key}", source)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_json(item, place, source)
    elif not isinstance(value, str | int | None) and not (
        isinstance(value, float) and math.isfinite(value)
    ):
        raise ConfigError(
            f"{source} cannot be written as JSON: expected a text or a finite number as "
            f"{place.lstrip('.')}, got {value!r}."
        )

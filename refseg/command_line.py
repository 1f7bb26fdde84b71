"""From the words of a command line to those that the parser of the trainer understands."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from refseg.config_bases import YAML, locate, named_files, read_yaml, with_bases
from refseg.config_files import find_config
from refseg.errors import CheckpointError

_LOGGER = "--trainer.logger"


def resolve_configs(words: Sequence[str]) -> list[str]:
    """Replace each config file that is named by the path at which it is found.

    Any value that ends in `.yaml` is one, as in `--config rmi.yaml`, `--data data/refer.yaml` or
    `--model.fusion=fusion/concat.yaml`.

    Raises:
        ConfigError: there is no such file.
    """
    resolved = []
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        if value.endswith(YAML):
            value = str(with_nested_files(find_config(value)))
        resolved.append(f"{name}{equals}{value}")
    return resolved


def with_nested_files(path: Path) -> Path:
    """The config, or a copy of it with its bases, in which the files that it names are found.

    The parser looks for them beside the config only. One's own copy of `rmi.yaml` names
    `trainer/default.yaml` too, and means the package's.

    Raises:
        ConfigError: a file that it names is nowhere, or it is not YAML, or holds no options.
    """
    content = read_yaml(path)
    if "base" in content:
        return _temporary_config(path.name, with_bases(content, path.parent))
    if all((path.parent / name).is_file() for name in named_files(content)):
        return path
    return _temporary_config(path.name, locate(content, path.parent))


def _temporary_config(name: str, content: object) -> Path:
    """A file for the parser, which is there as long as the program runs."""
    folder = Path(tempfile.mkdtemp(prefix="refseg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / name
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def value_of(option: str, words: Sequence[str]) -> str | None:
    """The last value of an option, as `--option value` or `--option=value`."""
    value = None
    for position, word in enumerate(words):
        if word == option and position + 1 < len(words):
            value = words[position + 1]
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
    return value


def log_to_sweep(words: Sequence[str]) -> list[str]:
    """Choose the W&B logger under a `wandb agent`, unless a logger is named."""
    if "WANDB_SWEEP_ID" in os.environ and value_of(_LOGGER, words) is None:
        return [*words, f"{_LOGGER}=logger/wandb.yaml"]
    return list(words)


def with_config_of_checkpoint(words: Sequence[str]) -> list[str]:
    """Take the config from the checkpoint where none is named: it is complete.

    Raises:
        CheckpointError: the checkpoint cannot be read, or was made without a config.
    """
    checkpoint = value_of("--ckpt_path", words)
    named = value_of("--config", words) or value_of("-c", words)
    if checkpoint is None or named is not None:
        return list(words)
    from refseg.checkpoint import read_checkpoint  # imports torch
    from refseg.models.trust import check_classes

    config = read_checkpoint(checkpoint).get("refseg", {}).get("config")
    if config is None:
        raise CheckpointError(
            f"{checkpoint} was made without the command line and holds no config; "
            "name one with --config."
        )
    content = yaml.safe_load(config)
    check_classes(content, checkpoint)
    content.get("data", {}).pop("features", None)  # the checkpoint does without; one may name some
    return [f"--config={_temporary_config(Path(checkpoint).stem + '.yaml', content)}", *words]

"""The data that options of the trainer name, without a model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from refseg.cli.configs.bases import YAML, read_yaml, with_bases
from refseg.cli.configs.files import find_config
from refseg.cli.trainer.command_line import in_order, resolve_configs
from refseg.cli.trainer.parser import RefsegParser
from refseg.data.datamodule import ReferringDataModule
from refseg.data.from_checkpoint import data_of
from refseg.errors import ConfigError

_CONFIG = "--config"
# What only a model needs.
_LEFT_OUT = ("tokenizer", "augmentation", "vocabulary_from", "features")


def data_module(words: Sequence[str], run_config: Path | None = None) -> ReferringDataModule:
    """The data module of some options, as `refseg test` would make it.

    Args:
        words: `--config FILE`, of which the section `data` counts, `--data FILE`, `--data.root DIR`
            and the like.
        run_config: the `config.yaml` of a run, whose data are taken where the options name no file.
            It may be somebody else's: nothing is read but a folder.

    Raises:
        ConfigError: an option or a file is wrong, a config has no data, or nothing names any.
    """
    sections: list[str | Mapping[str, Any]] = []
    ordered = in_order(words)
    while ordered and ordered[0].partition("=")[0] == _CONFIG:
        _, _, name = ordered.pop(0).partition("=")
        sections.append(_data_in(name or (ordered.pop(0) if ordered else "")))
    names_file = any(word.partition("=")[0] == "--data" for word in ordered)
    if run_config is not None and not (sections or names_file):
        given = {word.partition("=")[0].removeprefix("--data.") for word in ordered}
        content = read_yaml(run_config)
        sections.append(data_of(content, run_config, given & {"root", "stream"}))
    if not (sections or ordered):
        raise ConfigError(
            "No data set is named: give --data.root DIR --data.dataset refcoco --data.split_by unc "
            "(as `refseg test` takes them), --data data/shapes.yaml for the built-in set, or the "
            "--config of a run."
        )
    given_words = [f"--data={_as_word(section)}" for section in sections]
    parser = RefsegParser(prog="refseg", allow_abbrev=False)
    parser.add_lightning_class_args(ReferringDataModule, "data")
    config = parser.parse_args([*given_words, *resolve_configs(ordered)])
    for name in _LEFT_OUT:
        config.data[name] = None
    return parser.instantiate_classes(config).data


def _data_in(name: str) -> str | Mapping[str, Any]:
    """The section `data` of a config: options, or the file that has them."""
    path = find_config(name)
    content = with_bases(read_yaml(path), path.parent)
    section = content.get("data")
    if not isinstance(section, dict | str):
        raise ConfigError(f"The config {path} does not say which data; name them with --data.root.")
    return section


def _as_word(section: str | Mapping[str, Any]) -> str:
    if isinstance(section, str):
        if not section.endswith(YAML):
            raise ConfigError(f"Expected the options of data, or a YAML file, got '{section}'.")
        return section
    return json.dumps({name: value for name, value in section.items() if name not in _LEFT_OUT})

"""From a sweep's command and one combination of its parameters to the words of a command line."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from refseg.errors import ConfigError
from refseg.sweeps.definition import Sweep, in_words

_ARGUMENT_MACROS = (
    "args",
    "args_no_equals",
    "args_no_hyphens",
    "args_no_boolean_flags",
    "args_json",
)


def expand(sweep: Sweep, combination: Mapping[str, Any]) -> list[str]:
    """The command that `wandb agent` would run, without the leading `/usr/bin/env`.

    `${env}` looks a program up in the search path, which starting a process does anyway.

    Args:
        sweep: whose command to fill in.
        combination: one value for each parameter.

    Raises:
        ConfigError: the command has a macro that is not known here, or none for the arguments (then
            all runs would be the same).

    Example:
        >>> from pathlib import Path
        >>> command = ("${env}", "${program}", "fit", "${args}")
        >>> sweep = Sweep(Path("s.yaml"), "s", "refseg", command, {"seed_everything": (0, 1)})
        >>> expand(sweep, {"seed_everything": 1})
        ['refseg', 'fit', '--seed_everything=1']
    """
    macros = {
        "env": [],
        "interpreter": ["python"],
        "program": [sweep.program],
        **_arguments(combination),
    }
    if not any(word == f"${{{name}}}" for word in sweep.command for name in _ARGUMENT_MACROS):
        raise ConfigError(
            f"{sweep.path}: command: expected ${{args}} among its words, so that each run gets its "
            f"own values; got {' '.join(sweep.command)}."
        )
    words: list[str] = []
    for word in sweep.command:
        if "${" not in word:
            words.append(word)
        elif (name := word.removeprefix("${").removesuffix("}")) in macros:
            words += macros[name]
        else:
            known = ", ".join(f"${{{name}}}" for name in macros)
            raise ConfigError(
                f"{sweep.path}: command: expected a word or a macro on its own, got {word}; "
                f"known are {known}."
            )
    return words


def _arguments(combination: Mapping[str, Any]) -> dict[str, list[str]]:
    """The macros for the arguments, in the words of W&B's agent where these mean the value."""
    texts = {name: in_words(value) for name, value in combination.items()}
    flags = [f"{name}={text}" for name, text in texts.items()]
    pairs = [(f"--{name}", text) for name, text in texts.items()]
    without_booleans = [
        f"--{name}" if combination[name] is True else f"--{name}={text}"
        for name, text in texts.items()
        if combination[name] is not False
    ]
    return {
        "args": [f"--{flag}" for flag in flags],
        "args_no_equals": [word for pair in pairs for word in pair],
        "args_no_hyphens": flags,
        "args_no_boolean_flags": without_booleans,
        "args_json": [json.dumps(dict(combination))],
    }


def on_this_machine(command: Sequence[str]) -> list[str]:
    """The command with `refseg` and `python` meaning the installation that is running now.

    A `refseg` found in the search path may belong to another environment, or not be there at all.
    """
    if command[0] == "refseg":
        return [sys.executable, "-m", "refseg", *command[1:]]
    if command[0] == "python":
        return [sys.executable, *command[1:]]
    return list(command)

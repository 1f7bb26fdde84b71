"""From the words of a command line to those that the parser of the trainer understands."""

import ast
import atexit
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import yaml

from refseg.checkpoint.packages import OPTION
from refseg.cli.configs.bases import YAML, locate, named_files, read_yaml, with_bases
from refseg.cli.configs.files import find_config
from refseg.cli.newest_run import default_checkpoint
from refseg.errors import CheckpointError, ConfigError, DataError

_LOGGER = "--trainer.logger"
_SECTIONS = ("--model", "--data", "--trainer")
_CONFIG = "--config"
_CHECKPOINT = "--checkpoint"
_OPTIONS_OF_CHECKPOINTS = {"--ckpt_path", "--model.start_from", "--data.vocabulary_from"}
# Parts of a name that only say that what follows belongs to a class.
_OF_A_CLASS = {"class_path", "init_args", "dict_kwargs"}


def in_order(words: Sequence[str]) -> list[str]:
    """The words with configs first, and with what is set as a whole in front of its parts.

    The parser goes from left to right, and a file replaces what was said before it. Whoever names
    an option means it, wherever it stands: here each option follows all files that it changes, as
    `--data.image_size 64` does `--config rmi.yaml` and `--data data/folder.yaml`. Otherwise the
    order stays: of configs, and of the same option said twice, the last one counts.

    Args:
        words: after the verb.

    Example:
        >>> in_order(["--data.root", "d", "-c", "rmi.yaml", "--data=data/folder.yaml"])
        ['--config', 'rmi.yaml', '--data=data/folder.yaml', '--data.root', 'd']
    """
    configs: list[str] = []
    options: list[tuple[str, list[str]]] = []
    for name, option in _options(words):
        if name == _CONFIG:
            configs += option
            continue
        parts = (i for i, (other, _) in enumerate(options) if _is_part(other, name))
        options.insert(next(parts, len(options)), (name, option))
    return [*configs, *(word for _, option in options for word in option)]


def _options(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The options with their values, each with its name; other spellings in full.

    These are `-c` of `--config`, and `--checkpoint`, as all other verbs call `--ckpt_path`.
    """
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if word == _CHECKPOINT or word.startswith(f"{_CHECKPOINT}="):
            word = f"--ckpt_path{word.removeprefix(_CHECKPOINT)}"
        if word.startswith("-c"):
            joined = [value] if (value := word[2:].removeprefix("=")) else []
            found.append((_CONFIG, [_CONFIG, *joined]))
        elif word.startswith("--") or word == "-h" or not found:
            name = word.partition("=")[0].split(".")
            found.append((".".join(p for p in name if p not in _OF_A_CLASS), [word]))
        else:
            found[-1][1].append(word)
    return found


def _is_part(name: str, whole: str) -> bool:
    """Whether an option is a part of another; what is appended to a list (`+`) is one, too."""
    return name.startswith(f"{whole}.") or name == f"{whole}+"


_DATA = "--data."


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
    """Under a `wandb agent`, read values as it writes them, and choose its logger if none is named.

    The agent writes values as Python does: `None` for null, inside of lists and mappings, too.
    """
    if "WANDB_SWEEP_ID" not in os.environ:
        return list(words)
    words = [_from_python(word) for word in words]
    if value_of(_LOGGER, words) is None:
        words = in_order([*words, f"{_LOGGER}=logger/wandb.yaml"])  # before what is said of it
    return words


def with_options_of_sections(words: Sequence[str]) -> list[str]:
    """Under a `wandb agent`, an option for each value that a sweep file has nested.

    The agent writes them as one mapping: `--model={'optimizer': …}`.
    """
    if "WANDB_SWEEP_ID" not in os.environ:
        return list(words)
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in _SECTIONS and word.startswith("{"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return [flat for word in joined for flat in _flat(word)]


def _flat(word: str) -> list[str]:
    """A mapping for a whole section as an option for each value, as `refseg sweep` writes them.

    A part with its class stays whole, and so does a mapping whose keys are no options.

    Example:
        >>> _flat("--model={'name_words': None, 'optimizer': {'init_args': {'lr': 0.1}}}")
        ['--model.name_words=None', '--model.optimizer.init_args.lr=0.1']
        >>> _flat("--model={'fusion': {'class_path': 'FiLM'}}"), _flat("--data.shapes={'level': 2}")
        (["--model.fusion={'class_path': 'FiLM'}"], ["--data.shapes={'level': 2}"])
    """
    name, _, text = word.partition("=")
    if name not in _SECTIONS:
        return [word]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):  # a file, say
        return [word]
    return [f"{option}={one}" for option, one in _leaves(name, value)]


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    section = value if isinstance(value, dict) and "class_path" not in value else {}
    if section and all(str(key).isidentifier() for key in section):
        for key, one in section.items():
            yield from _leaves(f"{name}.{key}", one)
    else:
        yield name, value


def _from_python(word: str) -> str:
    """A word, in which null is written as in YAML.

    Example:
        >>> _from_python("--a=None"), _from_python("{'b': [None, 1]}"), _from_python("Nonesuch")
        ('--a=null', '{"b": [null, 1]}', 'Nonesuch')
    """
    name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if re.search(r"\bNone\b", value) is None:
        return word
    try:
        return f"{name}{equals}{json.dumps(ast.literal_eval(value))}"
    except (ValueError, SyntaxError, TypeError):  # a text, in which the word stands
        return word


def naming_newest(words: Sequence[str]) -> list[str]:
    """Name the checkpoint of the newest finished run where neither one nor a config is named.

    Args:
        words: after the verb, in order. Those that ask for help, or to print a config, stay.

    Raises:
        ConfigError: there is no finished run.
    """
    names = {word.partition("=")[0] for word in words}
    if names & {"--ckpt_path", _CONFIG, "-h", "--help", "--print_config"}:
        return list(words)
    if any(name.startswith("--") and name.endswith(".help") for name in names):
        return list(words)
    return ["--ckpt_path", str(default_checkpoint()), *words]


def with_downloads(words: Sequence[str]) -> list[str]:
    """Bring checkpoints that are artifacts of W&B here, and name the files in their place.

    Each becomes a run in `runs/`, beside which its evaluations lie.

    Args:
        words: after the verb, in order.

    Raises:
        CheckpointError: there is no such checkpoint.
        ConfigError: W&B cannot be asked.
    """
    found, option = [], ""
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("-") else (option, "", word)
        if name in _OPTIONS_OF_CHECKPOINTS and value.startswith("wandb:"):
            from refseg.training.artifacts import download  # imports Lightning

            word = f"{name}=" * bool(equals) + str(download(value, Path("runs").absolute()))
        found.append(word)
        option = word
    return found


def with_config_of_checkpoint(words: Sequence[str]) -> list[str]:
    """Take model and data from the checkpoint where no config is named: it is complete.

    Raises:
        CheckpointError: the checkpoint cannot be read, has a config that is refused, or was made
            without one and no data are named.
    """
    checkpoint = value_of("--ckpt_path", words)
    named = value_of("--config", words) or value_of("-c", words)
    if checkpoint is None or named is not None:
        return list(words)
    from refseg.checkpoint import read_checkpoint  # imports torch
    from refseg.cli.configs.checkpoint import config_of

    names = [word.partition("=")[0] for word in words]
    given = {name.removeprefix(_DATA) for name in names if name.startswith(_DATA)}
    content = config_of(read_checkpoint(checkpoint), checkpoint, given & {"root", "stream"})
    if "data" not in content and not given and "--data" not in names:
        raise CheckpointError(
            f"{checkpoint} was made in Python, and does not say on which data; name them, as in "
            "`--data.root DIR --data.dataset refcoco`, or `--data.dataset shapes`."
        )
    return [f"--config={_temporary_config(Path(checkpoint).stem + '.yaml', content)}", *words]


@contextmanager
def naming_checkpoint(words: Sequence[str]) -> Iterator[None]:
    """Name the checkpoint in a message about its data: a folder that is not there, say.

    Args:
        words: after the verb; only where they name a checkpoint and no config are options its own.
    """
    try:
        yield
    except (ConfigError, DataError) as error:
        checkpoint = value_of("--ckpt_path", words)
        named = value_of("--config", words) or value_of("-c", words)
        if checkpoint is None or named is not None or checkpoint in str(error):
            raise
        raise type(error)(
            f"{error} Options that are not given are those of {checkpoint}."
        ) from error


def imported_packages(words: Sequence[str]) -> list[str]:
    """The packages that a command line of the trainer asks to import, all of them."""
    names = [word.partition("=")[2] for word in words if word.startswith(f"{OPTION}=")]
    return [*names, *(name for option, name in pairwise(words) if option == OPTION)]

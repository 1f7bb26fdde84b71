"""What libraries say of wrong options, in one short message with a remedy."""

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Collection

from refseg.cli.suggestions import did_you_mean, nearest
from refseg.cli.system_errors import explain_system_error
from refseg.errors import RefsegError

_ALL_OPTIONS = " `--help all` lists all options of a verb."
_OF_ALL = ("-h", "--help", "--print_config", "--checkpoint")
_RESTORING = "lightning.pytorch.trainer.connectors.checkpoint_connector"


def explained(error: Exception) -> str | None:
    """What an error says to a user, in one line; None where only its traceback says anything.

    Args:
        error: that a verb has ended with.
    """
    if isinstance(error, RefsegError):
        message = str(error)
        if message.startswith("Caught "):  # from a data loader's worker, with its traceback
            from refseg.data.worker_errors import original_message

            return original_message(error)
        return message
    return missing_kernel(error) or explain_system_error(error)


def tell(error: Exception) -> None:
    """Print an error as the end of a verb does, where the program goes on.

    Args:
        error: of a part of what is done.
    """
    message = explained(error)
    if message is None:
        traceback.print_exception(error)
    else:
        print(f"refseg: error: {message}", file=sys.stderr, flush=True)


def explain(message: str, options: Collection[str] = ()) -> str:
    """What jsonargparse has to say, in one short message with a remedy.

    Args:
        message: of its `ArgumentError`.
        options: that the verb has, as they are written.
    """
    unknown = re.search(r"unrecognized arguments: (\S+)", message)
    if unknown:
        word = unknown[1].partition("=")[0]
        kind = "option" if word.startswith("-") else "word"
        return f"Unknown {kind} {word}.{did_you_mean(word, options) or _ALL_OPTIONS}"
    unknown = re.search(r"Subcommand '\w+' does not accept option '([^']+)'", message)
    if unknown:
        near = nearest(unknown[1], options)
        meant = f" Did you mean {near.lstrip('-')}?" if near else _ALL_OPTIONS
        return f"Unknown option {unknown[1]} in a config.{meant}"
    if "arguments are required: " in message and "model." in message:
        return "No model is named; name a config, as in `--config rmi.yaml`."
    unaccepted = re.search(r"Option '([^']+)' is not accepted", message)
    if unaccepted:
        names = [name.removeprefix("--") for name in options if name not in _OF_ALL]
        near = did_you_mean(unaccepted[1], names)
        return (
            f"There is no option '{unaccepted[1]}' here.{near or f' Known are {_listed(names)}.'}"
        )
    key = re.search(r'Parser key "([^"]+)"', message)
    within = re.search(r"There is no option '[^\n]*", message)  # said by us, of a part
    if key and within:
        return f"Of {key[1]}: {within[0]}"
    part = _PARTS.get(key[1]) if key else None
    name = re.search(r"class_path='?([\w.]+)|import path string: (\S+)", message)
    if part is not None and name is None:
        name = re.search(
            r"expects a function or a callable.*Got value: ([\w.]+\.\w+)$", message, re.S
        )
    if part is not None and key is not None and name:
        path = name[1] or name[2]
        own = _of_own_class(path, part[1])
        if own:
            return f"Unknown class '{path}' for {key[1]}: {own}"
        known = ", ".join(sorted(_known_classes(*part)))
        return (
            f"Unknown class '{path.rpartition('.')[2]}' for {key[1]}; known are {known}. Classes "
            "of your own are named with their module, files end in .yaml."
        )
    message = " ".join(message.split())
    wrong_value = _wrong_value(message)
    if wrong_value is None and key and name:
        return (
            f"Unknown class '{name[1] or name[2]}' for {key[1]}; name it with its module, as in "
            "torch.optim.SGD, or give a file that ends in .yaml."
        )
    return wrong_value or message


def refusal(error: Exception) -> str | None:
    """What Lightning or an optimizer has against an option; None for errors of any other origin.

    Args:
        error: as it was raised, with its traceback.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    origin = str(frames[-1].f_globals.get("__name__")) if frames else ""
    for package, name in (("lightning.", "Lightning"), ("torch.optim.", "The optimizer")):
        if origin.startswith(package):
            return f"{name} refuses an option: {' '.join(str(error).split())}"
    return None


def unfit_state(error: Exception) -> str | None:
    """What is wrong where Lightning restores the state of a run; None for errors elsewhere.

    Args:
        error: as it was raised, with its traceback.
    """
    frames = traceback.walk_tb(error.__traceback__)
    if all(frame.f_globals.get("__name__") != _RESTORING for frame, _ in frames):
        return None
    reason = " ".join(str(error).split())[:300]
    return (
        f"The state in the checkpoint does not fit this run ({type(error).__name__}: {reason}). Go "
        "on from a checkpoint as `refseg fit` wrote it, with the config of its run; or start anew "
        "with its weights alone: --model.start_from CHECKPOINT."
    )


def missing_kernel(error: Exception) -> str | None:
    """What torch cannot compute in a precision on this machine; None for errors of other kinds.

    Args:
        error: as torch raised it.
    """
    message = " ".join(str(error).split())
    refused = r"not implemented for '(Half|BFloat16|Double)'|path needs the cpu support"
    if not re.search(refused, message):
        return None
    return (
        f"This build of torch cannot compute in this precision on this device ({message}); use "
        "--trainer.precision 32-true, or bf16-mixed."
    )


def _wrong_value(message: str) -> str | None:
    """Which kinds of values an option takes, where it was given another one."""
    key = re.search(r'Parser key "([^"]+)"', message)
    value = re.search(r"(?:Got value|Given value): (.*)$", message)
    found = re.findall(r"Expected an? (?:<class '([^']+)'>|typing\.Literal\[([^\]]*)\])", message)
    if not (key and value and found):
        return None
    kinds = [_KINDS.get(kind, kind.rpartition(".")[2]) for kind, _ in found if kind]
    names = [name.strip(" '") for _, listed in found for name in listed.split(",") if name]
    chosen = list(dict.fromkeys([*kinds, *names]))
    if "Expected a path" in message:
        chosen.append("a file")
    accepted = " or ".join(filter(None, [", ".join(chosen[:-1]), chosen[-1]]))
    return f"Expected {key[1]} to be {accepted}, got {value[1]}."


# Class -> what it is called outside of Python.
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "NoneType": "null",
    "list": "a list",
    "collections.abc.Sequence": "a list",
    "collections.abc.Iterable": "a list",
}

# Option -> where its classes are, and what they have in common.
_PARTS = {
    "model.backbone": ("refseg.models.backbones", "Backbone"),
    "model.text_encoder": ("refseg.models.text_encoders", "TextEncoder"),
    "model.fusion": ("refseg.models.fusion", "Fusion"),
    "model.decoder": ("refseg.models.decoders", "Decoder"),
    "model.segmenter": ("refseg.models.segmenter", "Segmenter"),
    "model.lora": ("refseg.models.lora", "LoRA"),
    "model.loss": ("refseg.losses", "Loss"),
    "model.lr_scheduler": ("refseg.training.schedules", "Schedule"),
    "data.tokenizer": ("refseg.data.tokenizers", "Tokenizer"),
}


def _of_own_class(path: str, base: str) -> str | None:
    """What is wrong with the path of a class of the user's own; None where it is no such path."""
    module, _, name = path.rpartition(".")
    package = module.partition(".")[0]
    if package in {"", "refseg"}:
        return None
    if importlib.util.find_spec(package) is None:
        return (
            f"there is no package '{package}' in the working directory or among the installed ones."
        )
    if module not in sys.modules:
        return f"'{module}' cannot be imported; `python -c 'import {module}'` says why."
    kinds = {n: kind for n, kind in vars(sys.modules[module]).items() if isinstance(kind, type)}
    if name not in kinds:
        return f"'{module}' has no class of this name.{did_you_mean(name, kinds)}"
    if base in {parent.__name__ for parent in kinds[name].__mro__}:
        return None
    return f"it is a {kinds[name].__mro__[1].__name__}, and expected is a {base}."


def _known_classes(module: str, base: str) -> dict[str, type]:
    """The classes that can be chosen where a `base` is wanted, by their short names."""
    members = vars(importlib.import_module(module))
    return {
        name: member
        for name, member in members.items()
        if isinstance(member, type)
        and issubclass(member, members[base])
        and not inspect.isabstract(member)
        and not name.startswith("_")
    }


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:20]) + (", …" if len(shown) > 20 else "") if shown else "none"

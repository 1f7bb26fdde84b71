"""A verb is a typed function: its parser is made of its signature, its help of its docstring.

Positional-only parameters are words on the command line, keyword-only ones are options of the same
name. `Sequence[...]` takes several words, `Literal[...]` one of some, `bool` is a flag, and
`Annotated[..., Option(...)]` says what a type does not tell. A parameter that is a dataclass stands
for an option of each of its fields. The text of the docstring, its `Args:` and its `Examples:` are
what `--help` shows.
"""

import inspect
import re
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from inspect import Parameter
from typing import Any, NoReturn, get_type_hints

from docstring_parser import DocstringStyle, parse

from refseg.cli.parsing.argument_types import Kind, Option, kind_of
from refseg.cli.parsing.help_format import HelpFormatter, usage
from refseg.cli.suggestions import did_you_mean
from refseg.errors import ConfigError


def call(function: Callable[..., int | None], prog: str, words: Sequence[str]) -> int:
    """Call a verb's function with the arguments that a command line gives it.

    Args:
        function: of the verb.
        prog: the command up to the verb, as in `refseg segment`.
        words: after the verb.

    Returns:
        The exit code: what the function returns, 0 for None.

    Raises:
        ConfigError: the words do not fit the parameters of the function.
    """
    positional, options = VerbParser(function, prog).arguments(words)
    return function(*positional, **options) or 0


class VerbParser(ArgumentParser):
    """The parser of a verb.

    Args:
        function: of the verb.
        prog: the command up to the verb, as in `refseg segment`.
    """

    def __init__(self, function: Callable[..., int | None], prog: str) -> None:
        text = parse(inspect.getdoc(function) or "", DocstringStyle.GOOGLE)
        purpose = [text.short_description, text.long_description]
        super().__init__(
            prog=prog,
            description="\n\n".join(filter(None, purpose)),
            epilog="".join(f"examples:\n{_indented(e.description)}" for e in text.examples),
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )
        self.words = self.add_argument_group("arguments")
        self.options = self.add_argument_group("options")
        self.rest: tuple[str, Kind] | None = None
        self.pairs: list[str] = []
        self.parts: dict[str, type[Any]] = {}
        self._add(function)
        self.options.add_argument("-h", "--help", action="help", help="show this text")
        behind = self.rest and self.rest[1].option.behind
        more = f"[{behind} ...]" if behind else ""
        self.usage = usage(prog, self.words._group_actions, self.options._group_actions, more)

    def _add(self, made: Callable[..., Any]) -> None:
        """Add what a function takes, or what a class of options is made of.

        Raises:
            KeyError: the docstring does not tell a parameter.
        """
        params = parse(inspect.getdoc(made) or "", DocstringStyle.GOOGLE).params
        meanings = {param.arg_name: " ".join((param.description or "").split()) for param in params}
        hints = get_type_hints(made, include_extras=True)
        for name, parameter in inspect.signature(made).parameters.items():
            if is_dataclass(hints[name]):
                self.parts[name] = hints[name]
                self._add(hints[name])
                continue
            kind, meaning = kind_of(hints[name]), meanings[name]
            if kind.option.rest or kind.option.behind:
                self.rest = (name, kind)
                self.add_argument_group("options that are handed on", meaning)
            elif parameter.kind is Parameter.POSITIONAL_ONLY:
                self.words.add_argument(name, **_word(name, kind, parameter, meaning))
            else:
                names = kind.option.names or (f"--{name}",)
                given = _option(name, kind, parameter, meaning)
                self.options.add_argument(*names, dest=name, **given)
                if isinstance(kind.words, int) and kind.words > 1:
                    self.pairs.append(name)

    def arguments(self, words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of the function, positional and named.

        Args:
            words: after the verb.

        Raises:
            ConfigError: they do not fit.
        """
        own, handed_on = self._separate(words)
        # Words may stand on both sides of an option; else the first ones would be all there are.
        several = any(action.nargs == "*" for action in self.words._group_actions)
        options = vars((self.parse_intermixed_args if several else self.parse_args)(own))
        for name in self.pairs:
            options[name] = tuple(options[name])
        if self.rest is not None:
            options[self.rest[0]] = handed_on
        for name, part in self.parts.items():
            options[name] = part(**{field.name: options.pop(field.name) for field in fields(part)})
        return [options.pop(action.dest) for action in self.words._group_actions], options

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one sentence.

        Raises:
            ConfigError: always.
        """
        message = re.sub(r"^argument (\S+?)(/\S+)?: ", r"\1: ", message)
        message = re.sub(r"(--\w+)/--\w+", r"\1", message)  # the first of two names
        message = message.replace("the following arguments are required", f"`{self.prog}` needs")
        message = message.replace("unrecognized arguments", "Nothing takes the words")
        raise ConfigError(
            f"{message} See `{self.prog} --help`."
            if message.endswith((".", "?"))
            else f"{message}; see `{self.prog} --help`."
        )

    def _separate(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """The verb's own words, and those that it hands on.

        Raises:
            ConfigError: an option is neither.
        """
        option = Option() if self.rest is None else self.rest[1].option
        end = words.index(option.behind) if option.behind in words else len(words)
        own: list[str] = []
        handed_on: list[str] = []
        rest = list(words[:end])
        while rest:
            word = rest.pop(0)
            name = word.partition("=")[0]
            if not _is_option(word) or name in self._option_string_actions:
                own.append(word)
                if word == "--":
                    own, rest = [*own, *rest], []
            elif word.startswith(option.rest):
                handed_on.append(word)
                if "=" not in word and rest and not _is_option(rest[0]):
                    handed_on.append(rest.pop(0))
            else:
                raise ConfigError(self._unknown(name))
        return own, [*handed_on, *words[end + 1 :]]

    def _unknown(self, name: str) -> str:
        meant = did_you_mean(name, self._option_string_actions)
        behind = self.rest and self.rest[1].option.behind
        if not meant and behind:
            meant = f" Options of what is run stand behind `{behind}`."
        meant = meant or f" `{self.prog} --help` lists all."
        return f"Unknown option {name} of `{self.prog}`.{meant}"


def _is_option(word: str) -> bool:
    return (word.startswith("--") and word != "--") or (word[:1] == "-" and word[1:2].isalpha())


def _word(name: str, kind: Kind, parameter: Parameter, meaning: str) -> dict[str, Any]:
    several = kind.words == "+"
    is_needed = parameter.default is Parameter.empty
    return {
        "type": kind.read,
        "nargs": ("+" if is_needed else "*") if several else None if is_needed else "?",
        "metavar": kind.option.metavar or (name.removesuffix("s") if several else name).upper(),
        "help": meaning.replace("%", "%%"),
        **({} if is_needed else {"default": parameter.default}),
    }


def _option(name: str, kind: Kind, parameter: Parameter, meaning: str) -> dict[str, Any]:
    given: dict[str, Any] = {"help": meaning.replace("%", "%%")}
    if parameter.default is Parameter.empty:
        given["required"] = True
    else:
        given["default"] = parameter.default
        given["help"] += _default(parameter.default, meaning)
    if kind.words == 0:
        if parameter.default is not False:
            raise TypeError(f"Expected {name}, which is a flag, to be off by default.")
        return {**given, "action": "store_true"}
    several = kind.words == "+"
    choices = "{" + ",".join(kind.choices) + "}" if kind.choices else None
    given["metavar"] = (
        kind.metavar or choices or (name.removesuffix("s") if several else name).upper()
    )
    given["type"] = kind.read
    if several:
        given["action"] = "append" if kind.option.one_each else "extend"
        given["default"] = None if parameter.default is None else list(parameter.default)
    if kind.words not in (1, "+"):
        given["nargs"] = kind.words
    elif several and not kind.option.one_each:
        given["nargs"] = "+"
    return given


def _default(value: object, meaning: str) -> str:
    """What help says of a default, where the docstring does not and it says something."""
    if value is None or value is False or value == () or "default" in meaning:
        return ""
    shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
    return f" (default: {shown})"


def _indented(text: str | None) -> str:
    return "\n".join(f"  {line}" if line else "" for line in (text or "").splitlines())

"""What `--help` of a verb looks like."""

import argparse
import textwrap
from collections.abc import Iterable

_WIDEST = 100
_NAMES = 26


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Fills paragraphs to the width of the terminal, and says each value of an option once.

    Args:
        prog: the command up to the verb.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_NAMES)
        self._width = min(self._width, _WIDEST)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.split("\n\n")
        return "\n\n".join(
            paragraph
            if paragraph.startswith((" ", "examples:")) or "\n  " in paragraph
            else _filled(paragraph, width, indent)
            for paragraph in paragraphs
        )

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """All names of an option, and its value once."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        names = ", ".join(action.option_strings)
        return f"{names} {self._format_args(action, str(action.metavar))}"

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        if action.nargs in {"+", "*"}:
            return f"{action.metavar} ..."
        return super()._format_args(action, default_metavar)


def _filled(paragraph: str, width: int, indent: str) -> str:
    text = " ".join(paragraph.split())
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


def usage(
    prog: str, words: Iterable[argparse.Action], options: Iterable[argparse.Action], more: str
) -> str:
    """One line: the words, the options that must be given, and that there are others.

    Args:
        prog: the command up to the verb.
        words: the positional arguments.
        options: all options.
        more: what may follow; empty: nothing.
    """
    parts = [prog]
    for word in words:
        several = " ..." if word.nargs in {"+", "*"} else ""
        text = f"{word.metavar}{several}"
        parts.append(text if word.required else f"[{text}]")
    needed = (option for option in options if option.required)
    parts += [f"{option.option_strings[0]} {option.metavar}" for option in needed]
    return " ".join([*parts, "[options]", *filter(None, [more])])

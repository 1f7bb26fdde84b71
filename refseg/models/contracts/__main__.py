"""Checks of a class by its path: `python -m refseg.models.contracts --fusion mypackage.Mine`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import yaml

from refseg.errors import ConfigError
from refseg.models.contracts import (
    check_backbone,
    check_decoder,
    check_fusion,
    check_text_encoder,
)
from refseg.models.parts import PACKAGES

_EXAMPLES = """\
examples:
  python -m refseg.models.contracts --fusion mypackage.MyFusion
  python -m refseg.models.contracts --fusion 'mypackage.MyFusion: {hidden_dim: 8}'
  python -m refseg.models.contracts --fusion mypackage.Early --backbone 'SmallBackbone: {width: 8}'

Modules are also looked for in the working directory. In a test of yours, with pytest or without:
  from refseg.models.contracts import check_fusion
  check_fusion(functools.partial(MyFusion, hidden_dim=8))"""

_CHECKS: dict[str, Callable[[Any], None]] = {
    "backbone": check_backbone,
    "text_encoder": check_text_encoder,
    "fusion": check_fusion,
    "decoder": check_decoder,
}


def main(words: Sequence[str] | None = None) -> int:
    """Check classes, and return the exit code: 1 if a promise is broken, 2 for a wrong path."""
    parser = argparse.ArgumentParser(
        prog="python -m refseg.models.contracts",
        description="See whether classes keep what every part of their kind promises.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for part in _CHECKS:
        parser.add_argument(
            f"--{part}",
            metavar="CLASS",
            help="path of a class, or that and its arguments: 'mypackage.Mine: {width: 8}'",
        )
    given = {part: text for part, text in vars(parser.parse_args(words)).items() if text}
    if not given:
        parser.error(f"name a class with --{', --'.join(_CHECKS)}")
    try:
        made = {part: _maker(text) for part, text in given.items()}
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    checks = dict(_CHECKS)
    for part, check in (("fusion", check_fusion), ("decoder", check_decoder)):
        if {part, "backbone"} <= set(made):  # one that speaks between its stages, or needs its maps
            checks[part] = partial(check, backbone=made["backbone"])
    code = 0
    for part, make in made.items():
        try:
            checks[part](make)
        except AssertionError as error:
            print(error)
            code = 1
        else:
            print(f"{given[part]} keeps all promises of its kind.")
    return code


def _maker(text: str) -> Callable[..., Any]:
    """A class with its arguments.

    Raises:
        ConfigError: there is no such class, or what follows it are no arguments.
    """
    path, _, more = text.partition(":")
    arguments = yaml.safe_load(more) if more.strip() else {}
    if not isinstance(arguments, dict):
        raise ConfigError(
            f"Expected arguments by their names after {path}:, as in "
            f"'{path}: {{hidden_dim: 8}}', got {more.strip()}."
        )
    return partial(_found(path.strip()), **arguments)


def _found(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    places = [module] if module else [f"refseg.models.{package}" for package in PACKAGES]
    for place in places:
        try:
            kind = getattr(import_module(place), name, None)
        except ModuleNotFoundError as error:
            raise ConfigError(f"Cannot import {place!r} for {path!r}: {error}.") from None
        if isinstance(kind, type):
            return kind
    raise ConfigError(f"There is no class {name!r} in {', '.join(places)}.")


if __name__ == "__main__":
    sys.exit(main())

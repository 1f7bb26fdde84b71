"""The parser of the trainer's verbs: what it may make, and what it says of wrong options."""

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from jsonargparse import set_parsing_settings
from jsonargparse.typing import register_type
from lightning.pytorch.cli import LightningArgumentParser

from refseg.checkpoint import import_packages
from refseg.cli.messages import explain
from refseg.cli.trainer.command_line import imported_packages
from refseg.cli.trainer.own_classes import packages_here
from refseg.errors import ConfigError
from refseg.models.weights.huggingface import Architecture


class RefsegParser(LightningArgumentParser):
    """Reports what is wrong with an option in one message, without the usage of them all."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as jsonargparse
        super().__init__(*arguments, **options)
        self.verbs: dict[str, LightningArgumentParser] = {}
        """The parsers of the verbs, where this is the one above them."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise instead of printing.

        Raises:
            ConfigError: always.
        """
        verb = sys.argv[1] if len(sys.argv) > 1 else ""
        parser = self.verbs.get(verb, self)
        options = [*parser._option_string_actions, "--checkpoint"]
        raise ConfigError(explain(message, options)) from ex


def trust_nothing_unasked(words: Sequence[str]) -> None:
    """Import what the user names, and have the parser make objects where a type asks for them only.

    He names packages by an option, and those of the working directory by the path of a class, too.

    Args:
        words: after the verb.
    """
    set_parsing_settings(instantiate_subclass_spec_in_any=False)
    register_type(Architecture, dict, Architecture, fail_already_registered=False)
    import_packages(imported_packages(words))
    for package, source in packages_here(words).items():
        import_packages([package], source)

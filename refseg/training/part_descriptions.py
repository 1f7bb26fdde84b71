"""What checkpoints say of the parts of a module that was made in Python, or from a config."""

from collections.abc import Iterator
from typing import Any

from lightning.pytorch import LightningModule

from refseg.checkpoint.description import described
from refseg.checkpoint.packages import naming
from refseg.errors import CheckpointError, ConfigError
from refseg.inference.from_checkpoint import checked_network

_LIBRARIES = {"refseg", "torch", "lightning", "transformers"}


def describe_parts(module: LightningModule) -> ConfigError | None:
    """Note the classes and arguments of parts that were made in Python, for checkpoints.

    Those of a config are noted already.

    Args:
        module: whose hyper-parameters become descriptions.

    Returns:
        what is wrong with a part that cannot be described; whoever saves nothing need not care.
    """
    wrong: ConfigError | None = None
    for name, part in list(module.hparams.items()):
        if not callable(part):
            continue
        try:
            module.save_hyperparameters({name: described(part, name)})
        except ConfigError as error:
            module.save_hyperparameters({name: repr(part)})
            wrong = error
    return wrong


def check_description(module: LightningModule) -> None:
    """See that the checkpoints of this module will be opened, by whoever trusts its classes."""
    checkpoint: dict[str, Any] = {"hyper_parameters": dict(module.hparams)}
    module.on_save_checkpoint(checkpoint)
    description = checkpoint["hyper_parameters"]
    paths = frozenset(_classes(description))
    packages = {path.partition(".")[0] for path in paths if "." in path} - _LIBRARIES
    try:
        with naming(packages):
            checked_network(description, "A checkpoint of this model", paths)
    except CheckpointError as error:
        raise ConfigError(
            f"Checkpoints of this model would not be opened. {error} Give parts numbers, "
            "texts, and classes for which their constructors ask by a class of yours or of "
            "refseg."
        ) from error


def _classes(described: object) -> Iterator[str]:
    """The paths of the classes in a description of parts."""
    if isinstance(described, dict):
        if isinstance(described.get("class_path"), str):
            yield described["class_path"]
        for value in described.values():
            yield from _classes(value)
    elif isinstance(described, list | tuple):
        for value in described:
            yield from _classes(value)

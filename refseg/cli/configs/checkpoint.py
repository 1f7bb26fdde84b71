"""What is taken from the config in a checkpoint: the model, the data, and nothing that writes."""

from collections.abc import Collection, Mapping
from typing import Any

from lightning.pytorch import Trainer, seed_everything

from refseg.checkpoint.allowed_classes import check_arguments
from refseg.checkpoint.config import config_in, section
from refseg.cli.configs.bases import read_yaml, with_bases
from refseg.cli.configs.files import find_config
from refseg.data.from_checkpoint import data_of
from refseg.training.from_checkpoint import described_model, model_config
from refseg.training.module import ReferringSegmentation

_TRAINER = "trainer/default.yaml"
_PRECISION = "precision"  # the only option of the trainer that figures depend on
# Beside what the checkpoint describes.
_MODEL = ("loss", "exact_evaluation", "decayed", "learning_rate_factors", "regions")


def config_of(
    checkpoint: Mapping[str, Any], source: object, given: Collection[str] = ()
) -> dict[str, Any]:
    """A config for evaluating a checkpoint as it was trained.

    Model and data are the checkpoint's. Where and what is written, which loggers and callbacks run,
    and on how many devices, is not: that is the default trainer's, and the user's options change
    it. Data are read where the checkpoint says, on this machine only.

    Args:
        checkpoint: as it was read.
        source: of it, for messages.
        given: names of options of `data` that the user gives: the checkpoint's do not count.

    Raises:
        CheckpointError: something is not of its type, names a foreign class, or an address of a
            network, or is too large to be meant.
    """
    written = config_in(checkpoint, source)
    content = written or {}
    described = {k: v for k, v in section(content, "model", source).items() if k in _MODEL}
    others = check_arguments(ReferringSegmentation, described, source)
    model = model_config({**described_model(checkpoint, source), **others})
    model.pop("vocab_size", None)  # linked from the data
    path = find_config(_TRAINER)
    trainer = with_bases(read_yaml(path), path.parent)
    precision = section(content, "trainer", source, may_be_file=True).get(_PRECISION)
    taken = check_arguments(Trainer, {_PRECISION: precision}, source)
    seed = check_arguments(seed_everything, {"seed": content.get("seed_everything")}, source)
    config = {
        "seed_everything": seed["seed"] if isinstance(seed["seed"], int) else True,
        "trainer": {**trainer, **taken},
        "model": model,
    }
    return config if written is None else {**config, "data": data_of(content, source, given)}

"""The parts of a run as its config makes them, without running it."""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningCLI

from refseg.checkpoint import read_checkpoint
from refseg.cli.trainer.command_line import in_order, resolve_configs, with_config_of_checkpoint
from refseg.cli.trainer.lightning_cli import RefsegCLI
from refseg.cli.trainer.parser import RefsegParser, trust_nothing_unasked
from refseg.cli.trainer.quiet import quieten
from refseg.cli.trainer.stages import stages_of
from refseg.data import ReferringDataModule
from refseg.errors import ConfigError
from refseg.models.weights.files import load_weights
from refseg.training.module import ReferringSegmentation


class PreparedRun(NamedTuple):
    """What `refseg fit` would train, with what, and on what.

    Args:
        module: with the weights that the training starts with.
        data: its splits and transform.
        trainer: on one device.
    """

    module: ReferringSegmentation
    data: ReferringDataModule
    trainer: Trainer


class _PreparingCLI(RefsegCLI):
    """Makes the parts, and no folder."""

    def before_instantiate_classes(self) -> None:
        config = self.config[str(self.subcommand)]
        config.trainer.logger, config.trainer.callbacks = False, None
        config.trainer.devices, config.trainer.num_nodes, config.trainer.strategy = 1, 1, "auto"
        config.pop("import", None)
        config.data.features = None
        if config.ckpt_path:
            config.data.vocabulary_from = config.ckpt_path

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:  # noqa: ANN401 - as LightningCLI
        return LightningCLI.instantiate_trainer(self, **kwargs)

    def _run_subcommand(self, subcommand: str) -> None:
        pass


def prepare_run(
    words: Sequence[str], data: type[ReferringDataModule] = ReferringDataModule
) -> PreparedRun:
    """Make the parts of a run.

    Args:
        words: what would follow `refseg fit`; with `--ckpt_path`, the backbone has the weights of
            that checkpoint, whose config is taken where none is named.
        data: the class of the data, which takes the same options.

    Raises:
        ConfigError: the config is one of several stages, or its weights do not fit.
    """
    quieten()
    words = in_order(words)
    trust_nothing_unasked(words)
    stages = stages_of(words)
    if stages is not None:
        raise ConfigError(
            f"Expected the config of one model, got one of several stages; name one of "
            f"{', '.join(stages)}."
        )
    sys.argv = ["refseg", "fit", *resolve_configs(with_config_of_checkpoint(words))]
    made = _PreparingCLI(
        ReferringSegmentation,
        data,
        save_config_callback=None,
        auto_configure_optimizers=False,
        parser_class=RefsegParser,
        parser_kwargs={"allow_abbrev": False},
    )
    run = PreparedRun(made.model, made.datamodule, made.trainer)
    checkpoint = made.config["fit"].ckpt_path or made.model.start_from
    if checkpoint:
        _take_backbone(run, checkpoint, with_transform=bool(made.config["fit"].ckpt_path))
    return run


def _take_backbone(run: PreparedRun, path: str, with_transform: bool) -> None:
    checkpoint = read_checkpoint(path)
    prefix = "segmenter.backbone."
    state = checkpoint["state_dict"].items()
    found = {name.removeprefix(prefix): w for name, w in state if name.startswith(prefix)}
    load_weights(run.module.segmenter.backbone, found, path)
    if with_transform:
        run.data.load_state_dict(checkpoint["ReferringDataModule"])

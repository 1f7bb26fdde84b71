"""What a verb of the trainer does between its command line and its end."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from jsonargparse import Namespace
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from refseg.checkpoint import read_checkpoint
from refseg.checkpoint.config import config_in
from refseg.checkpoint.packages import OPTION
from refseg.cli.trainer.distributed import EndTogether, ending_together
from refseg.cli.trainer.options import EVALUATING, add_verb_options, verb_callbacks
from refseg.cli.trainer.parser import RefsegParser
from refseg.cli.trainer.trainer_config import (
    check_handing_on,
    lines_for_bar,
    name_wandb_runs,
    place_in,
    turn_off,
)
from refseg.errors import ConfigError
from refseg.evaluation.protocols import PROTOCOLS, ProtocolName
from refseg.files import with_home
from refseg.models.comparison import check_description
from refseg.models.parts import PARTS
from refseg.training import AtomicCheckpointIO, LastCheckpoint
from refseg.training.callbacks import CompleteCheckpoint, FolderTaken
from refseg.training.changed_settings import told_changes
from refseg.training.clock import TrainingClock
from refseg.training.empty_predictions import EmptyPredictions
from refseg.training.from_checkpoint import described_model, model_config
from refseg.training.going_on import ResumeFile, is_queued_again, last_checkpoint
from refseg.training.loggers import WeightsAndBiases
from refseg.training.run_folder import RunFolder
from refseg.training.run_lock import check_vacant, discard, is_first_process, leftovers, locked
from refseg.training.waiting_for_data import WaitingForData


class RefsegCLI(LightningCLI):
    """LightningCLI with a folder per run, complete checkpoints and a result at the end."""

    is_shown = True
    """Whether the figures of an evaluation are printed."""

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - as LightningCLI
        again: str | None = None,
        **options: Any,  # noqa: ANN401 - as LightningCLI
    ) -> None:
        """Run the verb, and give its folder back at the end, whatever happens.

        Args:
            arguments: of LightningCLI.
            again: the command that goes on with a training; None: the one of its run alone.
            options: of LightningCLI.
        """
        self.again = again
        self.before: dict[str, Any] | None = None  # the config of the run that goes on
        self.taking: FolderTaken | None = None
        with ExitStack() as self.held:
            self.held.callback(RunFolder.forget)
            super().__init__(*arguments, **options)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the folder of the run, and the one link between data and model."""
        parser.add_argument(
            "--output",
            type=str | None,
            default=None,
            help="Folder of the run. Default: runs/CONFIG-DATE-TIME for fit, "
            "a folder beside the checkpoint for the other verbs.",
        )
        parser.add_argument(
            OPTION,
            action="append",
            default=None,
            help="Import a package of your own, whose classes a checkpoint may then name; may be "
            "repeated.",
        )
        parser.link_arguments("data.vocab_size", "model.vocab_size", apply_on="instantiate")

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The verb that was asked for, alone: the parser of each has hundreds of options."""
        verbs = LightningCLI.subcommands()
        return {verb: verbs[verb] for verb in sys.argv[1:2] if verb in verbs} or verbs

    def _prepare_subcommand_parser(
        self,
        klass: type,
        subcommand: str,
        **kwargs: Any,  # noqa: ANN401 - as LightningCLI
    ) -> LightningArgumentParser:
        """Add the options of single verbs."""
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        parser.usage = f"refseg {subcommand} [options]"
        assert isinstance(self.parser, RefsegParser)
        self.parser.verbs[subcommand] = parser
        add_verb_options(parser, subcommand)
        if subcommand in EVALUATING:
            parser.add_argument(
                "--evaluation.protocol",
                type=ProtocolName | Literal["all"],
                default="standard",
                help="How pixels are counted: `standard`, as another code of the field does, or in "
                "`all` ways at once.",
            )
        return parser

    def _parse_ckpt_path(self) -> None:
        """Take the model's options from the checkpoint, once they are known to be harmless.

        Before that, `~` becomes the home folder in all options, also in those of config files.
        """
        _at_home(self.config)
        config = self.config[self.config.subcommand]
        if self.config.subcommand == "fit":
            is_again = config.get("ckpt_path") is None and is_queued_again(config.output)
            if is_again or config.get("ckpt_path") == "last":
                config.ckpt_path = str(last_checkpoint(config.output))
        checkpoint = config.get("ckpt_path")
        if not checkpoint or "://" in checkpoint:
            return
        asked = config.model.as_dict()
        known = frozenset(_class_paths(asked))
        content = read_checkpoint(checkpoint)
        if self.config.subcommand == "fit" and not Path(checkpoint).is_file():
            raise ConfigError(
                f"{checkpoint} holds a model and not the state of its training, so that nothing "
                f"goes on; to train on from its weights: --model.start_from {checkpoint} "
                f"--data.vocabulary_from {checkpoint}."
            )
        model = model_config(described_model(content, checkpoint, known))
        check_description(model, asked, checkpoint)
        if self.config.subcommand == "fit":  # how to train is said anew
            network = (*PARTS, "vocab_size", "segmenter", "lora")
            model = {name: model[name] for name in network if name in model}
            self.before = config_in(content, checkpoint)
        described = {self.config.subcommand: {"model": model}}
        self.config = self.parser.parse_object(described, self.config)

    def before_instantiate_classes(self) -> None:
        """Give everything that is written its place in the folder of the run."""
        verb = str(self.subcommand)
        config = self.config[verb]
        checkpoint = config.get("ckpt_path")
        name = Path(str(config.config[0])).stem if config.get("config") else verb
        self.run_folder = RunFolder.choose(verb, config.output, checkpoint, name)
        folder, overwrite = self.run_folder.path, bool(config.pop("overwrite", False))
        is_new = self.run_folder.is_new or not folder.exists()
        self.held.enter_context(locked(folder, verb, self.run_folder.is_new))
        needed = (value for value in config.values() if isinstance(value, str | Path))
        check_vacant(folder, verb, checkpoint, overwrite, needed)
        self.leftovers = leftovers(folder, overwrite) if verb == "fit" else []
        if verb == "fit" and is_new and is_first_process():
            self.held.callback(self._discard_unless_taken)
        config.pop(OPTION.lstrip("-"), None)  # said anew each time
        config.output = None  # the saved config makes a new run, it does not overwrite this one
        config.ckpt_path = None
        self._dump_config()
        told = None if self.before is None else told_changes(self.before, self.config_dump)
        if told is not None and is_first_process():
            print(told, flush=True)
        config.ckpt_path = checkpoint
        if verb in EVALUATING:
            config.verbose = False  # we show the figures
        if verb == "predict":
            config.return_predictions = False  # they are written, batch by batch
        config.weights_only = True  # nothing in a checkpoint is executed
        turn_off(config.trainer, trains=verb == "fit")
        if self.again is not None:
            check_handing_on(config.trainer)
        self.lines = lines_for_bar(config.trainer, on_stderr=verb != "fit")
        place_in(folder, config.trainer)
        name_wandb_runs(config)
        if checkpoint and verb != "fit":
            config.data.vocabulary_from = checkpoint

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:  # noqa: ANN401 - as LightningCLI
        """Add the callbacks that no config can leave out."""
        config = self.config[str(self.subcommand)]
        steps = config.trainer.accumulate_grad_batches
        if steps < 1:
            raise ConfigError(
                f"Expected trainer.accumulate_grad_batches of at least 1, got {steps}."
            )
        self.taking = FolderTaken(self.run_folder.path, self.config_dump, self.leftovers)
        self.trainer_defaults["callbacks"] = [
            EndTogether(),
            self.taking,
            CompleteCheckpoint(self.config_dump),
            *verb_callbacks(str(self.subcommand), config, self.run_folder.path),
            *self._last_checkpoint(),
            *(self._of_training() if self.subcommand == "fit" else []),
            *self.lines,
        ]
        given = self._get(self.config_init, "trainer")["plugins"] or []
        plugins = given if isinstance(given, list) else [given]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins = [*plugins, AtomicCheckpointIO()]
        return super().instantiate_trainer(plugins=plugins, **kwargs)

    @staticmethod
    def _of_training() -> list[Callback]:
        return [TrainingClock(), EmptyPredictions(), WaitingForData()]

    def _discard_unless_taken(self) -> None:
        """Leave nothing of a training that was refused."""
        if self.taking is None or not self.taking.taken:
            discard(self.run_folder.path)

    def _last_checkpoint(self) -> list[LastCheckpoint]:
        """The callback that keeps the last state, unless the config has it or saves nothing."""
        trainer = self._get(self.config_init, "trainer")
        given = [c for c in trainer["callbacks"] or [] if isinstance(c, LastCheckpoint)]
        is_wanted = self.subcommand == "fit" and trainer["enable_checkpointing"] is not False
        added = [LastCheckpoint()] if is_wanted and not given else []
        for callback in (*given, *added):
            callback.resume = ResumeFile(self.run_folder.path, self.again)
        return added

    def _run_subcommand(self, subcommand: str) -> None:
        """Run the verb; if one process fails, all of them end."""
        with ending_together(self.trainer):
            super()._run_subcommand(subcommand)

    def before_fit(self) -> None:
        """Tell W&B of the config."""
        for logger in self.trainer.loggers:
            if isinstance(logger, WeightsAndBiases):
                logger.log_config(self.config_dump)

    def after_fit(self) -> None:
        """Evaluate the best checkpoint and show what came out."""
        self.run_folder.finish_fit(self.trainer, self.model, self.datamodule, self.config_dump)
        if self.trainer.is_global_zero:
            ResumeFile(self.run_folder.path).remove()

    def before_validate(self) -> None:
        """Count as the option says."""
        name = self.config[str(self.subcommand)].evaluation.protocol
        self.model.protocols = [*PROTOCOLS.values()] if name == "all" else [PROTOCOLS[name]]

    before_test = before_validate

    def after_validate(self) -> None:
        """Show and save the figures."""
        self.run_folder.finish_evaluation(self.trainer, self.model, self.config_dump, self.is_shown)

    after_test = after_validate

    def after_predict(self) -> None:
        """Say where the masks are."""
        self.run_folder.finish_prediction(self.trainer)


def _at_home(config: Any) -> Any:  # noqa: ANN401 - options of any kind
    """The options with `~` for the home folder in all texts and paths; namespaces are changed."""
    if isinstance(config, Namespace):
        for name, value in vars(config).items():
            setattr(config, name, _at_home(value))
    elif isinstance(config, dict):
        return {name: _at_home(value) for name, value in config.items()}
    elif isinstance(config, list):
        return [_at_home(value) for value in config]
    elif isinstance(config, str | Path):
        return with_home(config)
    return config


def _class_paths(config: object) -> Iterator[str]:
    """The classes that options name, wherever they stand."""
    if isinstance(config, dict):
        if isinstance(config.get("class_path"), str):
            yield config["class_path"]
        for value in config.values():
            yield from _class_paths(value)
    elif isinstance(config, list):
        for value in config:
            yield from _class_paths(value)

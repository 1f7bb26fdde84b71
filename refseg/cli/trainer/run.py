"""The verbs of the trainer: `fit`, `validate`, `test`, `predict`."""

import gc
import os
import sys
from collections.abc import Sequence

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

import refseg.training.schedules  # noqa: F401 - a config may name its classes
from refseg.cli.evaluate import evaluate
from refseg.cli.messages import refusal, unfit_state
from refseg.cli.parsing.verb import call
from refseg.cli.text_to_mask import words_of_evaluate
from refseg.cli.trainer.command_line import (
    in_order,
    log_to_sweep,
    naming_checkpoint,
    naming_newest,
    resolve_configs,
    value_of,
    with_config_of_checkpoint,
    with_downloads,
    with_options_of_sections,
)
from refseg.cli.trainer.lightning_cli import RefsegCLI
from refseg.cli.trainer.parser import RefsegParser, trust_nothing_unasked
from refseg.cli.trainer.quiet import quieten
from refseg.cli.trainer.stages import run_stages, stages_of
from refseg.data import ReferringDataModule
from refseg.errors import CheckpointError, ConfigError, RefsegError
from refseg.inference.loading import model_type
from refseg.training.loggers import WeightsAndBiases
from refseg.training.module import ReferringSegmentation
from refseg.training.signals import STOP_SIGNALS


def run_trainer(verb: str, words: Sequence[str], again: str | None = None) -> int:
    """Run `fit`, `validate`, `test` or `predict`, and return the exit code.

    Args:
        verb: one of them.
        words: the rest of the command line.
        again: the command that goes on with a training; None: the one of its run alone.
    """
    words = with_downloads(in_order(with_options_of_sections(words)))
    if verb != "fit":
        words = naming_newest(words)
    with STOP_SIGNALS.obeyed(), naming_checkpoint(words):
        return _run_trainer(verb, words, again)


def _run_trainer(verb: str, words: Sequence[str], again: str | None) -> int:
    checkpoint = value_of("--ckpt_path", words)
    if checkpoint is not None and model_type(checkpoint) is not None:
        return _with_model_of_transformers(verb, checkpoint, words)
    quieten()
    trust_nothing_unasked(words)
    stages = stages_of(words) if verb == "fit" else None
    if stages is not None:
        return run_stages(
            stages, words, lambda words, again: run_trainer("fit", words, again=again)
        )
    words = log_to_sweep(words) if verb == "fit" else with_config_of_checkpoint(words)
    _run(RefsegCLI, verb, words, again)
    return 0


def _with_model_of_transformers(verb: str, checkpoint: str, words: Sequence[str]) -> int:
    """Evaluate it if that is what the verb does, else say which verb does what.

    Raises:
        ConfigError: the verb has no use for it.
    """
    if verb == "fit":
        raise ConfigError(
            f"{checkpoint} is a model of transformers, from which no training goes on; "
            "`refseg fit --config clipseg.yaml` trains the decoder of a CLIPSeg, and its first "
            "lines say how it begins from other weights."
        )
    if verb != "test":
        raise ConfigError(
            f"{checkpoint} is a model of transformers: `refseg evaluate {checkpoint}`, with the "
            "options that name data, evaluates it, and `refseg segment` makes masks of your images."
        )
    return call(evaluate, "refseg evaluate", words_of_evaluate(checkpoint, words))


def _run(
    command: type[RefsegCLI], verb: str, words: Sequence[str], again: str | None = None
) -> RefsegCLI:
    # What distributed processes run again; the first word is the script to start them with.
    sys.argv = [sys.argv[0], verb, *resolve_configs(words)]
    try:
        done = command(
            ReferringSegmentation,
            ReferringDataModule,
            again=again,
            save_config_callback=None,
            auto_configure_optimizers=False,
            parser_class=RefsegParser,
            parser_kwargs={
                "prog": "refseg",
                "allow_abbrev": False,  # `--conf` would be read as `--config`, but not by us
            },
        )
    except SystemExit as ending:
        if isinstance(ending.__context__, KeyboardInterrupt):  # which the trainer makes exit(1) of
            raise KeyboardInterrupt from None
        raise
    except RefsegError:
        raise
    except Exception as error:
        unfit = unfit_state(error)
        if unfit is not None:
            raise CheckpointError(unfit) from error
        is_option = isinstance(error, (MisconfigurationException, TypeError, ValueError))
        message = refusal(error) if is_option else None
        if message is None:
            raise
        raise ConfigError(message) from error
    for logger in done.trainer.loggers:
        if isinstance(logger, WeightsAndBiases):
            logger.close()
    return done


class _Silent(RefsegCLI):
    """Evaluates, and leaves it to others to show the figures."""

    is_shown = False


def test_figures(words: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Do what `refseg test` does, without printing: the figures by protocol and split.

    Several evaluations may follow each other in one process: each frees its memory, and leaves the
    environment, in which processes of a distributed evaluation find each other, as it was.

    Args:
        words: after `refseg test`.
    """
    words, arguments, environment = in_order(words), sys.argv, dict(os.environ)
    with STOP_SIGNALS.obeyed(), naming_checkpoint(words):
        quieten()
        trust_nothing_unasked(words)
        try:
            return _run(_Silent, "test", with_config_of_checkpoint(words)).model.protocol_results
        finally:
            sys.argv = arguments
            os.environ.clear()
            os.environ.update(environment)
            if torch.distributed.is_available() and torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            gc.collect()  # trainer, loops and model know each other
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

"""The folder of a run: what lies where, and what is shown and saved at the end."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console, RenderableType

from refseg.errors import ConfigError
from refseg.evaluation import (
    PROTOCOLS,
    Protocol,
    metric_table,
    protocol_notes,
    protocol_table,
    word_table,
    write_metrics,
)
from refseg.evaluation.results import CRF_RESULTS_FILE, RESULTS_FILE
from refseg.evaluation.word_curves import as_shares, overall_ious
from refseg.training.callbacks import ExamplePictures, PredictionWriter
from refseg.training.callbacks.crf import CRFEvaluation
from refseg.training.callbacks.word_curves import WordCurve
from refseg.training.clock import TrainingClock
from refseg.training.empty_predictions import ADVICE, final_note
from refseg.training.loggers import WeightsAndBiases
from refseg.training.module import ReferringSegmentation
from refseg.training.run_lock import unwritable
from refseg.training.run_summary import evaluated_by, write_summary
from refseg.visualization import word_curves, write_png

VALIDATION = "validate"
"""In the folder of a training: the rows of its validation split, by the weights that are kept."""

_VARIABLE = "REFSEG_RUN_FOLDER"  # the processes of a distributed run share the folder


class RunFolder:
    """Where one run of a verb writes: config, checkpoints, logs, pictures, figures.

    Args:
        path: of the folder; made when something is written.
        is_new: it was made just now, for this run alone.
    """

    def __init__(self, path: Path, is_new: bool = False) -> None:
        self.path, self.is_new = path, is_new

    @classmethod
    def choose(
        cls, verb: str, output: str | None, checkpoint: str | None, name: str
    ) -> "RunFolder":
        """The folder asked for, else a new one, which no other process gets.

        Args:
            verb: `fit`, `validate`, `test` or `predict`.
            output: what the user asked for.
            checkpoint: the results of an evaluation lie in the run that made its checkpoint.
            name: first part of the name of a new folder.
        """
        if output is not None:
            return cls(Path(output).absolute())
        if verb != "fit" and checkpoint is not None and not Path(checkpoint).is_file():
            name = f"{verb}-{Path(checkpoint).name}"  # a shared model lies in no run
        elif verb != "fit" and checkpoint is not None:
            folder = Path(checkpoint).absolute().parent
            folder = folder.parent if folder.name == "checkpoints" else folder
            return cls(folder / verb)
        if (shared := os.environ.get(_VARIABLE)) is not None:
            return cls(Path(shared))
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        path = _new_folder(Path("runs", f"{name}-{stamp}").absolute())
        os.environ[_VARIABLE] = str(path)
        return cls(path, is_new=True)

    @staticmethod
    def forget() -> None:
        """Let the next run of this process have a folder of its own."""
        os.environ.pop(_VARIABLE, None)

    def finish_fit(
        self,
        trainer: Trainer,
        module: ReferringSegmentation,
        data: LightningDataModule,
        config: dict[str, Any],
    ) -> None:
        """Evaluate the best checkpoint on the validation split; show and save what came out.

        Args:
            trainer: which has trained.
            module: what it has trained.
            data: what it was trained on.
            config: of the run, plain values.
        """
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set by its constructor
        # Now: from here on, checkpoints are read whose time is another one.
        seconds = sum(c.seconds for c in callbacks if isinstance(c, TrainingClock))
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # set by its constructor
            return
        checkpoint = self._evaluate_best(trainer, module, data)
        pictures = [c.sheet for c in callbacks if isinstance(c, ExamplePictures)]
        paths = {"config": self.path / "config.yaml"}
        if checkpoint is not None:
            paths = {"checkpoint": checkpoint, **paths}
        for sheet in pictures:
            if sheet is not None and trainer.is_global_zero:
                paths["examples"] = self.path / "examples.png"
                write_png(paths["examples"], sheet)
        if module.protocol_results and trainer.is_global_zero:
            paths["results"] = self.path / VALIDATION / RESULTS_FILE
            evaluated = evaluated_by(trainer, module, config)
            kept = None if checkpoint is None else str(checkpoint)
            write_summary(paths["results"].parent, replace(evaluated, checkpoint=kept))
        parameters = list(module.parameters())
        results: dict[str, Any] = {
            "protocol": module.protocols[0].name,
            "metrics": module.results,
            "trained_on_evaluation_images": module.data.trained_on_evaluation_images,
            "backbone_weights": module.backbone_weights,
            "parameters": sum(p.numel() for p in parameters),
            "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
            "training_seconds": round(seconds, 1),
            "steps": trainer.global_step,
            "checkpoint": None if checkpoint is None else str(checkpoint),
        }
        self._save(results)  # last of all files: who finds it finds a finished run
        for logger in trainer.loggers:
            if isinstance(logger, WeightsAndBiases):
                logger.log_end(paths, results)
        _show(module.results, paths, notes=_notes(module, trainer.global_step))

    def _evaluate_best(
        self, trainer: Trainer, module: ReferringSegmentation, data: LightningDataModule
    ) -> Path | None:
        """Leave the figures of the best checkpoint in `module.results`, and say where it is.

        The last weights count as well, even if no validation followed the last step. With
        `enable_checkpointing false` they are all there is, and nothing is saved.
        """
        module.trained_steps = trainer.global_step  # until a checkpoint is read
        callback = trainer.checkpoint_callback
        best = getattr(callback, "best_model_path", "")
        score = getattr(callback, "best_model_score", None)
        path = self.path / "checkpoints" / "best.ckpt" if trainer.checkpoint_callbacks else None
        if score is None and path is not None:
            # Nothing selects: saved now, whatever becomes of the evaluation.
            trainer.save_checkpoint(path, weights_only=False)
        if trainer.limit_val_batches == 0:
            return path
        if module.evaluated_step != trainer.global_step:
            trainer.validate(module, data, verbose=False)
        monitored = str(getattr(callback, "monitor", None))
        last = trainer.callback_metrics.get(monitored, module.overall_iou)
        sign = -1 if getattr(callback, "mode", "max") == "min" else 1
        if best and score is not None and sign * score >= sign * last:
            if sign * score > sign * last:
                trainer.validate(module, data, ckpt_path=best, weights_only=True, verbose=False)
            return Path(best)
        if score is not None and path is not None:
            trainer.save_checkpoint(path, weights_only=False)
        return path

    def finish_evaluation(
        self,
        trainer: Trainer,
        module: ReferringSegmentation,
        config: dict[str, Any],
        is_shown: bool = True,
    ) -> None:
        """Show and save the figures of `validate` or `test`, beside the rows they come from.

        Args:
            trainer: which has evaluated.
            module: what it has evaluated.
            config: of the evaluation.
            is_shown: print the figures; else they are saved only.

        Raises:
            ConfigError: nothing was evaluated.
        """
        if not module.protocol_results:
            raise ConfigError(
                "Expected something to evaluate, got no split, or a limit of no batches; check "
                "--data.test_splits, --trainer.limit_test_batches and --trainer.limit_val_batches."
            )
        several = module.protocol_results if len(module.protocols) > 1 else {}
        results: dict[str, Any] = {
            "protocol": module.protocols[0].name,
            "metrics": module.results,
            **({"protocols": several} if several else {}),
            "trained_on_evaluation_images": module.data.trained_on_evaluation_images,
            "backbone_weights": module.backbone_weights,
            "checkpoint": str(trainer.ckpt_path),
        }
        paths = {"metrics": self.path / "metrics.json", "results": self.path / RESULTS_FILE}
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set by its constructor
        curves = [c.curves for c in callbacks if isinstance(c, WordCurve)]
        for curve in curves:
            results["words"] = {split: as_shares(points) for split, points in curve.items()}
            paths["words"] = self.path / "words.png"
            if trainer.is_global_zero:
                write_png(paths["words"], word_curves(overall_ious(curve)))
        self._save(results)
        crf = next((c.queue.options for c in callbacks if isinstance(c, CRFEvaluation)), None)
        if crf is not None:
            paths["after CRF"] = self.path / CRF_RESULTS_FILE
        if trainer.is_global_zero:
            paths["summary"] = write_summary(self.path, evaluated_by(trainer, module, config), crf)
        if not is_shown:
            return
        tables = [*_protocol_tables(several, module.protocols)]
        tables += [word_table(overall_ious(curve)) for curve in curves]
        _show(module.results, paths, tables, _notes(module, module.trained_steps))

    def finish_prediction(self, trainer: Trainer) -> None:
        """Say where the masks are, and the list of them; and whether there is anything on them."""
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set by its constructor
        areas = [a for c in callbacks if isinstance(c, PredictionWriter) for a in c.areas]
        is_alone = trainer.world_size == 1  # each process writes a list of its own
        paths = {
            "masks": self.path / "masks",
            "list": self.path / f"predictions{'' if is_alone else '-*'}.jsonl",
        }
        is_empty = is_alone and areas and not any(areas)
        notes = [f"Note: all {len(areas):,} masks are empty. {ADVICE}"] if is_empty else []
        _show({}, paths, notes=notes)

    @rank_zero_only
    def _save(self, results: dict[str, Any]) -> None:
        write_metrics(self.path / "metrics.json", results)


def _new_folder(path: Path) -> Path:
    """Make a folder of this name, or of the next free one: runs may begin in the same second."""
    for number in itertools.count(1):
        numbered = path if number == 1 else path.with_name(f"{path.name}-{number}")
        try:
            numbered.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(path, error) from error
        return numbered
    raise AssertionError("there is always a next number")


@rank_zero_only
def _show(
    results: dict[str, dict[str, float]],
    paths: dict[str, Path],
    tables: Sequence[RenderableType] = (),
    notes: Sequence[str] = (),
) -> None:
    console = Console()
    for table in (*([metric_table(results)] if results else []), *tables):
        console.print(table)
    for name, path in paths.items():
        console.print(f"{name + ':':<12}{_short(path)}", soft_wrap=True, highlight=False)
    for note in notes:
        console.print(note, soft_wrap=True, highlight=False, markup=False)


def _notes(module: ReferringSegmentation, steps: int | None) -> list[str]:
    return [final_note(module.empty_splits, steps)] if module.empty_splits else []


def _protocol_tables(
    results: Mapping[str, dict[str, dict[str, float]]], protocols: Sequence[Protocol]
) -> Iterator[RenderableType]:
    """What is to be said of other ways of counting than the standard one."""
    for split in next(iter(results.values()), {}):
        rows = {name: splits[split] for name, splits in results.items()}
        yield protocol_table(rows, PROTOCOLS, title=split)
    if any(protocol.name != "standard" for protocol in protocols):
        yield protocol_notes(protocols)


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path

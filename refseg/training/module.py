"""The LightningModule: a segmenter with its loss, optimiser, schedule and metrics."""

from collections.abc import Sequence
from copy import deepcopy
from inspect import signature
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from refseg import __version__
from refseg.checkpoint import read_checkpoint
from refseg.errors import ConfigError, TrainingError
from refseg.losses import Loss, MaskLoss, WeightedLogisticLoss, WordLoss
from refseg.models.comparison import check_model
from refseg.models.decoders import BilinearDecoder
from refseg.models.lora import LoRAFactory
from refseg.models.parameters import parameter_groups, scale_learning_rates
from refseg.models.parts import import_parts
from refseg.models.region_training import RegionTraining
from refseg.models.segmenter import (
    BackboneFactory,
    DecoderFactory,
    FusionFactory,
    Segmenter,
    SegmenterFactory,
    TextEncoderFactory,
)
from refseg.models.weights.files import load_weights
from refseg.models.weights.provenance import Origin
from refseg.precision import check_optimizer, check_weights
from refseg.training.changed_settings import adapt, check_length
from refseg.training.compilation import compile_network
from refseg.training.evaluating_module import EvaluatingModule
from refseg.training.part_descriptions import check_description, describe_parts
from refseg.training.precomputed_features import check_features
from refseg.training.schedules import Schedule
from refseg.training.word_vectors import take_words
from refseg.types import Batch, Output

import_parts()  # a config may name any of them: jsonargparse looks among the classes that exist

_NOT_OF_THE_MODEL = ("loss", "exact_evaluation", "regions", "start_from", "compile")


class ReferringSegmentation(EvaluatingModule):
    """Trains and evaluates a segmenter.

    Evaluation happens in each image's own size, over every expression, in integer pixel counts.
    Other ways of counting are those of `protocols`, all of them from one forward pass.

    Args:
        backbone: makes the image encoder.
        text_encoder: makes the text encoder; its `vocab_size` comes from the data.
        fusion: makes the fusion of words and pixels; its widths come from the encoders.
        vocab_size: number of token ids; linked from the data, not set by hand.
        decoder: makes the decoder from fused features to logits.
        loss: from all that the network answers, and the batch, to a scalar.
        optimizer: makes the optimiser from the trained parameters.
        lr_scheduler: makes the learning-rate schedule, which advances with every step; None: the
            rate stays.
        exact_evaluation: evaluate each expression by itself, so that the pixel counts do not depend
            on the batch size, the order, or the number of processes. Without it, whole batches go
            through the network, which is faster on a GPU, and a pixel at the threshold may tip
            over.
        decayed: names of the segmenter's parameters, with `*`, that the optimiser's weight decay is
            for (`decoder.classifier.weight`); None: it is for all. In `Adam` and `SGD` it is the
            papers' L2 term of the loss, in `AdamW` it is not.
        learning_rate_factors: of parameters by name, with `*`, as multiples of the optimiser's rate
            (`{"backbone.*": 0.1}`); of several that fit, the first counts.
        regions: train on boxes instead of masks, as LSTM-CNN's first stage; evaluated is what the
            same weights segment.
        start_from: a checkpoint whose weights training starts with, of the same network and
            vocabulary (`data.vocabulary_from`): what LSTM-CNN's later stages do. A run that goes on
            (`ckpt_path`) does not need it.
        name_words: have the network say which words the cells of the backbone's map are called by,
            which `WordLoss` learns from.
        segmenter: makes the network of its parts: a subclass of `Segmenter` does what no part can
            express.
        lora: puts low-rank adapters into the frozen parts, which are trained with the rest.
        compile: let `torch.compile` make the network faster (`Segmenter.compile` says what of it).
            The first batches take minutes; figures are the same but for rounding, and so are
            checkpoints.

    Raises:
        ConfigError: there is a `WordLoss` and no `name_words`.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        text_encoder: TextEncoderFactory,
        fusion: FusionFactory,
        vocab_size: int,
        decoder: DecoderFactory = BilinearDecoder,
        loss: Loss = WeightedLogisticLoss(),  # noqa: B008 - stateless; jsonargparse shows it
        optimizer: OptimizerCallable = torch.optim.AdamW,
        lr_scheduler: LRSchedulerCallable | None = Schedule,
        exact_evaluation: bool = True,
        decayed: Sequence[str] | None = None,
        learning_rate_factors: dict[str, float] | None = None,
        regions: RegionTraining | None = None,
        start_from: str | None = None,
        name_words: bool = False,
        segmenter: SegmenterFactory = Segmenter,
        lora: LoRAFactory | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if _has_word_loss(loss) and not name_words:
            raise ConfigError(
                "WordLoss learns from the words that a network names; set model.name_words true, "
                "or leave the loss out."
            )
        self.save_hyperparameters(ignore=_NOT_OF_THE_MODEL)
        self._not_described = describe_parts(self)
        self.segmenter = segmenter(backbone, text_encoder, fusion, decoder, vocab_size, name_words)
        if lora is not None:
            lora(self.segmenter)
        self.backbone_weights: Origin | None = self.segmenter.backbone.origin
        """What they started as, wherever they went since; None where a checkpoint does not say."""
        # The default is one object: modules would share its mode of training or evaluation.
        self.loss = deepcopy(loss) if loss is _default_loss() else loss
        if self.segmenter.words is not None and not _has_word_loss(loss):
            self.segmenter.words.requires_grad_(False)  # nothing would reach it
        self.make_optimizer, self.make_schedule = optimizer, lr_scheduler or Schedule
        self.exact_evaluation = exact_evaluation
        self.decayed, self.learning_rate_factors = decayed, learning_rate_factors
        self.regions, self.start_from = regions, start_from
        self.compiles = compile
        self.trained_steps: int | None = None
        """After which the weights of a checkpoint were saved; None where it does not say."""
        self._resumed: dict[str, Any] | None = None
        self._is_trained_here = False

    def __deepcopy__(self, memo: dict[int, Any]) -> "ReferringSegmentation":
        """A copy with weights of its own, as averaging them needs.

        What makes optimizers and schedules is shared: on the command line it holds all of that.
        """
        memo |= {id(factory): factory for factory in (self.make_optimizer, self.make_schedule)}
        kind = type(self)
        memo[id(self)] = copied = kind.__new__(kind)
        copied.__dict__.update(deepcopy(self.__getstate__(), memo))
        return copied

    def forward(self, batch: Batch) -> Output:
        """What the network answers, in network size."""
        return self.segmenter(batch)

    def setup(self, stage: str) -> None:
        """Take the weights to start from, unless they come from a checkpoint of the run.

        Raises:
            ConfigError: they are of another network, or of another vocabulary; or the network is
                to be compiled, and there is nothing to do that with.
        """
        if self.compiles:
            compile_network(self.segmenter, self.trainer.strategy.root_device)
        if self.trainer.ckpt_path is not None:
            return
        if stage != "fit" or self.start_from is None:
            if self.segmenter.text_encoder.wants_words:
                take_words(self.segmenter.text_encoder, self.data, self.trainer)
            return
        checkpoint = read_checkpoint(self.start_from)
        if checkpoint["ReferringDataModule"]["tokenizer"] != self.data.tokenizer.state_dict():
            raise ConfigError(
                f"Expected the vocabulary of {self.start_from}, whose weights training starts "
                "with, got another one; give the checkpoint as --data.vocabulary_from, too."
            )
        weights = checkpoint["state_dict"].items()
        found = {name.removeprefix("segmenter."): weight for name, weight in weights}
        load_weights(self.segmenter, found, self.start_from)
        self._remember(checkpoint)

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # of Lightning's arguments, what holds here
        cls,
        checkpoint_path: str | Path,
        **parts: Any,  # noqa: ANN401 - arguments of the constructor
    ) -> "ReferringSegmentation":
        """The module of a checkpoint with its weights; nothing that stands in it is executed.

        Lightning's own makes an object of whatever class a checkpoint names.

        Args:
            checkpoint_path: what `refseg fit` wrote.
            parts: arguments of the constructor that a checkpoint does not describe, such as `loss`.

        Raises:
            CheckpointError: it is none of refseg, names foreign classes, or its weights do not fit.
        """
        from refseg.training.from_checkpoint import (
            build_module,  # which makes objects of this class
        )

        return build_module(read_checkpoint(checkpoint_path), checkpoint_path, **parts)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make sure that the weights are of this network, and take over where they came from.

        Raises:
            CheckpointError: they are of another one; the message says what differs.
        """
        self._remember(checkpoint)
        # What a loss keeps is what it was told, today.
        loss = {f"loss.{name}": value for name, value in self.loss.state_dict().items()}
        kept = [checkpoint.get(group) for group in ("state_dict", "current_model_state")]
        for weights in filter(None, kept):  # averages, and beside them what they are of
            described = {**checkpoint, "state_dict": weights}
            check_model(described, self.segmenter, self.trainer.ckpt_path or "the checkpoint")
            for name in [name for name in weights if name.startswith("loss.")]:
                del weights[name]
            weights |= loss
        if self.trainer.state.fn == TrainerFn.FITTING:
            self._resumed = checkpoint
            if self.trainer.optimizers:  # some strategies restore after they have been set up
                (config,) = self.trainer.lr_scheduler_configs
                self._adapt(self.trainer.optimizers[0], config.scheduler)

    def _remember(self, checkpoint: dict[str, Any]) -> None:
        self.backbone_weights = checkpoint.get("refseg", {}).get("backbone_weights")
        step = checkpoint.get("global_step")
        self.trained_steps = step if isinstance(step, int) and step > 0 else None

    def _check_weights(self) -> None:
        """See whether weights are numbers, and kept features those of the backbone's weights.

        Raises:
            ConfigError: they are not.
            DataError: an image has no features.
        """
        check_weights(self.segmenter)
        check_features(self.segmenter, self.data, self.trainer, self.regions is not None)

    on_test_start = on_predict_start = _check_weights

    def on_fit_start(self) -> None:
        """As before a test; and see that checkpoints can be written, before the first step.

        Raises:
            ConfigError: a part is no class and no partial of one, or has an argument that no
                checkpoint is believed, and checkpoints are wanted.
        """
        is_trial: object = self.trainer.fast_dev_run  # type: ignore[attr-defined]  # set when made
        is_saved = self.trainer.checkpoint_callbacks and not is_trial
        if is_saved:
            check_description(self)
        self._check_weights()
        self._is_trained_here = True

    def on_validation_start(self) -> None:
        """As before a test; while training it has been done."""
        if self.trainer.state.fn == TrainerFn.VALIDATING:
            self._check_weights()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser over what is trained, and its schedule, told the number of steps.

        Raises:
            ConfigError: the optimiser cannot work in the precision of the weights.
        """
        groups = parameter_groups(self.segmenter, self.decayed, self.learning_rate_factors)
        optimizer = self.make_optimizer(groups)
        scale_learning_rates(optimizer)
        check_optimizer(optimizer)
        schedule = self.make_schedule(optimizer)
        planned = int(self.trainer.estimated_stepping_batches)
        if isinstance(schedule, Schedule):
            schedule.total_steps = schedule.fixed_steps or planned
        check_length(schedule, planned)
        self._adapt(optimizer, schedule)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _adapt(self, optimizer: Optimizer, schedule: LRScheduler) -> None:
        """Go on with the settings of today instead of those that the checkpoint was made with."""
        if self._resumed is None:
            return
        network, settings = self.segmenter, self.hparams
        told = adapt(self._resumed, network, optimizer, schedule, settings, self.make_optimizer)
        self._resumed = None
        if told and self.trainer.is_global_zero:
            print(*told, sep="\n", flush=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make the checkpoint independent of the files that its parts started from.

        Raises:
            ConfigError: a part cannot be described.
        """
        if self._not_described is not None:
            raise self._not_described
        arguments = dict(checkpoint["hyper_parameters"])
        for name in ("backbone", "text_encoder", "decoder"):
            portable = getattr(self.segmenter, name).portable_arguments()
            if portable:
                init_args = {**arguments[name].get("init_args", {}), **portable}
                arguments[name] = {**arguments[name], "init_args": init_args}
        checkpoint["hyper_parameters"] = arguments
        # A run of the command line has more to say (`CompleteCheckpoint`).
        checkpoint.setdefault("refseg", {"version": __version__}).setdefault(
            "backbone_weights", self.backbone_weights
        )

    def loss_of(self, batch: Batch) -> Float[Tensor, ""]:
        """What training minimises, of one batch."""
        if self.regions is not None:
            return self.regions(self.segmenter, batch, cast("MaskLoss", self.loss).of_masks)
        loss: Tensor = self.loss(self.segmenter(batch), batch)
        return loss

    @property
    def evaluated_loss(self) -> Loss | None:
        """What is logged as `val/loss`: of a module that trains here, unless it does so on boxes.

        Of boxes, what is evaluated is another thing than what is trained.
        """
        is_logged = self._is_trained_here and self.regions is None and not self.trainer.testing
        return self.loss if is_logged else None

    def training_step(self, batch: Batch, batch_index: int) -> Float[Tensor, ""]:
        """The loss of one batch.

        Raises:
            TrainingError: the loss is not finite.
        """
        loss = self.loss_of(batch)
        if not torch.isfinite(loss):
            raise TrainingError(self._not_finite(loss, batch))
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def _not_finite(self, loss: Tensor, batch: Batch) -> str:
        samples = [
            f"  {batch.image_paths[int(index)]} [{expression_id}] {expression!r}"
            for index, expression_id, expression in zip(
                batch.image_index, batch.expression_ids, batch.expressions, strict=True
            )
        ]
        shown = "\n".join(samples[:10])
        more = f"\n  and {len(samples) - 10} more" if len(samples) > 10 else ""
        return (
            f"The loss is {loss.item()} at step {self.global_step}; training stops. Lower the "
            "learning rate, clip gradients (--trainer.gradient_clip_val 1) or train in 32 bit. "
            f"The samples of this step:\n{shown}{more}"
        )


def _has_word_loss(loss: Loss) -> bool:
    return any(isinstance(part, WordLoss) for part in loss.modules())


def _default_loss() -> object:
    return signature(ReferringSegmentation).parameters["loss"].default

"""The half of the LightningModule that evaluates: forward passes, masks, counts, figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from jaxtyping import Bool, Float
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from numpy import ndarray
from torch import Tensor

from refseg.data import ReferringDataModule
from refseg.evaluation import STANDARD, Protocol, SplitMetrics, mean_figures
from refseg.evaluation.counting import PixelCounts, count_by_protocols
from refseg.evaluation.predictions import check_logits, predict
from refseg.losses import Loss
from refseg.models.segmenter import Segmenter, together
from refseg.training.split_losses import SplitLosses
from refseg.types import Batch, Output


class EvaluatingModule(LightningModule):
    """Evaluates a segmenter in each image's own size, over every expression, in integer counts.

    It knows the `segmenter`, and whether each expression is evaluated by itself
    (`exact_evaluation`). Other ways of counting are those of `protocols`, all of them from one
    forward pass.
    """

    segmenter: Segmenter
    exact_evaluation: bool

    def __init__(self) -> None:
        super().__init__()
        self.protocols: Sequence[Protocol] = (STANDARD,)
        # protocol -> split -> figures, and those of the first protocol
        self.protocol_results: dict[str, dict[str, dict[str, float]]] = {}
        self.results: dict[str, dict[str, float]] = {}
        self.evaluated_step = -1
        self.empty_splits: dict[str, int] = {}
        """Of the latest evaluation: how many expressions each split has in which all predictions
        are empty."""
        # of the batch evaluated last, in network size, for callbacks that make more of them
        self.logits: Float[Tensor, " expressions height width"] | None = None
        self._metrics: dict[str, SplitMetrics] = {}
        self._losses: SplitLosses | None = None

    @property
    def evaluated_loss(self) -> Loss | None:
        """What is logged of the evaluated splits beside their figures; None: no loss."""
        return None

    def validation_step(
        self, batch: Batch, batch_index: int, dataloader_idx: int = 0
    ) -> dict[str, list[Tensor] | PixelCounts | Tensor]:
        """Count pixels; returns predictions, counts and scores in own size for the callbacks."""
        output = self._answer(batch, dataloader_idx)
        assert self.logits is not None
        predictions, scores = predict(batch, self.logits, STANDARD.rule)
        counts = count_by_protocols(batch, predictions, self.protocols, output)
        for protocol in self.protocols:
            self._metrics[protocol.name].add(dataloader_idx, batch, counts[protocol])
        return {"predictions": predictions, "counts": counts[STANDARD], "scores": scores}

    def test_step(
        self, batch: Batch, batch_index: int, dataloader_idx: int = 0
    ) -> dict[str, list[Tensor] | PixelCounts | Tensor]:
        """Count intersections and unions, as in validation."""
        return self.validation_step(batch, batch_index, dataloader_idx)

    def predict_step(
        self, batch: Batch, batch_index: int, dataloader_idx: int = 0
    ) -> list[Bool[Tensor, " height width"]]:
        """The prediction for each expression, in its image's own size, on the CPU.

        Foreground is where the logit, brought to the own size, is above 0: probability above 0.5;
        with `original` resampling, what the papers' rule says (`evaluation.predictions.dilated`).
        """
        self._answer(batch)
        assert self.logits is not None
        return predict(batch, self.logits).masks

    def _answer(self, batch: Batch, loader: int = 0) -> Output:
        outputs = []
        for part, output in self._answered(batch):
            if self._losses is not None and part.masks is not None:
                self._losses.add(loader, part, output)
            outputs.append(replace(output, auxiliary={}))  # which may be large
        output = outputs[0] if len(outputs) == 1 else together(outputs)
        self.logits = output.segmentation()
        check_logits(batch, self.logits)
        return output

    def _answered(self, batch: Batch) -> Iterable[tuple[Batch, Output]]:
        """What goes through the network together, with its output."""
        return (
            self.segmenter.each(batch)
            if self.exact_evaluation
            else [(batch, self.segmenter(batch))]
        )

    def _start_evaluation(self) -> None:
        splits = self.evaluated_splits()
        self._metrics = {
            protocol.name: SplitMetrics(splits, self.device, protocol, self._first_ids(protocol))
            for protocol in self.protocols
        }
        loss = self.evaluated_loss
        self._losses = None if loss is None else SplitLosses([*splits], loss)
        self.segmenter.names_words = loss is not None

    def _first_ids(self, protocol: Protocol) -> list[ndarray] | None:
        if protocol.sentences == "all":
            return None
        groups = self.evaluated_groups()
        return [self.data.splits.first_expression_ids(splits) for splits in groups]

    def _finish_evaluation(self) -> None:
        self.protocol_results = {name: counted.figures() for name, counted in self._metrics.items()}
        self.empty_splits = self._metrics[self.protocols[0].name].empty_splits()
        is_validation = not self.trainer.testing
        if is_validation and self.data.splits.is_mixture:
            for results in self.protocol_results.values():
                results["val"] = mean_figures(results.values())
        self.results = self.protocol_results[self.protocols[0].name]
        losses = self._finish_losses()
        for split, figures in self.results.items():
            logged = "val" if is_validation and not self.data.splits.is_mixture else split
            self._log_figures(logged, {**figures, **losses.get(split, {})})
        self.evaluated_step = self.global_step

    def _finish_losses(self) -> dict[str, dict[str, float]]:
        if self._losses is None:
            return {}
        losses = self._losses.means(self.trainer.strategy)
        self._losses, self.segmenter.names_words = None, False
        return {**losses, "val": mean_figures(losses.values())}  # of a mixture

    def _log_figures(self, name: str, figures: Mapping[str, float]) -> None:
        self.log_dict(
            {f"{name}/{key}": value for key, value in figures.items()}, rank_zero_only=True
        )

    @property
    def data(self) -> ReferringDataModule:
        """What the trainer trains or evaluates on."""
        return self.trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.fit, .test, …

    @property
    def overall_iou(self) -> float:
        """Of the latest evaluation's `val`, or of its first split where there is none."""
        return self.results.get("val", next(iter(self.results.values())))["overall_iou"]

    def evaluated_groups(self) -> list[list[str]]:
        """The splits behind each data loader of the evaluation, which may be over."""
        if self.trainer.state.fn == TrainerFn.TESTING:
            return [[name] for name in self.data.split_names]
        return self.data.val_groups

    def evaluated_splits(self) -> dict[str, ndarray | None]:
        """What is evaluated, by name, with the ids of its expressions.

        The ids are None where only some batches are evaluated.
        """
        trainer = self.trainer
        limit = trainer.limit_test_batches if trainer.testing else trainer.limit_val_batches
        # The number 1 is one batch, the share 1.0 is all of them.
        whole = isinstance(limit, float) and limit == 1.0 and not trainer.sanity_checking
        return {
            "+".join(splits): self.data.splits.expression_ids(splits) if whole else None
            for splits in self.evaluated_groups()
        }

    on_validation_epoch_start = _start_evaluation
    on_validation_epoch_end = _finish_evaluation
    on_test_epoch_start = _start_evaluation
    on_test_epoch_end = _finish_evaluation

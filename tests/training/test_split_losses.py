"""The loss of the validation split."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from refseg.data import ReferringDataModule
from refseg.data.shapes.options import ShapesOptions
from refseg.losses import DiceLoss, Loss, WeightedLogisticLoss, WeightedSum, WordLoss
from refseg.models.contracts.samples import make_batch
from refseg.training.module import ReferringSegmentation
from refseg.training.split_losses import SplitLosses
from refseg.types import Batch, Output


class FirstLogit(Loss):
    """The logit in the corner, of a mean expression."""

    def forward(self, output: Output, batch: Batch) -> torch.Tensor:
        return output.logits[:, 0, 0].mean()


def test_each_expression_counts_once() -> None:
    batch = make_batch()  # three expressions
    losses = SplitLosses(["refcoco/val", "refcocog/val"], FirstLogit())
    for value, chosen in ((1.0, [0, 1]), (4.0, [2])):
        part = batch.select(chosen)
        losses.add(0, part, Output(torch.full((len(part), *batch.size), value)))
    losses.add(1, batch, Output(torch.full((3, *batch.size), 7.0)))
    means = losses.means(SingleDeviceStrategy("cpu"))
    assert means == {"refcoco/val": {"loss": 2.0}, "refcocog/val": {"loss": 7.0}}


def test_the_loss_that_is_logged_is_that_of_the_weights(run: Path) -> None:
    """After the only epoch of a run, worked out anew from its checkpoint, WordLoss included."""
    events = EventAccumulator(str(run / "logs")).Reload()
    (logged,) = events.Scalars("val/loss")
    checkpoint = run / "checkpoints" / "best.ckpt"
    losses = [WeightedLogisticLoss(positive_weight=2.0), DiceLoss(), WordLoss()]
    loss = WeightedSum(losses, weights=[1.0, 1.0, 2.0])
    segmenter = ReferringSegmentation.load_from_checkpoint(checkpoint, loss=loss).segmenter.eval()
    segmenter.training = True  # which names words; its parts evaluate
    data = ReferringDataModule(
        dataset="shapes",
        shapes=ShapesOptions(train_images=12, evaluation_images=4),
        image_size=48,
        vocabulary_from=str(checkpoint),
        num_workers=0,
    )
    data.setup("validate")
    values = []
    with torch.no_grad():
        for batch in data.val_dataloader():
            alone = [batch.select([number]) for number in range(len(batch))]
            values += [float(loss(segmenter(each), each)) for each in alone]
    assert len(values) > 4
    assert logged.value == pytest.approx(sum(values) / len(values), rel=1e-4)

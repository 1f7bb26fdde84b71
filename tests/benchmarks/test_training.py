"""What a step of training takes, on networks of which it is known."""

from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

import refseg.benchmarks.turns
from refseg.benchmarks.generated_data import GeneratedData, generated_batch
from refseg.benchmarks.generated_photos import generated_photos
from refseg.benchmarks.training import TrainingCase, measure_training
from refseg.data import ReferringDataset
from refseg.data.shapes import ShapesOptions
from refseg.data.transforms import Transform
from refseg.models.backbones import SmallBackbone
from refseg.models.fusion import ConcatFusion, LanguageAwareFusion
from refseg.models.fusion.base import Fusion
from refseg.models.text_encoders import LSTMEncoder
from refseg.training.module import ReferringSegmentation


@pytest.mark.parametrize(
    "fusion", [partial(ConcatFusion, hidden_dim=4), partial(LanguageAwareFusion, stages=[2, 3])]
)
def test_shares_add_up_and_weights_stay(
    fusion: partial[Fusion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refseg.benchmarks.turns, "ROUND_SECONDS", 0.001)
    data = GeneratedData(shapes=ShapesOptions(train_images=12), image_size=32)
    module = ReferringSegmentation(
        partial(SmallBackbone, width=8, image_dim=8, colour_dim=4),
        partial(LSTMEncoder, embedding_dim=4, hidden_dim=4),
        fusion,
        vocab_size=data.vocab_size,
        optimizer=partial(torch.optim.AdamW, lr=0.1, weight_decay=0.1),
    )
    before = [weight.detach().clone() for weight in module.parameters()]
    loads: list[None] = []
    case = TrainingCase("small", module, generated_batch(data, 2, 6), lambda: loads.append(None))
    figures = measure_training(case, rounds=1)
    parts = [figures.backbone_share, figures.fusion_share, figures.loading_share]
    assert sum(part.median for part in [*parts, figures.rest_share]) == pytest.approx(1)
    assert all(part.median > 0 for part in parts)
    assert figures.per_second.median == pytest.approx(6 / figures.step.median)
    assert loads
    assert all(map(torch.equal, before, module.parameters()))
    assert all(weight.grad is None for weight in module.parameters())
    # The optimiser's two moments are at the peak beside the weights, which do not count.
    assert figures.memory > 2 * 4 * figures.trained


def test_photographs_are_read_as_a_data_set(tmp_path: Path) -> None:
    table = generated_photos(tmp_path, 3, 8)
    with Image.open(tmp_path / "2.jpg") as image:
        assert (image.size, image.format) == ((640, 480), "JPEG")
    assert 30_000 < (tmp_path / "0.jpg").stat().st_size < 300_000, "as those of COCO"
    samples = ReferringDataset(table, Transform(64), "all")
    counts = [len(samples[number].expressions) for number in range(3)]
    assert sum(counts) == 8
    assert samples[0].masks.any((1, 2)).all()

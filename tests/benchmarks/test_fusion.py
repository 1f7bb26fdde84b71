"""What fusions cost, on networks of which it is known."""

from collections.abc import Callable
from functools import partial

import pytest
import torch

import refseg.benchmarks.turns
from refseg.benchmarks.flops_and_memory import count_flops
from refseg.benchmarks.fusion import Case, FusionFigures, measure_fusions
from refseg.benchmarks.generated_data import GeneratedData, generated_batch
from refseg.benchmarks.turns import computing_threads
from refseg.data.shapes import ShapesOptions
from refseg.models.backbones import SmallBackbone
from refseg.models.fusion import ConcatFusion, LanguageAwareFusion
from refseg.models.fusion.base import Fusion
from refseg.models.text_encoders import LSTMEncoder
from refseg.training.module import ReferringSegmentation


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    data = GeneratedData(shapes=ShapesOptions(train_images=12), image_size=32)
    kinds: dict[str, Callable[..., Fusion]] = {
        "late": partial(ConcatFusion, hidden_dim=4),
        "early": partial(LanguageAwareFusion, stages=[2, 3]),
    }
    return [
        Case(
            name,
            ReferringSegmentation(
                partial(SmallBackbone, width=8, image_dim=8, colour_dim=4),
                partial(LSTMEncoder, embedding_dim=4, hidden_dim=4),
                fusion,
                vocab_size=data.vocab_size,
            ),
            generated_batch(data, 2, 8),
            generated_batch(data, 8, 8),
        )
        for name, fusion in kinds.items()
    ]


@pytest.fixture
def figures(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> list[FusionFigures]:
    monkeypatch.setattr(refseg.benchmarks.turns, "ROUND_SECONDS", 0.001)
    return measure_fusions(cases, rounds=3)


def test_each_fusion_has_its_figures(cases: list[Case], figures: list[FusionFigures]) -> None:
    assert [row.name for row in figures] == ["late", "early"]
    assert [row.sites for row in figures] == [(), (2, 3)]
    for row, case in zip(figures, cases, strict=True):
        state = case.module.segmenter.state_dict()
        weights = {name for name, _ in case.module.segmenter.named_parameters()}
        assert row.parameters == sum(state[name].numel() for name in weights)
        assert row.memory > 0
        for spread in (row.forward, row.training, row.one_per_image):
            assert 0 < spread.least <= spread.median <= spread.most
    assert set(figures[0].forward_ratio) == set(figures[0].training_ratio) == {1}


def test_sharing_an_image_saves_what_does_not_depend_on_the_words(
    cases: list[Case], figures: list[FusionFigures]
) -> None:
    """Of eight expressions on two images, what is computed per image is saved six times."""
    # Of a cell, the late fusion makes 4 channels of 8, before the words come to it.
    by_fusion = [2 * 8 * 8 * 8 * 4, 0]
    saved = []
    for row, case, own in zip(figures, cases, by_fusion, strict=True):
        one = case.one_per_image.select([0])
        per_image = count_flops(partial(case.module.segmenter.see, one)) + own
        assert 8 * (row.one_per_image_flops - row.flops) == 6 * per_image
        saved.append(per_image)
    late, early = saved
    assert 0 < early < late, "an early fusion computes a part of the backbone per expression"


def test_nothing_is_left_of_measuring(cases: list[Case]) -> None:
    weights = [weight.detach().clone() for weight in cases[0].module.parameters()]
    threads = torch.get_num_threads()
    with computing_threads(threads + 1):
        assert torch.get_num_threads() == threads + 1
    assert torch.get_num_threads() == threads
    measure_fusions(cases[:1], rounds=1)
    after = [*cases[0].module.parameters()]
    assert all(weight.grad is None for weight in after)
    assert all(map(torch.equal, weights, after))

"""Figures of a split against torchmetrics, the papers' own counts, and several processes."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing
from torchmetrics.classification import BinaryJaccardIndex

from refseg.errors import ConfigError, DataError
from refseg.evaluation import (
    PROTOCOLS,
    ReferringMetrics,
    intersection_and_union,
    mean_figures,
)


def test_overall_iou_equals_the_jaccard_index_of_all_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    jaccard, metrics = BinaryJaccardIndex(), ReferringMetrics()
    for identity in range(12):
        shape = tuple(torch.randint(1, 40, (2,), generator=generator).tolist())
        prediction, mask = torch.rand(2, 1, *shape, generator=generator) > 0.4
        jaccard.update(prediction.int(), mask.int())
        metrics.update(*intersection_and_union(prediction, mask), [identity])
    assert metrics.compute()["overall_iou"].item() == pytest.approx(
        jaccard.compute().item(), abs=1e-7
    )


@pytest.mark.parametrize("paper", ["hu", "rmi"])
def test_reports_of_the_papers_code(shared: Path, paper: str) -> None:
    fixture = np.load(shared / "parity" / f"eval_{paper}.npz")
    printed = json.loads(bytes(fixture["meta"]))["printed"]
    report = re.findall(r"(precision@0\.\d|overall IoU) = ([\d.]+)", printed)[:6]
    metrics = ReferringMetrics()
    for number, (_, width) in enumerate(fixture["sizes_hw"].tolist()):
        prediction, mask = (
            torch.from_numpy(np.unpackbits(fixture[f"{key}_packed_{number}"], axis=1)[:, :width])
            .bool()
            .unsqueeze(0)
            for key in ("out/pred", "in/gt")
        )
        metrics.update(*intersection_and_union(prediction, mask), [number])
    counts = metrics.rows()
    assert counts.intersections.tolist() == fixture["out/I"].tolist()
    assert counts.unions.tolist() == fixture["out/U"].tolist()
    figures = metrics.compute()
    assert len(report) == 6
    for name, value in report:
        ours = figures[name.replace("overall IoU", "overall_iou")].item()
        assert f"{ours:f}" == value, name


def test_keys_and_types() -> None:
    metrics = ReferringMetrics()
    metrics.update(torch.tensor([3]), torch.tensor([4]), (12,))
    figures = metrics.compute()
    assert list(figures) == [
        "overall_iou",
        "mean_iou",
        "precision@0.5",
        "precision@0.6",
        "precision@0.7",
        "precision@0.8",
        "precision@0.9",
    ]
    for value in figures.values():
        assert value.dtype == torch.float64
        assert value.shape == ()


def test_repeats_are_counted_once_and_the_lowest_iou_wins_in_any_order() -> None:
    updates = [([5], [10], [1]), ([4], [10], [1]), ([8], [20], [1]), ([9], [9], [2])]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]):
        metrics = ReferringMetrics()
        for intersections, unions, ids in (updates[number] for number in order):
            metrics.update(torch.tensor(intersections), torch.tensor(unions), ids)
        rows = metrics.rows()
        assert rows.expression_ids.tolist() == [1, 2]
        assert rows.intersections.tolist() == [4, 9]
        assert rows.unions.tolist() == [10, 9]
        assert metrics.compute()["overall_iou"].item() == 13 / 19


def test_reset_forgets_everything() -> None:
    metrics = ReferringMetrics()
    metrics.update(torch.tensor([5]), torch.tensor([10]), [1])
    metrics.compute()
    metrics.reset()
    assert len(metrics.rows().unions) == 0


def test_forward_returns_the_figures_of_the_batch_and_keeps_the_whole() -> None:
    metrics = ReferringMetrics()
    metrics.update(torch.tensor([0]), torch.tensor([10]), [1])
    assert metrics(torch.tensor([10]), torch.tensor([10]), [2])["mean_iou"].item() == 1.0
    assert metrics.compute()["mean_iou"].item() == 0.5


def test_nothing_to_evaluate_is_an_error() -> None:
    metrics = ReferringMetrics()
    empty = torch.zeros(0, dtype=torch.int64)
    metrics.update(empty, empty, ())
    with pytest.raises(DataError, match="at least one expression to evaluate, got none"):
        metrics.compute()


@pytest.mark.parametrize("threshold", [50.0, -0.1])
def test_threshold_outside_of_the_unit_interval(threshold: float) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"got {threshold}")):
        ReferringMetrics(thresholds=(threshold,))


def test_check_ids_names_missing_surplus_and_shared_ids() -> None:
    metrics = ReferringMetrics()
    metrics.update(torch.tensor([5, 6, 7]), torch.tensor([10, 10, 10]), [1, 2, 3])
    metrics.check_ids([3, 2, 1])
    with pytest.raises(DataError, match="missing: 4, 5;") as error:
        metrics.check_ids([1, 2, 4, 5])
    assert "surplus: 3." in str(error.value)
    with pytest.raises(DataError, match="ids of several expressions: 2"):
        metrics.check_ids([1, 2, 2, 3])
    with pytest.raises(DataError, match="missing: 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 7 more"):
        metrics.check_ids(range(1, 21))


EXPRESSIONS = 103


def _split() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    unions = torch.randint(1, 300_000, (EXPRESSIONS,), generator=generator)
    intersections = (unions * torch.rand(EXPRESSIONS, generator=generator)).long()
    identities = torch.randperm(10**6, generator=generator)[:EXPRESSIONS]
    return intersections, unions, identities


def _evaluate(
    rank: int, processes: int, folder: Path, shares: list[list[int]], batch_size: int
) -> None:
    """One process's share of the split, in batches; writes what it computed."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=processes
    )
    columns = _split()
    metrics = ReferringMetrics()
    for start in range(0, len(shares[rank]), batch_size):
        chosen = torch.tensor(shares[rank][start : start + batch_size])
        metrics.update(*(column[chosen] for column in columns))
    metrics.check_ids(columns[2])
    result = {key: value.item() for key, value in metrics.compute().items()}
    rows = [column.tolist() for column in metrics.rows()]
    own = sum(len(part) for part in metrics.counts)
    (folder / f"{rank}.json").write_text(json.dumps([result, rows, own]))
    distributed.destroy_process_group()


def _assert_same_as_one_process(tmp_path: Path, shares: list[list[int]], batch_size: int) -> None:
    columns = _split()
    whole = ReferringMetrics()
    whole.update(*columns)
    expected = {key: value.item() for key, value in whole.compute().items()}
    expected_rows = [column.tolist() for column in whole.rows()]
    processes = len(shares)
    multiprocessing.spawn(
        _evaluate, (processes, tmp_path, shares, batch_size), nprocs=processes, join=True
    )
    for rank in range(processes):
        result, rows, own = json.loads((tmp_path / f"{rank}.json").read_text())
        assert result == expected
        assert rows == expected_rows
        assert own == len(shares[rank]), "after syncing each process has its own share again"


@pytest.fixture
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")


@pytest.mark.usefixtures("_one_thread")
def test_two_processes_with_padding_give_the_integers_of_one(tmp_path: Path) -> None:
    # As DistributedSampler does it: 103 expressions are padded to 104 with the first one.
    padded = [*range(EXPRESSIONS), 0]
    _assert_same_as_one_process(tmp_path, [padded[0::2], padded[1::2]], batch_size=5)


@pytest.mark.slow
@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("batch_size", [1, 64])
def test_three_processes_shuffled_unevenly_give_the_integers_of_one(
    tmp_path: Path, batch_size: int
) -> None:
    order = torch.randperm(EXPRESSIONS, generator=torch.Generator().manual_seed(batch_size))
    identities = order.tolist()
    shares = [identities[:10], identities[10:100], identities[100:] + identities[:30]]
    _assert_same_as_one_process(tmp_path, shares, batch_size)


@pytest.mark.slow
@pytest.mark.usefixtures("_one_thread")
def test_a_process_without_any_expression_takes_part(tmp_path: Path) -> None:
    _assert_same_as_one_process(tmp_path, [[], list(range(EXPRESSIONS))], batch_size=16)


def test_splits_without_accuracies_do_not_count_for_them() -> None:
    named, nameless = {"overall_iou": 0.5}, {"overall_iou": 0.25, "no_target_accuracy": 0.75}
    wanted = {"overall_iou": 0.375, "no_target_accuracy": 0.75}
    assert mean_figures([named, nameless]) == mean_figures([nameless, named]) == wanted


def test_an_object_that_is_squashed_to_nothing_is_still_a_target() -> None:
    counts = torch.tensor([0]), torch.tensor([0]), (1,), torch.tensor([0])
    for name, told in (("standard", True), ("rmi", True), ("lavt", False)):
        metrics = ReferringMetrics(protocol=PROTOCOLS[name])
        metrics.update(*counts)
        assert ("no_target_accuracy" in metrics.compute()) is told, name

"""The same integers for every expression, however it is evaluated."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from . import exact_evaluation
from .exact_evaluation import Observer, evaluate

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def expected(checkpoint: Path) -> Observer:
    return evaluate(checkpoint)


def test_counts_make_sense(expected: Observer) -> None:
    ids, intersections, unions, areas = expected.counts["standard"]
    assert len(set(ids)) == len(ids) > 16
    for i, area, union in zip(intersections, areas, unions, strict=True):
        assert i <= area <= union
    assert sum(intersections) > 0
    assert expected.counts["rmi"] == expected.counts["text_objseg"] != expected.counts["standard"]
    assert expected.counts["mmdet"] == expected.counts["standard"], "fewer are taken in the end"


@pytest.mark.filterwarnings("ignore:Your `val_dataloader`'s sampler has shuffling enabled")
@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1},
        {"batch_size": 3, "num_workers": 2},
        {"batch_size": 3, "max_expressions": 1},
        {"batch_size": 1, "max_expressions": 1},
        {"batch_size": 8, "max_expressions": 5, "shuffle": True},
    ],
    ids=str,
)
def test_any_batches(checkpoint: Path, expected: Observer, options: dict[str, int]) -> None:
    found = evaluate(checkpoint, **options)  # type: ignore[arg-type]  # a flag among numbers
    assert found.counts == expected.counts
    assert found.logits == expected.logits, "to the last bit"
    assert (list(found.logits) != list(expected.logits)) == ("shuffle" in options), "their order"


def test_whole_batches_are_the_same_but_for_rounding(checkpoint: Path, expected: Observer) -> None:
    """What `exact_evaluation` is for: without it the logits depend on the batch."""
    found = evaluate(checkpoint, exact=False)
    for name, (ids, *columns) in found.counts.items():
        assert ids == expected.counts[name][0]
        for ours, theirs in zip(columns, expected.counts[name][1:], strict=True):
            assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 3


@pytest.mark.slow  # `test_distributed.py` compares the figures of two processes in the short suite
@pytest.mark.parametrize(("processes", "batch_size"), [(2, 3), (3, 1)])
def test_any_number_of_processes(
    checkpoint: Path, expected: Observer, tmp_path: Path, processes: int, batch_size: int
) -> None:
    output = tmp_path / "counts.json"
    words = [str(checkpoint), str(processes), str(batch_size), str(output)]
    done = subprocess.run(
        [sys.executable, str(Path(exact_evaluation.__file__)), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(output.read_text()) == expected.counts

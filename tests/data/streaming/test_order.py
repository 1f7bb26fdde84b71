"""The order of training: everything once, few shards at a time, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refseg.data.samplers import Visit
from refseg.data.streaming.order import ShardOrder

LAYOUT = [f"shard{number}" for number in range(30) for _ in range(20)]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    processes=st.integers(1, 5),
    epoch=st.integers(0, 3),
)
def test_every_item_comes_and_only_a_few_twice(
    sizes: list[int], processes: int, epoch: int
) -> None:
    layout = [f"{shard}" for shard, size in enumerate(sizes) for _ in range(size)]
    parts = []
    for process in range(processes):
        order = ShardOrder(layout, seed=3, processes=processes, process=process)
        order.set_epoch(epoch)
        visits = list(order)
        assert {visit.epoch for visit in visits} == {epoch}
        assert len(visits) == len(order)
        parts.append([visit.item for visit in visits])
    assert len({len(part) for part in parts}) == 1
    everything = [item for part in parts for item in part]
    assert set(everything) == set(range(len(layout)))
    assert len(everything) - len(layout) < processes


def test_seed_and_epoch_decide() -> None:
    def items(seed: int, epoch: int) -> list[int]:
        order = ShardOrder(LAYOUT, seed)
        order.set_epoch(epoch)
        return [visit.item for visit in order]

    assert items(0, 0) == items(0, 0)
    assert len({tuple(items(seed, epoch)) for seed in range(2) for epoch in range(3)}) == 6


def test_few_shards_are_in_use_at_a_time() -> None:
    """Between the first and the last item of a shard only its neighbours begin."""
    order = ShardOrder(LAYOUT, seed=0, window=4)
    visited = [LAYOUT[visit.item] for visit in order]
    first = {shard: visited.index(shard) for shard in set(visited)}
    last = {shard: len(visited) - 1 - visited[::-1].index(shard) for shard in set(visited)}
    in_use = [
        sum(first[shard] <= moment <= last[shard] for shard in first)
        for moment in range(len(visited))
    ]
    assert max(in_use) <= 5
    assert np.mean(in_use) > 3, "and yet they are mixed"


def test_processes_read_different_shards() -> None:
    parts = [
        {LAYOUT[visit.item] for visit in ShardOrder(LAYOUT, 0, 2, process, window=2)}
        for process in range(2)
    ]
    assert len(parts[0] & parts[1]) <= 3
    assert len(parts[0]) < 20


def test_a_start_holds_for_one_pass() -> None:
    order = ShardOrder(LAYOUT, seed=0)
    whole = list(order)
    order.start = 7
    order.set_epoch(0)
    assert list(order) == whole[7:]
    order.set_epoch(0)
    assert list(order) == whole
    assert isinstance(whole[0], Visit)


@pytest.mark.parametrize("window", [1, 8, 1000])
def test_windows(window: int) -> None:
    order = ShardOrder(LAYOUT, seed=0, window=window)
    assert sorted(visit.item for visit in order) == list(range(len(LAYOUT)))

"""Proportions, order and what two processes see."""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.fabric.utilities.distributed import DistributedSamplerWrapper

from refseg.data.samplers import ProportionalSampler
from refseg.errors import ConfigError


def counts(items: list[int], sizes: list[int]) -> list[int]:
    """How many of the items are of each set."""
    borders = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    return [
        sum(end - size <= item < end for item in items)
        for size, end in zip(sizes, borders, strict=True)
    ]


@settings(deadline=None)
@given(
    sets=st.lists(
        st.tuples(st.integers(1, 30), st.floats(0, 10, allow_subnormal=False)), min_size=1
    ).filter(lambda sets: any(share > 0.001 for _, share in sets)),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 1000),
)
def test_every_epoch(sets: list[tuple[int, float]], seed: int, epoch: int) -> None:
    """Length, counts off by less than 1 from the share, no item twice before all others once."""
    sizes, shares = [size for size, _ in sets], [share for _, share in sets]
    sampler = ProportionalSampler(sizes, shares, seed, epoch)
    items = list(sampler)
    assert len(items) == len(sampler)
    assert len(sampler) == sum(size for size, share in sets if share)
    found = counts(items, sizes)
    for count, share in zip(found, shares, strict=True):
        assert abs(count - len(items) * share / sum(shares)) < 1 + 1e-6
    for number, size in enumerate(sizes):
        start = sum(sizes[:number])
        visits = Counter(item - start for item in items if start <= item < start + size)
        if found[number]:
            times = [visits[item] for item in range(size)]
            assert max(times) - min(times) <= 1


def test_shares_are_exact_in_the_mean() -> None:
    sizes = [6, 3, 1]
    sampler = ProportionalSampler(sizes, [0.55, 0.33, 0.12], seed=1)
    epochs = 4000
    total = [0, 0, 0]
    for _ in range(epochs):
        total = [a + b for a, b in zip(total, counts(list(sampler), sizes), strict=True)]
    for count, share in zip(total, (5.5, 3.3, 1.2), strict=True):
        # Five standard errors of a count that is rounded up or down.
        assert count / epochs == pytest.approx(share, abs=5 * 0.5 / epochs**0.5)


def test_a_small_set_is_gone_through_several_times() -> None:
    items = list(ProportionalSampler([90, 10], [0.5, 0.5]))
    assert Counter(item for item in items if item >= 90) == dict.fromkeys(range(90, 100), 5)
    assert max(Counter(item for item in items if item < 90).values()) == 1


def test_a_set_without_share_is_left_out() -> None:
    assert sorted(ProportionalSampler([3, 2, 4], [1.0, 0.0, 0.0])) == [0, 1, 2]
    assert sorted(ProportionalSampler([3, 2], [0.0, 5.0])) == [3, 4]
    with pytest.raises(ConfigError, match="has a share of the training, but no images"):
        ProportionalSampler([3, 0], [1.0, 1.0])


def test_order_follows_from_seed_and_epoch() -> None:
    def epochs(seed: int) -> list[list[int]]:
        sampler = ProportionalSampler([5, 7], [1.0, 2.0], seed)
        return [list(sampler) for _ in range(3)]

    first = epochs(3)
    assert first == epochs(3)
    assert first != epochs(4)
    assert len({tuple(epoch) for epoch in first}) == 3
    later = ProportionalSampler([5, 7], [1.0, 2.0], seed=3, epoch=2)
    assert list(later) == first[2]
    later.set_epoch(1)
    assert list(later) == first[1]


def test_two_processes_share_the_epoch() -> None:
    """Lightning's wrapper deals the items out; both processes must have the same ones."""
    ranks = [
        DistributedSamplerWrapper(
            ProportionalSampler([5, 7], [1.0, 2.0]), num_replicas=2, rank=rank, shuffle=False
        )
        for rank in range(2)
    ]
    whole = ProportionalSampler([5, 7], [1.0, 2.0])
    for epoch in range(3):
        for rank in ranks:
            rank.set_epoch(epoch)
        one, other = (list(rank) for rank in ranks)
        dealt = [item for pair in zip(one, other, strict=True) for item in pair]
        assert dealt == list(islice(whole, 12))

"""Proportions, order and what two processes see."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refseg.data.samplers import Order, ProportionalOrder, ShuffledOrder, Visit
from refseg.errors import ConfigError


def visited(order: Order) -> list[int]:
    """The items of the next pass."""
    return [visit.item for visit in order]


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
    sampler = ProportionalOrder(sizes, shares, seed)
    sampler.set_epoch(epoch)
    items = visited(sampler)
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
    sampler = ProportionalOrder(sizes, [0.55, 0.33, 0.12], seed=1)
    epochs = 4000
    total = [0, 0, 0]
    for _ in range(epochs):
        total = [a + b for a, b in zip(total, counts(visited(sampler), sizes), strict=True)]
    for count, share in zip(total, (5.5, 3.3, 1.2), strict=True):
        # Five standard errors of a count that is rounded up or down.
        assert count / epochs == pytest.approx(share, abs=5 * 0.5 / epochs**0.5)


def test_a_small_set_is_gone_through_several_times() -> None:
    items = visited(ProportionalOrder([90, 10], [0.5, 0.5]))
    assert Counter(item for item in items if item >= 90) == dict.fromkeys(range(90, 100), 5)
    assert max(Counter(item for item in items if item < 90).values()) == 1


def test_a_set_without_share_is_left_out() -> None:
    assert sorted(visited(ProportionalOrder([3, 2, 4], [1.0, 0.0, 0.0]))) == [0, 1, 2]
    assert sorted(visited(ProportionalOrder([3, 2], [0.0, 5.0]))) == [3, 4]
    with pytest.raises(ConfigError, match="has a share of the training, but no images"):
        ProportionalOrder([3, 0], [1.0, 1.0])


ORDERS = {
    "proportional": lambda *rest: ProportionalOrder([5, 7], [1.0, 2.0], *rest),
    "shuffled": lambda *rest: ShuffledOrder(12, *rest),
}


@pytest.mark.parametrize("make", ORDERS.values(), ids=ORDERS)
def test_order_follows_from_seed_and_epoch(make: Callable[..., Order]) -> None:
    def epochs(seed: int) -> list[list[int]]:
        order = make(seed)
        return [visited(order) for _ in range(3)]

    first = epochs(3)
    assert first == epochs(3)
    assert first != epochs(4)
    assert len({tuple(epoch) for epoch in first}) == 3
    later = make(3)
    later.set_epoch(1)
    later.start = 4
    assert list(later) == [Visit(1, item) for item in first[1][4:]]
    assert list(later) == [Visit(2, item) for item in first[2]]


@pytest.mark.parametrize("make", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("processes", [2, 3, 5])
def test_processes_share_the_epoch(make: Callable[..., Order], processes: int) -> None:
    whole = make(0)
    parts = [make(0, processes, process) for process in range(processes)]
    for epoch in range(3):
        everything = visited(whole)
        found = [visited(part) for part in parts]
        assert len({len(part) for part in found}) == 1
        joined = [item for part in found for item in part]
        assert joined == [*everything, *everything[: len(joined) - 12]], epoch


def test_each_item_once() -> None:
    assert sorted(visited(ShuffledOrder(100))) == list(range(100))
    assert visited(ShuffledOrder(0)) == []

"""Hyperband, worked by hand; the cases of W&B's own rule are marked with what it does there."""

from pathlib import Path

import pytest

from refseg.errors import ConfigError
from refseg.sweeps.hyperband import Hyperband, read_hyperband

PATH = Path("s.yaml")


def brackets(**form: float) -> tuple[int, ...]:
    found = read_hyperband(PATH, {"type": "hyperband", **form})
    assert found is not None
    return found.brackets


def test_brackets_by_hand() -> None:
    assert brackets(min_iter=3)[:3] == (3, 9, 27)
    assert brackets(min_iter=2, eta=1.5)[:4] == (2, 3, 4, 6)  # 2, 3, 4.5, 6.75
    assert brackets(max_iter=81, s=3) == (3, 9, 27)
    assert brackets(max_iter=18, s=2) == (2, 6)
    assert brackets(max_iter=5, s=2, eta=2) == (1, 2)  # 2.5, 1.25
    assert brackets(max_iter=9, s=5) == (1, 3)  # then below 1


# Losses: at bracket 1 they are 9, 10, 8, 7, 6; at bracket 3, of three runs, 5, 4, 6.
CURVES = {
    "a": [9.0],
    "b": [10.0],
    "c": [8.0, 8.0, 5.0],
    "d": [7.0, 7.0, 4.0],
    "e": [6.0, 3.0, 6.0],
}


@pytest.mark.parametrize("maximize", [False, True])
def test_runs_below_the_top_share_at_their_last_bracket(maximize: bool) -> None:
    # At 1: place int(5 / 3) = 1 of 6, 7, 8, 9, 10 is 7. At 3: place int(3 / 3) = 1 of 4, 5, 6 is 5.
    sign = -1 if maximize else 1
    curves = {name: [sign * value for value in curve] for name, curve in CURVES.items()}
    strict, mild = (Hyperband((1, 3), 3.0, strict) for strict in (True, False))
    found = strict.to_stop(curves, curves, maximize)
    assert set(found) == {"a", "b", "e"}, "c failed at 1 and made up for it at 3"
    assert (found["e"].bracket, found["e"].value, found["e"].threshold) == (3, 6 * sign, 5 * sign)
    assert found["a"].threshold == 7 * sign
    assert set(mild.to_stop(curves, curves, maximize)) == {"a", "b"}, "e once had 3"
    assert set(strict.to_stop(curves, ["d", "e"], maximize)) == {"e"}, "those at work only"


def test_nobody_is_stopped_alone_or_before_the_first_bracket() -> None:
    hyperband = Hyperband((2, 4), 2.0)
    assert hyperband.to_stop({"a": [1.0, 9.0, 9.0]}, ["a"], maximize=False) == {}
    assert hyperband.to_stop({"a": [9.0], "b": [1.0, 1.0]}, ["a", "c"], maximize=False) == {}


def test_values_that_are_not_finite_do_not_count() -> None:
    curves = {"a": [float("nan"), 9.0], "b": [1.0, 1.0]}
    assert Hyperband((2,), 2.0).to_stop(curves, ["a"], maximize=False) == {}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("hyperband", "expected `type: hyperband`"),
        ({"type": "median"}, "expected `type: hyperband`"),
        ({"type": "hyperband"}, "expected `min_iter`, or `max_iter`"),
        ({"type": "hyperband", "max_iter": 9}, "needs `s`"),
        ({"type": "hyperband", "min_iter": 0}, "min_iter: expected a whole number"),
        ({"type": "hyperband", "min_iter": 1, "eta": 1}, "eta: expected a number above 1"),
        ({"type": "hyperband", "min_iter": 1, "strict": 1}, "strict: expected true or false"),
        ({"type": "hyperband", "min_iter": 1, "r": 1}, "unknown key r"),
        ({"type": "hyperband", "max_iter": 2, "s": 1}, "is below 1"),
    ],
)
def test_says_what_is_wrong(form: object, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"s\.yaml: early_terminate.*{message}"):
        read_hyperband(PATH, form)

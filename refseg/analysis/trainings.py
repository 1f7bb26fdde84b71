"""How long a run was trained before it was evaluated."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from refseg.evaluation.results import METRICS_FILE, Results
from refseg.progress import duration

_MOST = 10**12  # steps or seconds; a file that says more is damaged


class Training(NamedTuple):
    """What is known of a training.

    Args:
        steps: of the optimiser; None: not known.
        seconds: that they took; None: not known.
        evaluated: the step after which the weights were saved that made the predictions.

    Example:
        >>> str(Training(1_200, 754.0, 300)), str(Training(1_200, None, 1_200))
        ('1,200 steps in 12 min 34 s, evaluated after step 300', '1,200 steps')
    """

    steps: int | None
    seconds: float | None
    evaluated: int | None

    def __str__(self) -> str:
        """In words; empty where nothing is known."""
        if self.steps is None:
            return "" if self.evaluated is None else f"at least {self.evaluated:,} steps"
        time = "" if self.seconds is None else f" in {duration(self.seconds)}"
        is_last = self.evaluated in (None, self.steps)
        return f"{self.steps:,} steps{time}" + (
            "" if is_last else f", evaluated after step {self.evaluated:,}"
        )


def training_of(results: Results) -> Training:
    """How long a run was trained, from what its training left, as far as it is still there.

    Args:
        results: with the summary, which names the checkpoint.
    """
    evaluated = _count(results.summary.get("trained_steps"))
    for folder in _folders(results):
        left = _content(folder / METRICS_FILE)
        steps = _count(left.get("steps"))
        if steps is not None:
            return Training(steps, _seconds(left.get("training_seconds")), evaluated)
    return Training(None, None, evaluated)


def same_training(trainings: Sequence[Training]) -> str | None:
    """What all trainings have in common, in a sentence; None where their steps differ.

    Args:
        trainings: of all runs that are compared.

    Example:
        >>> same_training([Training(1_200, 60.0, None), Training(1_200, 754.0, 1_200)])
        'All 2 runs were trained for 1,200 steps, in 1 min 0 s to 12 min 34 s'
    """
    steps = {one.steps for one in trainings}
    if len(steps) != 1 or None in steps:
        return None
    text = f"All {len(trainings)} runs were trained for {trainings[0].steps:,} steps"
    times = [one.seconds for one in trainings if one.seconds is not None]
    if len(times) == len(trainings):
        text += f", in {duration(min(times))} to {duration(max(times))}"
    earlier = sum(one.evaluated not in (None, one.steps) for one in trainings)
    if earlier:
        text += f"; of {earlier:,} of them, the weights of an earlier step were evaluated"
    return text


def _folders(results: Results) -> Iterator[Path]:
    """Where the training may have left its figures."""
    named = results.summary.get("checkpoint")
    here = results.path.absolute().parent.parent
    if not isinstance(named, str):
        yield here
        return
    folder = Path(named).parent
    yield folder.parent if folder.name == "checkpoints" else folder
    if (here / "checkpoints" / Path(named).name).is_file():  # the run was moved
        yield here


def _content(path: Path) -> dict[str, Any]:
    """What a file says; nothing where it is absent or no JSON: it is not needed."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < _MOST else None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _MOST else None  # which nan is not

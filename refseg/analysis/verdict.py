"""The verdict of a comparison, in sentences."""

import math
from collections.abc import Sequence

from refseg.analysis.comparison import Gain, Part
from refseg.evaluation.bootstrap import Difference, Interval
from refseg.evaluation.tables import metric_title

THRESHOLD = 0.05
"""From which p-value on a difference is called inside the noise."""

_ENOUGH = 30
"""So many expressions a group must have to be called the weakest."""

_BY = {
    "length": "length of the expression",
    "size": "size of the object",
    "category": "category",
    "distractors": "number of distractors",
    "words": "kind of words",
}


def verdict(parts: Sequence[Part], metric: str, first: str, other: str) -> str:
    """Say on which splits one model is better, and where the difference is inside the noise.

    Args:
        parts: of all splits, as `compare_runs` makes them.
        metric: to judge by.
        first: name of the first model.
        other: name of the one that it is compared with.
    """
    better: list[str] = []
    worse: list[str] = []
    noise: list[str] = []
    for part in parts:
        if part.by:
            continue
        gain = part.gains[metric][other]
        text = f"{part.split} ({_points(gain.difference)}, {_why(gain)})"
        if gain.p_value >= THRESHOLD:
            noise.append(text)
        else:
            (better if gain.difference.value > 0 else worse).append(text)
    clauses = [
        f"{words} {other} on {joined(splits)}"
        for words, splits in (
            ("is better than", better),
            ("is worse than", worse),
            ("lies within the noise of", noise),
        )
        if splits
    ]
    return f"In {metric_title(metric)}, {first} {joined(clauses)}."


def summary_sentence(parts: Sequence[Part], metric: str, name: str) -> str:
    """Say what one model reaches on each split, and where it is weakest.

    Args:
        parts: of all splits, as `compare_runs` makes them, with any breakdowns.
        metric: to judge by.
        name: of the model.
    """
    whole = [part for part in parts if not part.by]
    reached = [
        f"{_share(part.figures[metric][name].interval)} on {part.split}"
        f"{'' if number else ' (95 % interval over images in brackets)'}"
        for number, part in enumerate(whole)
    ]
    sentence = f"In {metric_title(metric)}, {name} reaches {joined(reached)}"
    first = whole[0].split
    lowest = whole[0].figures[metric][name].interval.low
    weak = [
        (part.figures[metric][name].interval, part)
        for part in parts
        if part.split == first and part.by in _BY and part.expressions >= _ENOUGH
    ]
    clearly = [(interval, part) for interval, part in weak if interval.high < lowest]
    if not clearly:
        return f"{sentence}."
    interval, part = min(clearly, key=lambda pair: pair[0].value)
    where = "" if len(whole) == 1 else f"on {first} "
    return f"{sentence}; {where}it is lowest for {_named(part)}, {_share(interval)}."


def breakdown_verdict(parts: Sequence[Part], metric: str, first: str, other: str) -> str:
    """Say in which groups the difference holds, and whether it is larger in one than elsewhere.

    Args:
        parts: the groups of one breakdown of one split.
        metric: to judge by.
        first: name of the first model.
        other: name of the one that it is compared with.
    """
    gains = {part.group: part.gains[metric][other] for part in parts}
    found = {group: gain for group, gain in gains.items() if gain.p_value < THRESHOLD}
    better = [_group(group, gain) for group, gain in found.items() if gain.difference.value > 0]
    worse = [_group(group, gain) for group, gain in found.items() if gain.difference.value < 0]
    clauses = [
        f"{words} {other} for {joined(groups)}"
        for words, groups in (("is better than", better), ("is worse than", worse))
        if groups
    ]
    unclear = [group for group in gains if group not in found]
    if clauses and unclear:
        clauses.append(f"lies within the noise for {joined(unclear)}")
    said = f"{first} {joined(clauses)}" if clauses else "the difference is clear in no group"
    by, split = parts[0].by, parts[0].split
    return f"By {_BY.get(by, by)} on {split}, {said}; {_standing_out(gains)}."


def seed_warning(part: Part, metric: str, first: str, others: Sequence[str]) -> str | None:
    """Warn where images alone would call a difference clear that is inside the noise of the seeds.

    Args:
        part: a whole split.
        metric: to judge by.
        first: name of the first model.
        others: names of those that it is compared with.
    """
    noisy = [
        f"{other} ({_points(gain.difference)} over images; noise of the seeds "
        f"{100 * gain.noise.low:+.2f} to {100 * gain.noise.high:+.2f})"
        for other in others
        if (gain := part.gains[metric][other]).noise is not None
        and gain.difference.p_value < THRESHOLD <= gain.noise.p_value
    ]
    if not noisy:
        return None
    differences, are, one = (
        ("difference", "is", "it one") if len(noisy) == 1 else ("differences", "are", "them any")
    )
    return (
        f"On {part.split}, the {differences} of {first} and {joined(noisy)} {are} inside the noise "
        f"of the seeds; train more of them before calling {one}."
    )


def p_text(p_value: float) -> str:
    """A p-value with its sign.

    Example:
        >>> p_text(0.0421), p_text(0.00002)
        ('p = 0.042', 'p < 0.001')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _standing_out(gains: dict[str, Gain]) -> str:
    texts = [
        f"{'higher' if gain.beyond_others.value > 0 else 'lower'} for {group} than elsewhere "
        f"({_points(gain.beyond_others)}, {p_text(gain.beyond_others_adjusted)})"
        for group, gain in gains.items()
        if gain.beyond_others is not None
        and gain.beyond_others_adjusted is not None
        and gain.beyond_others_adjusted < THRESHOLD
    ]
    if texts:
        return f"the difference is {joined(texts)}"
    if len(gains) < 2:
        return "there is only one group"
    return "no group stands out from the others beyond the noise"


def _named(part: Part) -> str:
    """The expressions of a group, as a sentence calls them."""
    group = part.group
    if part.by == "words":
        kind = "position, attribute or relation" if group.startswith("none") else group
        return f"expressions {'without' if group.startswith('none') else 'with'} words of {kind}"
    return {
        "length": f"expressions of {group} words",
        "size": f"objects that are {group}",
        "category": f"the category {group}",
        "distractors": f"objects with {group} distractors",
    }[part.by]


def _share(interval: Interval) -> str:
    text = f"{100 * interval.value:.2f} %"
    if not math.isfinite(interval.low):
        return text
    return f"{text} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _group(group: str, gain: Gain) -> str:
    return f"{group} ({100 * gain.difference.value:+.2f})"


def _points(difference: Difference) -> str:
    value, low, high = (100 * number for number in difference[:3])
    ends = f", {low:+.2f} to {high:+.2f}" if math.isfinite(low) else ""
    return f"{value:+.2f} points{ends}"


def _why(gain: Gain) -> str:
    over_images = p_text(gain.difference.p_value)
    corrected = "" if gain.adjusted is None else f", {p_text(gain.adjusted)} after correction"
    if gain.noise is None:
        return p_text(gain.p_value)
    return f"{over_images} over images and {p_text(gain.noise.p_value)} over seeds{corrected}"


def joined(texts: Sequence[str]) -> str:
    """Texts as a sentence lists them.

    Example:
        >>> joined(["a", "b", "c"])
        'a, b and c'
    """
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"

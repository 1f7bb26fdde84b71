"""Which of several models is the best, and from which it cannot be told apart, in a sentence."""

from refseg.analysis.all_pairs import AllPairs, gain_over
from refseg.analysis.comparison import Part
from refseg.analysis.figure_texts import percent
from refseg.analysis.verdict import THRESHOLD, joined
from refseg.evaluation.tables import metric_title


def ranking(part: Part, metric: str, pairs: AllPairs) -> str:
    """Say which model has the highest figure, and which others lie within the noise of it.

    Args:
        part: a whole split.
        metric: to judge by.
        pairs: every two models, over that split.
    """
    figures = part.figures[metric]
    order = sorted(figures, key=lambda name: -figures[name].interval.value)
    best, *others = order
    noise = [name for name in others if gain_over(pairs, best, name).p_value >= THRESHOLD]
    worse = [name for name in others if name not in noise]
    if not noise:
        said = "better than all others"
    elif not worse:
        said = "but within the noise of all others"
    else:
        said = f"better than {joined(worse)}, within the noise of {joined(noise)}"
    clear = sum(gain.p_value < THRESHOLD for gain in pairs.values())
    return (
        f"In {metric_title(metric)} on {part.split}, {best} is the highest of {len(order)} models "
        f"({percent(figures[best].interval.value)} %), {said}; {clear} of {len(pairs)} pairs of "
        "models differ beyond the noise (p < 0.05 after Holm's correction over all pairs)."
    )

"""What one run comes to, in a sentence."""

import pyarrow as pa

from refseg.analysis.comparison import Part, compare_runs
from refseg.analysis.verdict import summary_sentence

from .fake_results import draw_results, make_results


def parts_of(table: pa.Table, split: str = "val", metric: str = "overall_iou") -> list[Part]:
    return compare_runs({"rmi": [table]}, split, ("size", "length"), metric, resamples=300)


def test_figures_and_the_weakest_group() -> None:
    weak = draw_results(150, small_skill=-2.0, skill=1.0)
    sentence = summary_sentence(parts_of(weak), "overall_iou", "rmi")
    overall = sum(weak["intersection"].to_pylist()) / sum(weak["union"].to_pylist())
    assert sentence.startswith(f"In overall IoU, rmi reaches {100 * overall:.2f} % [")
    assert "; it is lowest for objects that are small (< 3 %), " in sentence


def test_no_group_is_called_weak_without_reason() -> None:
    even = make_results(intersection=[5, 6] * 50, union=[10] * 100, words=[1] * 50 + [5] * 50)
    sentence = summary_sentence(parts_of(even, metric="mean_iou"), "mean_iou", "rmi")
    assert sentence.startswith("In mean IoU, rmi reaches 55.00 % [")
    assert sentence.endswith("in brackets).")


def test_several_splits() -> None:
    parts = [*parts_of(draw_results(20)), *parts_of(draw_results(20, seed=1), "testA")]
    sentence = summary_sentence(parts, "overall_iou", "rmi")
    assert " on val (95 % interval over images in brackets) and " in sentence
    assert " on testA" in sentence

"""Expressions on which models lie apart, by hand."""

from refseg.analysis.examples import disagreement_rows

from .fake_results import make_results


def test_where_models_differ_the_most_one_of_each_image() -> None:
    union = [100] * 5
    image = [0, 0, 1, 2, 3]
    good, middle, poor = (
        [make_results(intersection=pixels, union=union, image_id=image)]
        for pixels in ([90, 80, 50, 70, 40], [50, 50, 50, 60, 40], [10, 20, 50, 50, 40])
    )
    # apart by 0.8, 0.6 (of the same image), 0, 0.2 and 0
    assert disagreement_rows([good, middle, poor], 5) == [0, 3]
    assert disagreement_rows([good, middle, poor], 1) == [0]
    lucky = [*good, *poor]  # two seeds, whose mean is that of the middle model, or next to it
    assert disagreement_rows([lucky, middle], 5) == []

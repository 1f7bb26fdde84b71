"""What the options for data sets mean."""

from pathlib import Path

import pytest

from refseg.data.mixtures.spec import DataSource, labels_of, parse_source, sources_of
from refseg.errors import ConfigError


def test_one_data_set_as_before() -> None:
    assert sources_of("refcoco", "unc") == [DataSource("refcoco", "unc")]
    assert sources_of("shapes") == [DataSource("shapes")]
    assert sources_of("refcocog:umd", "google") == [DataSource("refcocog", "umd")]


def test_several() -> None:
    root = Path("elsewhere")
    sources = sources_of(["refcoco", "refcocog:umd", DataSource("pool", root=root)], "unc")
    assert sources == [
        DataSource("refcoco", "unc"),
        DataSource("refcocog", "umd"),
        DataSource("pool", "unc", root=root),
    ]
    assert [source.title for source in sources] == ["refcoco (unc)", "refcocog (umd)", "pool (unc)"]


def test_names_in_results_are_different() -> None:
    assert labels_of([parse_source("a:x"), parse_source("b:x")]) == ["a", "b"]
    assert labels_of([parse_source("a:x"), parse_source("a:y")]) == ["a-x", "a-y"]
    same = [DataSource("a", "x"), DataSource("a", "x", root=Path("elsewhere"))]
    with pytest.raises(ConfigError, match="Two data sets of the mixture are called 'a-x'"):
        labels_of(same)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ([], "at least one data set in data.dataset, got an empty list"),
        (["a", "a"], "The mixture has a twice"),
        ("[{nme: refcoco}]", r"'\[\{nme' is no data set: expected NAME, NAME:SPLIT_BY, or"),
        ("", "'' is no data set"),
    ],
)
def test_messages(dataset: str | list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sources_of(dataset)


@pytest.mark.parametrize("share", [-0.1, float("nan"), float("inf")])
def test_shares_are_numbers_of_at_least_0(share: float) -> None:
    with pytest.raises(ConfigError, match=r"the share of a \(x\) to be 0 or more, got"):
        DataSource("a", "x", share)


def test_shares_for_all_or_for_none() -> None:
    with pytest.raises(ConfigError, match="for none of them; b has none"):
        sources_of([DataSource("a", share=0.5), "b"])
    with pytest.raises(ConfigError, match="Every share is 0"):
        sources_of([DataSource("a", share=0.0), DataSource("b", share=0.0)])
    sources_of([DataSource("a", share=0.0), "b"])  # a is evaluated only

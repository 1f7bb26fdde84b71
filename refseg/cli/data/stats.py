"""`refseg data stats`: a data set in numbers."""

from collections.abc import Sequence
from pathlib import Path

from refseg.cli.data.source import Source, options_named


def stats(
    name: str,
    /,
    *,
    source: Source = Source(),  # noqa: B008 - it is frozen
    splits: Sequence[str] | None = None,
    output: Path | None = None,
) -> None:
    """Show a data set in numbers.

    Expressions, their lengths and words, the size and class of the objects, how many distractors
    (others of its class) an object has, and how often expressions speak of position. Lengths are
    grouped as in the RMI paper. Words are counted as the tokenizer splits them.

    Args:
        name: the folder of the annotations, as refcoco; or shapes
        source: where it lies
        splits: only these splits; default: all
        output: also write an HTML page with plots

    Examples:
        refseg data stats refcoco --root DIR --split_by unc
        refseg data stats refcoco --root DIR --split_by unc --splits val testA
        refseg data stats refcoco --root DIR --split_by unc --output refcoco.html
    """
    from rich.console import Console

    from refseg.cli.data.statistics_report import show, write
    from refseg.data.objects import read_objects
    from refseg.data.statistics import length_bins, summarise

    references = source.read(name)
    root = source.folder(name)
    single = None
    if splits is not None:
        with options_named():
            single = references.single_splits(splits)
    statistics = summarise(references, length_bins(name), read_objects(root, name))
    show(statistics, single, Console())
    if output is not None:
        subtitle = f"{name} in {root}"
        if references.skipped:
            subtitle += f", without {len(references.skipped):,} records that cannot be read"
        write(output, statistics, single, subtitle)
        print(output)

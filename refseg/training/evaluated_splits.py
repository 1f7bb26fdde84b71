"""What is evaluated from Python: splits of a data module or of references, and what they are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from refseg.data.datamodule import ReferringDataModule
from refseg.data.references import References
from refseg.data.splits import Splits
from refseg.data.statistics.expression_columns import ExpressionColumns
from refseg.training.run_summary import Evaluated


class EvaluatedSplit(NamedTuple):
    """What is evaluated: a split by its name, its rows, and what is known of them."""

    name: str
    references: References
    columns: ExpressionColumns


def evaluated_splits(
    data: ReferringDataModule | References, names: Sequence[str] | None
) -> list[EvaluatedSplit]:
    """The splits to evaluate.

    Args:
        data: a data module, or references.
        names: of splits; None: those that the data module tests on, or all of the references.

    Raises:
        DataError: there is no such split, or the data cannot be read.
    """
    if isinstance(data, References):
        found = data.splits if names is None else data.single_splits(names)
        parts = {name: data.split(name) for name in found}
        return [
            EvaluatedSplit(name, part, ExpressionColumns(part, None, data))
            for name, part in parts.items()
        ]
    data.prepare_data()
    of = data.splits
    chosen = of.split_names if names is None else of.mixture.full_names(names)
    return [
        EvaluatedSplit(name, references, of.expression_columns([name]))
        for name in chosen
        for references in of.mixture.rows([name])
    ]


def evaluated_on(
    data: ReferringDataModule | References,
    splits: Sequence[EvaluatedSplit],
    model: Mapping[str, str],
    protocols: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> Evaluated:
    """What the summary of an evaluation says of the data.

    Args:
        data: that the splits are of.
        splits: that were evaluated.
        model: what it was of, part by part.
        protocols: protocol -> split -> figures.
    """
    names = [split.name for split in splits]
    if isinstance(data, References):
        source, fingerprint = data.source, data.split(names).fingerprint()
        return Evaluated(model, {}, source, fingerprint, names, protocols)
    source, fingerprint = data.mixture.title, data.splits.fingerprint(names)
    config = {"data": _where(data.splits)}
    return Evaluated(model, config, source, fingerprint, names, protocols)


def _where(splits: Splits) -> dict[str, Any]:
    """Where the data lie, as a config says it: reports look up the true masks there."""
    return {
        "dataset": [
            {**asdict(source), "root": None if source.root is None else str(source.root)}
            for source in splits.sources
        ],
        "root": None if splits.root is None else str(splits.root),
        "shapes": asdict(splits.shapes),
        "stream": splits.stream,
        "outside_files": splits.outside_files,
    }

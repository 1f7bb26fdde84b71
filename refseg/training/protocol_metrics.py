"""The figures of an evaluation from Python, by all protocols that are asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from refseg.errors import ConfigError
from refseg.evaluation.counting import PixelCounts
from refseg.evaluation.protocols import PROTOCOLS, Protocol
from refseg.evaluation.results import METRICS_FILE
from refseg.evaluation.split_metrics import SplitMetrics
from refseg.evaluation.tables import write_metrics
from refseg.training.evaluated_splits import EvaluatedSplit
from refseg.types import Batch

Figures = dict[str, dict[str, dict[str, float]]]
"""Protocol -> split -> name of a figure -> value."""


def protocols_named(names: Sequence[str]) -> list[Protocol]:
    """The protocols of these names.

    Raises:
        ConfigError: there is no such protocol, or none is named.
    """
    unknown = [name for name in names if name not in PROTOCOLS]
    if unknown or not names:
        asked = f"Unknown protocol '{unknown[0]}'" if unknown else "No protocol is named"
        raise ConfigError(f"{asked}; choose among {', '.join(PROTOCOLS)}.")
    return [PROTOCOLS[name] for name in dict.fromkeys(names)]


class ProtocolMetrics:
    """The figures of some splits, by several protocols at once.

    Args:
        protocols: by which is counted.
        splits: that are evaluated, by the number that `add` is given.
    """

    def __init__(self, protocols: Sequence[Protocol], splits: Sequence[EvaluatedSplit]) -> None:
        self.protocols = protocols
        self._metrics = {protocol: _metrics(protocol, splits) for protocol in protocols}

    def add(self, split: int, batch: Batch, counts: Mapping[Protocol, PixelCounts]) -> None:
        """Add the counts of a batch, by each protocol."""
        for protocol, metrics in self._metrics.items():
            metrics.add(split, batch, counts[protocol])

    def figures(self) -> Figures:
        """The figures, once every expression has been counted.

        Raises:
            DataError: an expression was not counted, or one that the split does not have.
        """
        return {str(protocol.name): found.figures() for protocol, found in self._metrics.items()}


def write_protocol_metrics(folder: Path, figures: Figures, about: Mapping[str, Any]) -> Path:
    """Write `metrics.json` as `refseg test` does.

    Args:
        folder: of the evaluation.
        figures: by protocol; those of the first one are `metrics`.
        about: what else is known.
    """
    first = next(iter(figures))
    several = {"protocols": figures} if len(figures) > 1 else {}
    path = folder / METRICS_FILE
    write_metrics(path, {"protocol": first, "metrics": figures[first], **several, **about})
    return path


def _metrics(protocol: Protocol, splits: Sequence[EvaluatedSplit]) -> SplitMetrics:
    ids = {split.name: split.references.table["expression_id"].to_numpy() for split in splits}
    firsts = None
    if protocol.sentences == "first":
        firsts = [split.references.first_expression_ids() for split in splits]
    return SplitMetrics(ids, "cpu", protocol, firsts)

"""What is left of a run in the end, and whether it is the same as that of another run."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch


def outcome(run: Path) -> dict[str, Any]:
    """All of a run that has to be the same, in plain values and tensors."""
    found: dict[str, Any] = {}
    for name in ("best", "last"):
        content = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
        for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
            found |= dict(_flat(f"{name}.{part}", content[part]))
    figures = json.loads((run / "metrics.json").read_text())
    found |= dict(_flat("figures", {key: figures[key] for key in ("metrics", "steps")}))
    rows = pq.read_table(run / "test" / "results.parquet").drop(["image_path"])
    found["rows"] = rows.to_pylist()
    summary = json.loads((run / "test" / "summary.json").read_text())
    found |= dict(_flat("summary", {key: summary[key] for key in ("metrics", "data")}))
    return found


def _flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{name}.{key}", part)
    elif isinstance(value, list):
        for key, part in enumerate(value):
            yield from _flat(f"{name}[{key}]", part)
    else:
        yield name, value


def difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """What differs between two outcomes, in words; empty: nothing."""
    if found.keys() != expected.keys():
        return f"other parts: {sorted(found.keys() ^ expected.keys())[:3]}"
    differing = [
        name
        for name, value in expected.items()
        if not (
            torch.equal(found[name], value)
            if isinstance(value, torch.Tensor)
            else repr(found[name]) == repr(value)
        )
    ]
    return f"{len(differing)} parts differ: {', '.join(differing[:3])}" if differing else ""


def last_words(log: Path) -> str:
    """The message with which a run ended, if it is one line without a traceback."""
    text = log.read_text(errors="replace")
    told = [line for line in text.splitlines() if line.startswith("refseg: error: ")]
    return told[-1] if told and "Traceback" not in text else ""

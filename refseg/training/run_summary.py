"""The content of `summary.json`: the model, the data and the figures of an evaluation."""

import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from lightning.pytorch import Trainer

import refseg
from refseg.evaluation import STANDARD
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import (
    CRF_RESULTS_FILE,
    DIGESTS,
    RESULTS_FILE,
    SUMMARY_FILE,
    digest,
)
from refseg.evaluation.tables import write_metrics
from refseg.inference.crf import CRFOptions
from refseg.models.segmenter import Segmenter
from refseg.models.weights.provenance import Origin
from refseg.training.module import ReferringSegmentation

FORMAT = 1
_PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "transformers",
    "numpy",
    "pyarrow",
)


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation was of.

    Args:
        model: class names of the parts of the network, as far as they are known.
        config: of the run, plain values.
        source: the data sets, for people: "refcoco (unc)".
        fingerprint: of the content of the splits.
        splits: that were evaluated.
        protocols: protocol -> split -> figures.
        trained_on_evaluation_images: whether the model was; None: not known.
        backbone_weights: what the weights of the backbone started as, where that is known.
        trained_steps: after which the weights were saved; None: not known.
        checkpoint: where they lie; None: in no file.
        predictions: of another program that were evaluated: their `path`, how many expressions of
            each split have none (`missing`), how many are `boxes_without_mask`, and the figures of
            their `boxes` in each split.
    """

    model: Mapping[str, str]
    config: Mapping[str, Any]
    source: str
    fingerprint: str
    splits: Sequence[str]
    protocols: Mapping[str, Mapping[str, Mapping[str, float]]]
    trained_on_evaluation_images: bool | None = None
    backbone_weights: Origin | None = None
    trained_steps: int | None = None
    checkpoint: str | None = None
    predictions: Mapping[str, Any] | None = None


def evaluated_by(
    trainer: Trainer, module: ReferringSegmentation, config: Mapping[str, Any]
) -> Evaluated:
    """What a trainer has evaluated.

    Args:
        trainer: that evaluated.
        module: that was evaluated.
        config: of the run, plain values.
    """
    splits = [name for group in module.evaluated_groups() for name in group]
    return Evaluated(
        model=class_names(module.segmenter),
        config=config,
        source=module.data.mixture.title,
        fingerprint=module.data.splits.fingerprint(splits),
        splits=splits,
        protocols=module.protocol_results,
        trained_on_evaluation_images=module.data.trained_on_evaluation_images,
        backbone_weights=module.backbone_weights,
        trained_steps=module.trained_steps,
        checkpoint=None if trainer.ckpt_path is None else str(trainer.ckpt_path),
    )


def write_summary(folder: Path, evaluated: Evaluated, crf: CRFOptions | None = None) -> Path:
    """Write `summary.json` beside `results.parquet`.

    It comes last: who finds it finds all files of the evaluation, and `rows_sha256` tells whether
    rows are those that it describes.

    `metrics` follow from the rows, which are counted by the protocol that `protocol` names, the
    standard one, whatever was asked for. `protocols` has the figures by each protocol that was
    asked for, `--evaluation.protocol`. `crf` has what follows from the rows of
    `results_crf.parquet`, or is null.

    Args:
        folder: of the evaluation.
        evaluated: what it was of.
        crf: how DenseCRF refined predictions, where it did.

    Returns:
        The path of the file.
    """
    path = folder / SUMMARY_FILE
    files = (folder / RESULTS_FILE, None if crf is None else folder / CRF_RESULTS_FILE)
    table = _counts(folder / RESULTS_FILE)
    counts = pc.value_counts(table["split"].cast("string")).to_pylist()
    write_metrics(
        path,
        {
            "format": FORMAT,
            "protocol": STANDARD.name,
            "metrics": figures_of(table),
            "protocols": evaluated.protocols,
            "crf": None if crf is None else _refined(folder, crf),
            DIGESTS: {file.name: digest(file) for file in files if file is not None},
            "expressions": {count["values"]: count["counts"] for count in counts},
            "model": evaluated.model,
            "backbone_weights": evaluated.backbone_weights,
            "trained_steps": evaluated.trained_steps,
            "checkpoint": evaluated.checkpoint,
            "predictions": evaluated.predictions,
            "config": dict(evaluated.config),
            "config_sha256": config_hash(evaluated.config),
            "data": {
                "source": evaluated.source,
                "fingerprint": evaluated.fingerprint,
                "splits": list(evaluated.splits),
            },
            "versions": _versions(),
            "git_commit": git_commit(Path(refseg.__file__).parents[1]),
            "leakage": {"train_on_evaluation_images": evaluated.trained_on_evaluation_images},
            "seed": evaluated.config.get("seed_everything"),
        },
    )
    return path


def _refined(folder: Path, options: CRFOptions) -> dict[str, Any]:
    return {
        "protocol": STANDARD.name,
        "options": asdict(options),
        "results": CRF_RESULTS_FILE,
        "metrics": figures_of(_counts(folder / CRF_RESULTS_FILE)),
    }


def _counts(path: Path) -> pa.Table:
    columns = ["split", "intersection", "union", "area"]
    return pq.read_table(path, columns=columns, partitioning=None)


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of a config, whatever the order of its keys.

    Args:
        config: plain values.

    Example:
        >>> config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(yaml.safe_dump(dict(config)).encode()).hexdigest()


def git_commit(folder: Path) -> str | None:
    """The commit of a checkout of refseg; None for an installed package or without git.

    Args:
        folder: that holds the package.
    """
    if not (folder / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def class_names(segmenter: Segmenter) -> dict[str, str]:
    """What the parts of a network are called."""
    parts = ("backbone", "text_encoder", "fusion", "decoder")
    return {name: type(getattr(segmenter, name)).__name__ for name in parts}


def _versions() -> dict[str, str]:
    versions = {"refseg": refseg.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # lightning is also published as pytorch-lightning
            continue
    return versions

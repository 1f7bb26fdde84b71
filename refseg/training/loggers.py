"""Weights & Biases, with or without an account and a network."""

import math
import netrc
import os
import socket
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

_CREDENTIALS = {"WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"}
_MAXIMISED = {"overall_iou", "mean_iou", "no_target_accuracy", "target_accuracy"}
_ROWS = 10_000  # what W&B keeps of a table
_COLUMNS = {  # of results -> of the table
    "expression": "sentence",
    "iou": "IoU",
    "words": "words",
    "object_size": "size",  # share of the image's area
    "distractors": "distractors",
    "category": "category",
    "score": "score",
    "image_path": "image",
    "split": "split",
    "expression_id": "id",
}


class WeightsAndBiases(WandbLogger):
    """Lightning's W&B logger, which logs offline where it could not log in, and says so.

    Args:
        project: name of the W&B project.
        name: of the run; null: `refseg` names it after its config, fusion and seed, as in
            `rmi-MultimodalLSTM-seed0`, and in Python W&B invents one.
        save_dir: folder of W&B's own files, relative to the folder of the run.
        tags: of the run.
        notes: on the run.
        group: of the run; null: `refseg` takes the name without the seed, so that W&B can show the
            mean of several seeds.
        log_model: whether `refseg fit` uploads the best checkpoint at its end, as an artifact with
            its figures; null: unless W&B's own sweeps run it, which would upload one for each run.
        checkpoint_name: of the artifact; null: `model-` and the id of the run, as in Lightning.
    """

    def __init__(
        self,
        project: str = "refseg",
        name: str | None = None,
        save_dir: str = ".",
        tags: list[str] | None = None,
        notes: str | None = None,
        group: str | None = None,
        log_model: bool | None = None,
        checkpoint_name: str | None = None,
    ) -> None:
        mode = _chosen_mode()
        reason = None if mode == "disabled" else why_offline()
        if mode == "disabled":
            _say("W&B is disabled (WANDB_MODE, or `wandb disabled`): nothing is logged.")
        elif reason:
            _say(f"W&B offline: {reason}. Upload later: wandb sync {save_dir}/wandb/offline-run-*")
            mode = "offline"
        chosen: dict[str, Any] = {"tags": tags, "notes": notes, "group": group, "mode": mode}
        super().__init__(
            project=project,
            name=name,
            save_dir=save_dir,
            log_model=False,  # Lightning's upload is over before the best checkpoint is evaluated
            checkpoint_name=checkpoint_name,
            offline=reason is not None,
            **{option: value for option, value in chosen.items() if value is not None},
        )
        self._wandb_init.pop("anonymous", None)  # Lightning's; W&B has given it up, and warns of it
        chosen_upload = "WANDB_SWEEP_ID" not in os.environ if log_model is None else log_model
        self._uploads = chosen_upload and mode != "disabled"
        self._has_config = False
        self._seen: set[str] = set()

    def log_config(self, config: dict[str, Any]) -> None:
        """Log the config of the run, once: what the trainer tells later is a part of it.

        Args:
            config: of the run, plain values.
        """
        super().log_hyperparams(config)
        self._has_config = True

    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Log the arguments of module and data, unless the config, which has them, is logged."""
        if not self._has_config:
            super().log_hyperparams(params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics, of whose figures the table of runs shows the best value beside the last."""
        for name in metrics.keys() - self._seen:
            self._seen.add(name)
            if best := best_value(name):
                self.experiment.define_metric(
                    name.replace(".", r"\."),  # else 0.5 of precision@0.5 is a value inside of 0
                    step_metric="trainer/global_step",
                    step_sync=True,
                    summary=f"{best},last",
                )
        super().log_metrics(metrics, step)

    @rank_zero_only
    def log_end(self, paths: Mapping[str, Path], results: Mapping[str, Any]) -> None:
        """Log what a training has come to: its validation's expressions, and its best checkpoint.

        The expressions are a table, which can be sorted and filtered. The checkpoint is the `best`
        and `latest` of its artifact, which has the figures.

        Args:
            paths: of its `results` and its `checkpoint`, where there are any.
            results: what `metrics.json` says.
        """
        if "results" in paths:
            columns, rows = expression_table(paths["results"])
            self.log_table("val/expressions", columns, rows, step=results["steps"])
        if "checkpoint" in paths and self._uploads:
            self._log_checkpoint(paths["checkpoint"], results)

    def _log_checkpoint(self, path: Path, results: Mapping[str, Any]) -> None:
        import wandb

        about = {k: v for k, v in results.items() if k not in {"metrics", "checkpoint"}}
        for split, figures in results["metrics"].items():
            about |= {f"{split}/{name}": v for name, v in figures.items() if math.isfinite(v)}
        name = self._checkpoint_name or f"model-{self.experiment.id}"
        artifact = wandb.Artifact(name, type="model", metadata=about)
        # Not copied first: nobody writes into the file any more.
        artifact.add_file(str(path), name="model.ckpt", policy="immutable", skip_cache=True)
        self.experiment.log_artifact(artifact, aliases=["best", "latest"])

    def close(self) -> None:
        """Write out what is buffered and end the W&B run: nothing more will be logged."""
        if self._experiment is not None:
            self._experiment.finish()


def best_value(name: str) -> str | None:
    """Which value of a metric is the best one, `max` or `min`; None: it is no figure.

    Args:
        name: as it is logged.

    Example:
        >>> [best_value(name) for name in ("val/precision@0.5", "refcoco/val/loss", "train/loss")]
        ['max', 'min', None]
    """
    split, _, figure = name.rpartition("/")
    if split in {"", "train"}:
        return None
    if figure in _MAXIMISED or figure.startswith("precision@"):
        return "max"
    return "min" if figure == "loss" else None


def expression_table(results: Path) -> tuple[list[str], list[list[Any]]]:
    """Names of columns, and a row for each expression, of the rows of an evaluation.

    Args:
        results: `results.parquet`; of more than 10,000 rows, which is all that W&B shows, the table
            has 10,000, at equal distances.
    """
    rows = pq.read_table(results, columns=list(_COLUMNS), partitioning=None)
    rows = rows.take(np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(np.int64))
    columns = [_rounded(rows[name]) for name in _COLUMNS]
    return [*_COLUMNS.values()], [list(row) for row in zip(*columns, strict=True)]


def _rounded(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column; of a share, four digits."""
    return (pc.round(column, 4) if pa.types.is_floating(column.type) else column).to_pylist()


@rank_zero_only
def _say(line: str) -> None:
    print(line)


def why_offline(timeout: float = 3.0) -> str | None:
    """Why W&B cannot be reached, in words; None where it can.

    W&B has no such fallback of its own: its `init` (0.31) tries for 90 seconds to reach a server
    that does not answer (`init_timeout`), then raises, and raises at once without an account where
    nobody can be asked for one.

    Args:
        timeout: seconds to wait for the server.
    """
    mode = _chosen_mode()
    if mode:
        return None if mode in {"online", "shared"} else f"WANDB_MODE is {mode}"
    return why_unreachable(timeout)


def why_unreachable(timeout: float = 3.0) -> str | None:
    """Why W&B's server cannot be asked, in words; None where it can.

    Args:
        timeout: seconds to wait for the server.
    """
    import wandb

    # W&B reads the environment once per process, and a notebook may have changed it since
    server = os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url
    address = urlparse(server)
    if not (os.environ.keys() & _CREDENTIALS or _in_netrc(address.hostname or "")):
        return "no account (run `wandb login` or set WANDB_API_KEY)"
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname, port), timeout).close()
    except OSError as error:
        return f"{address.hostname} does not answer ({error})"
    return None


def _chosen_mode() -> str | None:
    """The mode that the user chose, by WANDB_MODE or by `wandb offline` and `wandb disabled`."""
    mode = os.environ.get("WANDB_MODE")
    if not mode:
        import wandb

        mode = wandb.setup().settings.mode
        mode = None if mode == "online" else mode  # which is the default
    return mode


def _in_netrc(host: str) -> bool:
    """Whether `wandb login` has left a key for `host` in the user's netrc file."""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False

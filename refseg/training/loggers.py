"""Weights & Biases, with or without an account and a network."""

import netrc
import os
import socket
from argparse import Namespace
from typing import Any
from urllib.parse import urlparse

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

_CREDENTIALS = {"WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"}


class WeightsAndBiases(WandbLogger):
    """Lightning's W&B logger, which logs offline where it could not log in, and says so.

    Args:
        project: name of the W&B project.
        name: of the run; null: `refseg` names it after its config, fusion and seed, as in
            `rmi-MultimodalLSTM-seed0`, and in Python W&B invents one.
        save_dir: folder of W&B's own files, relative to the folder of the run.
        tags: of the run.
        notes: on the run.
        group: of the run.
        log_model: whether to upload checkpoints.
    """

    def __init__(
        self,
        project: str = "refseg",
        name: str | None = None,
        save_dir: str = ".",
        tags: list[str] | None = None,
        notes: str | None = None,
        group: str | None = None,
        log_model: bool = False,
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
            log_model=log_model and mode not in {"disabled", "offline"},
            offline=reason is not None,
            **{option: value for option, value in chosen.items() if value is not None},
        )
        self._has_config = False

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

    def close(self) -> None:
        """Write out what is buffered and end the W&B run: nothing more will be logged."""
        if self._experiment is not None:
            self._experiment.finish()


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

"""What a benchmark computes with, as options and as its figures say it."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Literal

from refseg.cli.parsing.argument_types import Count
from refseg.errors import ConfigError


@dataclass(frozen=True)
class Machine:
    """What computes.

    Args:
        threads: that a CPU computes with
        device: that computes
    """

    threads: Count = 1
    device: Literal["cpu", "cuda"] = "cpu"

    def check(self) -> None:
        """Make sure that there is the device.

        Raises:
            ConfigError: torch can use no GPU.
        """
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("There is no GPU that torch can use; leave out --device cuda.")

    def write(
        self,
        path: Path | None,
        settings: Mapping[str, object],
        name: str,
        rows: Sequence[Mapping[str, object]],
    ) -> None:
        """Write figures as JSON, with what they were measured on, and say where.

        Args:
            path: of the file; None: nothing is written.
            settings: of the benchmark.
            name: of the rows.
            rows: what was measured.
        """
        if path is None:
            return
        import torch

        from refseg.files import write_text

        is_gpu = self.device == "cuda"
        computed = {
            "threads": self.threads,
            "device": self.device,
            "machine": torch.cuda.get_device_name() if is_gpu else platform.machine(),
            "torch": torch.__version__,
        }
        write_text(path, dumps({**settings, **computed, name: rows}, indent=1) + "\n")
        print(f"figures: {path}")

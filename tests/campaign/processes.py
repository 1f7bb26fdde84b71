"""Processes of a campaign, started in no time and killed in the middle."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROCESS = Path(__file__).with_name("process.py")


@dataclass
class Processes:
    """Starts runs by forking a process that has imported everything: in no time."""

    _server: Any = field(init=False)

    def __enter__(self) -> "Processes":
        """Start the process that they are forked from."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self._server = subprocess.Popen(
            [sys.executable, str(PROCESS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def run(self, job: Mapping[str, Any], kill_after: float | None = None) -> int:
        """Run commands in a process; returns its exit code, or minus the signal that ended it.

        Args:
            job: as `process` has it.
            kill_after: seconds until it is killed.
        """
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        pid = int(self._server.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):  # reaped when we have read its end only
                os.kill(pid, signal.SIGKILL)
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

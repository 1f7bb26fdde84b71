"""The campaign from the command line, in the folder of the project: see `--help`."""

import argparse
import contextlib
import sys
import tempfile
from collections import Counter
from pathlib import Path

from . import attempts as campaign


def main() -> int:
    """Run a campaign; returns 1 if a run was lost."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign",
        description=campaign.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=40, help="runs that are killed (default: 40)")
    parser.add_argument(
        "--full", type=int, default=8, help="runs that meet a full disk, for root (default: 8)"
    )
    parser.add_argument("--seed", type=int, default=0, help="every point follows from it")
    parser.add_argument("--only", type=int, nargs="+", default=(), help="numbers of attempts")
    parser.add_argument("--keep", type=Path, help="folder to work in, which stays")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        print(f"seed {arguments.seed}, in {folder}", flush=True)
        attempts = campaign.run_campaign(
            folder.absolute(),
            arguments.kills,
            arguments.full,
            arguments.seed,
            arguments.only,
            show=True,
        )
    hit = Counter(attempt.phase for attempt in attempts if attempt.was_hit)
    lost = sum(attempt.is_lost for attempt in attempts)
    told = sum(bool(attempt.told) for attempt in attempts)
    print(f"{hit.total()} of {len(attempts)} disturbed ({dict(hit)}), {told} told why, {lost} lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())

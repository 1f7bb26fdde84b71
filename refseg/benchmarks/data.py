"""All measurements of a full-size data set, one after the other."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from refseg.benchmarks.epoch import Epoch, read_epoch
from refseg.benchmarks.full_size import DATASET, SetSize, write_refer_set
from refseg.benchmarks.opening import Opening, in_own_process, open_at_once
from refseg.data.cache import BESIDE
from refseg.errors import ConfigError
from refseg.files import write_text

SIZE_FILE = "size.json"

# What a table of the size of RefCOCO has to keep to.
BUILD_SECONDS, OPEN_SECONDS, GROWTH_BYTES = 15.0, 0.3, 30_000_000


@dataclass(frozen=True)
class DataFigures:
    """What `measure_data` found.

    Args:
        size: of the generated set.
        annotation_bytes: of its files, without pictures.
        table_bytes: of the cached table.
        cold: the first opening.
        warm: further openings, each in a fresh process.
        concurrent: openings of a cold cache by several processes at once.
        epoch: once through all expressions; none without workers.
    """

    size: SetSize
    annotation_bytes: int
    table_bytes: int
    cold: Opening
    warm: list[Opening]
    concurrent: list[Opening]
    epoch: Epoch | None

    @property
    def builds(self) -> int:
        """How many of the concurrent processes read the annotations."""
        return sum(opening.builds for opening in self.concurrent)

    @property
    def are_equal(self) -> bool:
        """Whether all processes saw the same table."""
        openings = [self.cold, *self.warm, *self.concurrent]
        return len({opening.fingerprint for opening in openings}) == 1


def measure_data(
    root: Path,
    size: SetSize,
    workers: int,
    start_method: str,
    processes: int,
    say: Callable[[str], None],
) -> DataFigures:
    """Generate a set, unless `root` has it, and measure.

    Args:
        root: a folder for the set.
        size: of the set.
        workers: of the data loader; 0 leaves the epoch out.
        start_method: of the workers.
        processes: that open a cold cache at once.
        say: called with what is done next.

    Raises:
        ConfigError: `root` holds something else.
    """
    _generate(root, size, say)
    cache = root / DATASET / BESIDE
    say("Opening it for the first time")
    shutil.rmtree(cache, ignore_errors=True)
    (cold,) = open_at_once(root)
    say("Opening it again")
    warm = [opening for _ in range(3) for opening in open_at_once(root)]
    table_bytes = sum(path.stat().st_size for path in cache.glob("*.arrow"))
    say(f"Opening it with {processes} processes at once, cold")
    shutil.rmtree(cache)
    concurrent = open_at_once(root, processes)
    epoch = None
    if workers:
        say(f"Reading all expressions with {workers} workers")
        epoch = in_own_process(read_epoch, root, workers, start_method)
    annotations = [path for path in (root / DATASET).iterdir() if path.is_file()]
    annotation_bytes = sum(path.stat().st_size for path in annotations)
    return DataFigures(size, annotation_bytes, table_bytes, cold, warm, concurrent, epoch)


def _generate(root: Path, size: SetSize, say: Callable[[str], None]) -> None:
    record = root / SIZE_FILE
    if root.exists() and any(root.iterdir()):
        if record.is_file() and record.read_text(encoding="utf-8") == json.dumps(asdict(size)):
            return
        raise ConfigError(
            f"Expected {root} to be empty, or to hold a generated set of {size.images} images; "
            "name another folder with --keep."
        )
    say(f"Generating the annotation of {size.images:,} images")
    in_own_process(write_refer_set, root, size)
    time.sleep(2.5)  # younger files are hashed at each opening, as they may still change
    write_text(record, json.dumps(asdict(size)))

"""Training and evaluation by Lightning, the folder of a run, and how a run goes on.

In come a config's model and data, out come checkpoints, logs and results. Open `module` first.
"""

from refseg.training.checkpoint_io import AtomicCheckpointIO
from refseg.training.last_checkpoint import LastCheckpoint
from refseg.training.progress_lines import ProgressLines, says_progress

__all__ = ["AtomicCheckpointIO", "LastCheckpoint", "ProgressLines", "says_progress"]

"""Keeping the state of a training, going on from it, and telling how far it is."""

from refseg.training.checkpoint_io import AtomicCheckpointIO
from refseg.training.last_checkpoint import LastCheckpoint
from refseg.training.progress_lines import ProgressLines, says_progress

__all__ = ["AtomicCheckpointIO", "LastCheckpoint", "ProgressLines", "says_progress"]

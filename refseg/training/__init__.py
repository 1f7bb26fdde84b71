"""Keeping the state of a training, and going on from it."""

from refseg.training.checkpoint_io import AtomicCheckpointIO
from refseg.training.last_checkpoint import LastCheckpoint

__all__ = ["AtomicCheckpointIO", "LastCheckpoint"]

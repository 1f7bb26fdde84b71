"""A small data set in each of the known formats, by the name under which it is read."""

from collections.abc import Callable
from pathlib import Path

from .fake_folder import write_fake_folder
from .fake_grefcoco import write_fake_grefcoco
from .fake_hub import write_fake_hub
from .fake_phrasecut import write_fake_phrasecut
from .fake_refer import write_fake_refer
from .fake_referit import write_fake_referit

WRITERS: dict[str, Callable[[Path], Path]] = {
    "fake": write_fake_refer,
    "grefcoco": write_fake_grefcoco,
    "referit": write_fake_referit,
    "phrasecut": write_fake_phrasecut,
    "refcoco": write_fake_hub,
    "mine": write_fake_folder,
}

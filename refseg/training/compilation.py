"""Compiling a network before it is trained or evaluated."""

import os
import shutil
from importlib.util import find_spec

import torch

from refseg.errors import ConfigError
from refseg.models.segmenter import Segmenter

_COMPILERS = ("g++", "clang++", "c++", "cl")


def compile_network(segmenter: Segmenter, device: torch.device) -> None:
    """Let torch compile a network in place, at its first batches; again is nothing more.

    Args:
        segmenter: whose weights keep their names.
        device: that it will run on.

    Raises:
        ConfigError: what torch compiles with is not installed.
    """
    if segmenter.is_compiled:
        return
    if device.type == "cpu":
        names = [os.environ["CXX"]] if os.environ.get("CXX") else _COMPILERS
        if not any(map(shutil.which, names)):
            raise ConfigError(
                f"Compiling a network for the CPU needs a C++ compiler, and there is none of "
                f"{', '.join(names)}; install one, or leave out --model.compile."
            )
    elif find_spec("triton") is None:
        raise ConfigError(
            "Compiling a network for a GPU needs the package triton, which is not installed; run "
            "`pip install triton`, or leave out --model.compile."
        )
    segmenter.compile()

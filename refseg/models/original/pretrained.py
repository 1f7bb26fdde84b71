"""The papers' own models, with the weights that their own code made."""

import importlib
from functools import partial

from refseg.models.original.kinds import Kind, translate
from refseg.models.original.variables import Variables
from refseg.models.segmenter import Segmenter
from refseg.models.weights.huggingface import Architecture


def from_original(kind: Kind, variables: Variables) -> Segmenter:
    """A segmenter that computes what the papers' own code computes from these variables.

    Widths are read off the arrays, R (ResNet) or D (DeepLab) off the names. The names of TensorFlow
    0.12 (`Matrix`, `Bias`) do as well, and what an optimiser left in the checkpoint is ignored.
    Without the variables of the backbone, the segmenter works on given features: res5c for RMI and
    its baseline, fc8 for LSTM-CNN. Of LSTM-CNN, the variables of any of its stages do.

    Args:
        kind: `rmi`, its baseline `rmi_lstm`, `lstm_cnn` (Hu et al.), `lavt`, or `cris`.
        variables: the original's names and arrays; of LAVT and CRIS, the entries of their
            file.

    Returns:
        The segmenter in evaluation mode.

    Raises:
        ConfigError: the kind is unknown, or variables are missing, superfluous or misshapen; the
            message names them all.
    """
    model = translate(kind, variables)
    factories = {}
    for part, description in model.config().items():
        package, _, name = description["class_path"].rpartition(".")
        arguments = description["init_args"]
        if "architecture" in arguments:
            arguments = {**arguments, "architecture": Architecture(arguments["architecture"])}
        factories[part] = partial(getattr(importlib.import_module(package), name), **arguments)
    segmenter = Segmenter(**factories, vocab_size=model.vocab_size, name_words=False)
    segmenter.load_state_dict(model.state)
    return segmenter.eval()

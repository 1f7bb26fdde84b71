"""Which of the papers' models variables are of, and its weights."""

from typing import Literal, get_args

from refseg.errors import ConfigError
from refseg.models.original.cris import translate_cris
from refseg.models.original.heads import OriginalModel
from refseg.models.original.lavt import translate_lavt
from refseg.models.original.lstm_cnn import translate_lstm_cnn
from refseg.models.original.rmi import translate_rmi
from refseg.models.original.variables import Variables, canonical

Kind = Literal["rmi", "rmi_lstm", "lstm_cnn", "lavt", "cris"]


def translate(kind: str, variables: Variables) -> OriginalModel:
    """Turn the variables of a model into its weights.

    Args:
        kind: of the model.
        variables: arrays by their names; of a file of torch, its entries.

    Raises:
        ConfigError: the kind is unknown, or variables are missing, superfluous or misshapen.
    """
    if kind not in get_args(Kind):
        known = ", ".join(get_args(Kind))
        raise ConfigError(f"Unknown model '{kind}' of the papers; choose one of {known}.")
    if kind == "lavt":
        return translate_lavt(variables)
    if kind == "cris":
        return translate_cris(variables)
    found = canonical(variables)
    if kind == "lstm_cnn":
        return translate_lstm_cnn(found)
    return translate_rmi(found, baseline=kind == "rmi_lstm")

"""Text-to-mask models of transformers on a data set: what `evaluate` and `test` do with them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.errors import ConfigError

if TYPE_CHECKING:
    from refseg.training.protocol_metrics import Figures

NOTE = (
    "Note: masks of models of transformers are counted as they are; what a protocol does to logits "
    "and probabilities before (thresholds, dilation) is not done."
)


def evaluate_model(
    name: str,
    options: Sequence[str],
    folder: Path,
    splits: Sequence[str] | None,
    protocols: Sequence[str],
    sam: str | None,
    device: str | None,
) -> "Figures":
    """Evaluate a model as `refseg.evaluate` does, and leave the files of `refseg test`.

    Args:
        name: on the Hugging Face hub, perhaps with a revision behind it, or a folder.
        options: which name the data.
        folder: for the figures.
        splits: to evaluate; None: all that are not trained on.
        protocols: by which is counted.
        sam: beside Grounding DINO.
        device: where to compute; None: on a GPU if there is one.

    Returns:
        The figures by protocol.

    Raises:
        ConfigError: the options do not name data, or are for a model of refseg.
        CheckpointError: the model makes no masks from text.
    """
    import torch

    from refseg.cli.trainer.data import data_module
    from refseg.inference.loading import load
    from refseg.training.evaluation import evaluate

    for word in options:
        if word.startswith(("--trainer.", "--model.")):
            raise ConfigError(
                f"{name} is a model of transformers, which takes the options of data alone: leave "
                f"{word.partition('=')[0]} out."
            )
    data = data_module(options)
    model = load(name, device or ("cuda" if torch.cuda.is_available() else "cpu"), sam=sam)
    found = evaluate(model, data, folder, splits=splits, protocols=protocols, save_masks=True)
    figures: Figures = found.summary["protocols"]
    return figures


def words_of_evaluate(checkpoint: str, words: Sequence[str]) -> list[str]:
    """The words of `refseg evaluate` that do what those of `refseg test` ask for.

    Args:
        checkpoint: a model of transformers.
        words: after `refseg test`, in which the options are written in full.

    Example:
        >>> words_of_evaluate("a/b", ["--ckpt_path", "a/b", "--evaluation.protocol=all"])
        ['a/b', '--all_protocols']
    """
    found = [checkpoint]
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        has_value = name in ("--ckpt_path", "--evaluation.protocol", "--save_masks")
        if has_value and not equals and rest and not rest[0].startswith("--"):
            value = rest.pop(0)
        if name == "--evaluation.protocol":
            found += ["--all_protocols"] if value == "all" else ["--protocol", value]
        elif not has_value:
            found.append(f"{name}{equals}{value}")
    return found

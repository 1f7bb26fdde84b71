"""`refseg import-weights`: a checkpoint of the papers' own variables."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from refseg.errors import ConfigError

if TYPE_CHECKING:
    from refseg.data import OriginalTokenizer
    from refseg.models.original.heads import OriginalModel

KINDS = {
    "rmi": "RMI (Liu et al.), on ResNet or DeepLab",
    "rmi_lstm": "the LSTM baseline of RMI",
    "lstm_cnn": "LSTM-CNN (Hu et al.)",
}
IMAGE_SIZES = {"rmi": 320, "rmi_lstm": 320, "lstm_cnn": 512}


def import_weights(
    kind: Literal["rmi", "rmi_lstm", "lstm_cnn"],
    variables: Path,
    /,
    *,
    vocabulary: Path,
    output: Path,
) -> None:
    """Turn the variables of the papers' own TensorFlow code into a checkpoint.

    `segment` and `test` take it: the same network, text, letterbox and rule of what is foreground.

    VARIABLES holds all variables of a TensorFlow checkpoint by their names; the last lines of the
    examples write it, where TensorFlow is.

    Args:
        kind: rmi: RMI (Liu et al.), on ResNet or DeepLab; rmi_lstm: the LSTM baseline of RMI;
            lstm_cnn: LSTM-CNN (Hu et al.)
        variables: an .npz, names and arrays
        vocabulary: the original's file, one word per line
        output: the checkpoint to write

    Examples:
        refseg import-weights rmi VARIABLES.npz --vocabulary vocabulary_Gref.txt --output rmi.ckpt
        refseg segment photo.jpg "the man on the left" --checkpoint rmi.ckpt
        refseg test --checkpoint rmi.ckpt --data.root DIR --data.dataset refcoco --data.split_by unc

        import numpy as np
        import tensorflow as tf
        reader = tf.train.load_checkpoint("CHECKPOINT")
        names = reader.get_variable_to_shape_map()
        np.savez("VARIABLES.npz", **{name: reader.get_tensor(name) for name in names})
    """
    import torch

    from refseg.data import OriginalTokenizer
    from refseg.files import replacing
    from refseg.models.original.kinds import translate
    from refseg.models.original.variables import read_variables
    from refseg.models.weights.provenance import of_file

    tokenizer = OriginalTokenizer(vocabulary)
    model = translate(kind, read_variables(variables))
    _check(model, variables, tokenizer, vocabulary)
    checkpoint = _checkpoint(model, tokenizer, IMAGE_SIZES[kind])
    checkpoint["refseg"]["backbone_weights"] = of_file(variables, is_original=True)
    with replacing(output) as temporary:
        torch.save(checkpoint, temporary)
    count = sum(tensor.numel() for tensor in model.state.values())
    print(f"{KINDS[kind]}: {count:,} weights, {model.vocab_size:,} words")
    print(f"checkpoint: {output}")
    print(f'try:        refseg segment PHOTO "EXPRESSION" --checkpoint {output}')


def _check(
    model: "OriginalModel", variables: Path, tokenizer: "OriginalTokenizer", vocabulary: Path
) -> None:
    if not model.has_backbone:
        raise ConfigError(
            f"{variables} has no variables of the backbone, without which no image can be "
            "segmented; save all variables of the checkpoint (ResNet/…, DeepLab/… or vgg_local/… "
            "among them)."
        )
    if tokenizer.vocab_size != model.vocab_size:
        raise ConfigError(
            f"Expected a vocabulary of {model.vocab_size:,} lines for the embeddings in "
            f"{variables}, got {tokenizer.vocab_size:,} in {vocabulary}; name the file that the "
            "model was trained with (8,803 words for ReferIt, 12,112 for COCO)."
        )


def _checkpoint(
    model: "OriginalModel", tokenizer: "OriginalTokenizer", image_size: int
) -> dict[str, Any]:
    """What `fit` would have written, without the state of a training."""
    import lightning
    import yaml

    from refseg import __version__
    from refseg.data import Transform

    transform = Transform(image_size, resampling="original").state_dict()
    config = {"trainer": "trainer/default.yaml", "model": model.config(), "data": transform}
    return {
        "state_dict": {f"segmenter.{name}": tensor for name, tensor in model.state.items()},
        "hyper_parameters": {
            **model.config(),
            "vocab_size": model.vocab_size,
            "_instantiator": "lightning.pytorch.cli.instantiate_module",
        },
        "hparams_name": "kwargs",
        "ReferringDataModule": {"tokenizer": tokenizer.state_dict(), "transform": transform},
        "refseg": {"version": __version__, "config": yaml.safe_dump(config, sort_keys=False)},
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": lightning.__version__,
    }

"""`refseg import-weights`: a checkpoint of the weights that other systems' own code made."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from refseg.errors import ConfigError

if TYPE_CHECKING:
    from refseg.data.tokenizers import Tokenizer
    from refseg.models.original.heads import OriginalModel

KINDS = {
    "rmi": "RMI (Liu et al.), on ResNet or DeepLab",
    "rmi_lstm": "the LSTM baseline of RMI",
    "lstm_cnn": "LSTM-CNN (Hu et al.)",
    "lavt": "LAVT (Yang et al.)",
    "cris": "CRIS (Wang et al.)",
}
# Those whose own code is in TensorFlow; that of the others is in PyTorch.
IMAGE_SIZES = {"rmi": 320, "rmi_lstm": 320, "lstm_cnn": 512}


def import_weights(
    kind: Literal["rmi", "rmi_lstm", "lstm_cnn", "lavt", "cris"],
    variables: Path,
    /,
    *,
    output: Path,
    vocabulary: Path | None = None,
    tokenizer: str | None = None,
) -> None:
    """Turn the weights that other systems' own code made into a checkpoint.

    `segment` and `test` take it: the same network, text, image size and rule of what is foreground.

    Of RMI and LSTM-CNN, VARIABLES holds all variables of a TensorFlow checkpoint by their names;
    the last lines of the examples write it, where TensorFlow is. Of LAVT (or lavt_one) and CRIS, it
    is the file that their training wrote; nothing in it is executed.

    Args:
        kind: rmi: RMI (Liu et al.), on ResNet or DeepLab; rmi_lstm: the LSTM baseline of RMI;
            lstm_cnn: LSTM-CNN (Hu et al.); lavt: LAVT (Yang et al.); cris: CRIS (Wang et al.)
        variables: an .npz, names and arrays; of lavt and cris, a .pth
        output: the checkpoint to write
        vocabulary: of RMI and LSTM-CNN, the original's file, one word per line
        tokenizer: of LAVT, that of its BERT (bert-base-uncased), of CRIS, that of CLIP
            (openai/clip-vit-base-patch32): a name on the Hugging Face hub, or a folder

    Examples:
        refseg import-weights rmi VARIABLES.npz --vocabulary vocabulary_Gref.txt --output rmi.ckpt
        refseg import-weights lavt refcoco.pth --tokenizer bert-base-uncased --output lavt.ckpt
        refseg import-weights cris best_model.pth --tokenizer FOLDER --output cris.ckpt
        refseg segment photo.jpg "the man on the left" --checkpoint rmi.ckpt
        refseg test --checkpoint rmi.ckpt --data.root DIR --data.dataset refcoco --data.split_by unc

        import numpy as np
        import tensorflow as tf
        reader = tf.train.load_checkpoint("CHECKPOINT")
        names = reader.get_variable_to_shape_map()
        np.savez("VARIABLES.npz", **{name: reader.get_tensor(name) for name in names})
    """
    import torch

    from refseg.files import replacing
    from refseg.models.weights.provenance import of_file

    _check_text(kind, vocabulary, tokenizer)
    model, words = (
        _of_tensorflow(kind, variables, vocabulary)
        if vocabulary is not None
        else _of_pytorch(kind, variables, str(tokenizer))
    )
    checkpoint = _checkpoint(model, words)
    checkpoint["refseg"]["backbone_weights"] = of_file(variables, is_original=True)
    with replacing(output) as temporary:
        torch.save(checkpoint, temporary)
    count = sum(tensor.numel() for tensor in model.state.values())
    print(f"{KINDS[kind]}: {count:,} weights, {words.vocab_size:,} {words.unit}")
    for note in model.notes:
        print(note)
    print(f"checkpoint: {output}")
    print(f'try:        refseg segment PHOTO "EXPRESSION" --checkpoint {output}')


def _check_text(kind: str, vocabulary: Path | None, tokenizer: str | None) -> None:
    """See that what turns sentences into ids is given, in the way that the system has it."""
    is_of_tensorflow = kind in IMAGE_SIZES
    if (vocabulary is not None, tokenizer is None) != (is_of_tensorflow, is_of_tensorflow):
        wanted, other = "--vocabulary FILE", "--tokenizer"
        if not is_of_tensorflow:
            wanted, other = "--tokenizer NAME_OR_FOLDER", "--vocabulary"
        raise ConfigError(
            f"{KINDS[kind]} needs {wanted} for its sentences, and no {other}; give just that."
        )


def _of_tensorflow(
    kind: str, variables: Path, vocabulary: Path
) -> "tuple[OriginalModel, Tokenizer]":
    from refseg.data import OriginalTokenizer
    from refseg.models.original.kinds import translate
    from refseg.models.original.variables import read_variables

    tokenizer = OriginalTokenizer(vocabulary)
    model = translate(kind, read_variables(variables))
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
    preparation = {"image_size": IMAGE_SIZES[kind], "resampling": "original"}
    return model._replace(transform=preparation), tokenizer


def _of_pytorch(kind: str, file: Path, name: str) -> "tuple[OriginalModel, Tokenizer]":
    from refseg.data import TransformersTokenizer
    from refseg.models.original.kinds import translate
    from refseg.models.original.torch_files import read_torch_file

    model = translate(kind, read_torch_file(file))
    tokenizer = TransformersTokenizer(name, model.max_words, model.clean)
    if tokenizer.vocab_size != model.vocab_size:
        raise ConfigError(
            f"Expected a tokenizer of {model.vocab_size:,} pieces for the embeddings in {file}, "
            f"got {tokenizer.vocab_size:,} of {name}; name the one that the model was trained with."
        )
    return model, tokenizer


def _checkpoint(model: "OriginalModel", tokenizer: "Tokenizer") -> dict[str, Any]:
    """What `fit` would have written, without the state of a training."""
    import lightning
    import yaml

    from refseg import __version__
    from refseg.data import Transform

    transform = Transform(**model.transform).state_dict()
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

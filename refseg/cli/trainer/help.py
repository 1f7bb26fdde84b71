"""The first screen of help of `fit`, `validate`, `test` and `predict`, which needs no torch.

The parser of these verbs knows several hundred options. What people use of them stands here, and
`--help all` lists them all below it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from refseg.cli import TRAINER_VERBS

_ALL = "all"


class _Screen(NamedTuple):
    """What the first screen of a verb says.

    Args:
        usage: of the verb.
        about: what to know before the options.
        options: how each is written, and what it does.
        examples: command lines.
    """

    usage: str
    about: str
    options: Mapping[str, str]
    examples: str


_CHECKPOINT = {
    "--checkpoint FILE": "with model and data; default: of the newest finished run in runs/",
    "--config CONFIG": "take model and data from this config instead",
}
_DATA = {
    "--data.root DIR": "folder of the data, if they lie elsewhere now",
    "--data.test_splits LIST": "as [val,testA]; default: all that are not trained on",
    "--data.batch_size N": "images in a batch",
    "--data.num_workers N": "processes that read images",
}
_TRAINER = {
    "--trainer.accelerator NAME": "cpu, gpu, …; default: the best that is there",
    "--trainer.devices N": "so many of them",
    "--trainer.precision P": "32-true, bf16-mixed, 16-mixed",
}
_EVALUATION = {
    "--evaluation.protocol NAME": "count as another code of the field does, or in `all` ways",
    "--crf": "a second row for each split: after DenseCRF",
    "--save_masks true": "keep each mask, in results.parquet",
}
_IMPORT = {"--import PACKAGE": "a package of yours, whose classes may be named"}

_SCREENS = {
    "fit": _Screen(
        "refseg fit --config CONFIG [options]",
        "A config says everything, and each option changes what it says: `--a.b VALUE` is b of a.\n"
        "Configs lie in the working directory or come with refseg.",
        {
            "--config CONFIG": "rmi.yaml, lstm_cnn.yaml, paper/….yaml, or your own",
            "--output DIR": "folder of the run; default: runs/CONFIG-DATE-TIME",
            "--checkpoint FILE": "go on from it; `last`: from the newest one of --output",
            "--seed_everything N": "of weights, order and augmentation",
            "--data CONFIG": "data/shapes.yaml, data/refer.yaml, data/folder.yaml, …",
            "--data.root DIR": "folder of the data",
            "--data.dataset NAME": "folder in it, as refcoco",
            "--data.batch_size N": "images in a batch, each with its expressions",
            "--model.fusion CONFIG": "fusion/mlstm.yaml (RMI), fusion/concat.yaml, mypackage.Mine",
            "--model.optimizer.lr X": "learning rate",
            "--trainer.max_epochs N": "length of the training; or --trainer.max_steps N",
            **_TRAINER,
            **_IMPORT,
        },
        """\
  refseg fit --config rmi.yaml
  refseg fit --config rmi.yaml --trainer.max_steps 200 --output runs/short
  refseg fit --config rmi.yaml --data data/refer.yaml --data.root DIR --data.dataset refcoco
  refseg fit --config rmi.yaml --trainer.logger logger/wandb.yaml
  refseg fit --config RUN/config.yaml --output RUN --checkpoint last    (go on with a run)
  refseg fit --config paper/rmi_r_refcoco.yaml --data.root DIR          (as published)
  refseg fit --config rmi.yaml --print_config                           (the whole config)""",
    ),
    "validate": _Screen(
        "refseg validate [--checkpoint FILE] [options]",
        "Figures go to the folder `validate` of the run.",
        {
            **_CHECKPOINT,
            "--output DIR": "folder of the figures",
            **{name: about for name, about in _DATA.items() if "test_splits" not in name},
            **_EVALUATION,
            **_TRAINER,
            **_IMPORT,
        },
        """\
  refseg validate --checkpoint RUN/checkpoints/best.ckpt
  refseg validate --checkpoint RUN/checkpoints/best.ckpt --evaluation.protocol lavt""",
    ),
    "test": _Screen(
        "refseg test [--checkpoint FILE] [options]",
        "Figures, and a row for each expression, go to the folder `test` of the run.\n"
        "FILE may also be a text-to-mask model of transformers: see `refseg evaluate --help`;\n"
        "of W&B, it is wandb:ENTITY/PROJECT/NAME:ALIAS, an artifact as `refseg fit` uploads it.",
        {
            **_CHECKPOINT,
            "--output DIR": "folder of the figures",
            **_DATA,
            **_EVALUATION,
            "--words": "how overall IoU grows while the sentences are read",
            **_TRAINER,
            **_IMPORT,
        },
        """\
  refseg test --checkpoint RUN/checkpoints/best.ckpt
  refseg test --checkpoint best.ckpt --data.root DIR --data.test_splits "[testA,testB]"
  refseg test --checkpoint best.ckpt --crf --words
  refseg test --config RUN/config.yaml --checkpoint RUN/checkpoints/best.ckpt""",
    ),
    "predict": _Screen(
        "refseg predict [--checkpoint FILE] [options]",
        "They (PNG) and a list of them (predictions.jsonl) go to the folder `predict` of the run.",
        {
            **_CHECKPOINT,
            "--output DIR": "folder of the masks",
            **_DATA,
            "--crf": "write the masks after DenseCRF has refined them",
            **_TRAINER,
            **_IMPORT,
        },
        """\
  refseg predict --checkpoint RUN/checkpoints/best.ckpt --output masks
  refseg predict --checkpoint RUN/checkpoints/best.ckpt --output masks --crf""",
    ),
}


def asked_for(words: Sequence[str]) -> Literal["first", "all"] | None:
    """Which help a command line asks for; None for none.

    Args:
        words: after the verb.

    Example:
        >>> asked_for(["--config", "rmi.yaml", "-h"]), asked_for(["--help", "all"]), asked_for([])
        ('first', 'all', None)
    """
    for place, word in enumerate(words):
        if word == f"--help={_ALL}":
            return "all"
        if word in {"-h", "--help"}:
            return "all" if [*words[place + 1 : place + 2]] == [_ALL] else "first"
    return None


def first_screen(verb: str) -> str:
    """What a verb of the trainer does, the options that are used most, and examples.

    Args:
        verb: `fit`, `validate`, `test` or `predict`.
    """
    screen = _SCREENS[verb]
    purpose = TRAINER_VERBS[verb]
    width = max(map(len, screen.options)) + 2
    return "\n".join(
        [
            f"usage: {screen.usage}",
            "",
            f"{purpose[0].upper()}{purpose[1:]}.",
            screen.about,
            "",
            "options that are used most:",
            *(f"  {name:<{width}}{about}" for name, about in screen.options.items()),
            f"  {'--help all':<{width}}list all options, a few hundred, below these",
            "",
            "examples:",
            screen.examples,
            "",
            "`--model.fusion.help=MultimodalLSTM` lists the options of a class.",
        ]
    )

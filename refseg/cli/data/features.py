"""`refseg data features`: what a frozen backbone makes of each image, once for all."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from refseg.errors import ConfigError

DESCRIPTION = """\
Compute what the frozen network of a model's backbone makes of every image, and keep it on disk, so
that a training need not compute it at every visit of an image. It is what training and evaluation
compute for an image by itself, to the last bit. Each image has a file of its own, named by the
content of the image file; Ctrl-C stops at any time, and the same command goes on.

Features belong to the weights and settings of the network, the transform (--data.image_size, …) and
the precision of the config. A run with others says what differs."""

EPILOG = """\
examples:
  refseg data features --config paper/rmi_r_refcoco.yaml --data.root DIR --out features
  refseg fit --config paper/rmi_r_refcoco.yaml --data.root DIR --data.features features
  refseg test --ckpt_path RUN/checkpoints/best.ckpt --data.features features

  refseg data features --ckpt_path best.ckpt --out features --splits val testA
  refseg data features --config rmi.yaml --model.backbone backbone/squeezenet.yaml --out features

The disk that it takes is told before it starts: 13 MB for each image with ResNet-101 at 320 pixels
and stride 8 (262 GB for RefCOCO's images), 0.5 MB with LSTM-CNN's VGG-16 at 512."""


class _RunParser(argparse.ArgumentParser):
    """Leaves what is not its own to the parser of the run, in its order."""

    def parse_known_args(  # type: ignore[override] # the overloads of typeshed add nothing here
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        parsed, words = super().parse_known_args(args, namespace)
        parsed.words = words
        return parsed, []


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = _RunParser(
        prog="refseg data features",
        usage="refseg data features [-h] (--config CONFIG | --ckpt_path CKPT) --out DIR "
        "[--splits SPLIT ...] [options of `refseg fit`]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="folder of the features"
    )
    options.add_argument(
        "--splits",
        nargs="+",
        metavar="SPLIT",
        help="of which the images are taken; default: all that the config trains and evaluates on",
    )
    options.add_argument_group(
        "the model and its data",
        "--config CONFIG, --ckpt_path CKPT (its weights and, without --config, its config) and all "
        "options of `refseg fit`, such as --data.root DIR",
    )
    return options


def run(arguments: argparse.Namespace) -> int:
    """Compute, and say what to do next."""
    from refseg.cli.command_line import naming_checkpoint

    with naming_checkpoint(arguments.words):
        return _compute(arguments)


def _compute(arguments: argparse.Namespace) -> int:
    from refseg.cli.command_line import value_of
    from refseg.cli.prepared import prepare_run
    from refseg.data.features.images import FittedImages
    from refseg.training.features import extract_features

    if not any(value_of(option, arguments.words) for option in ("--config", "-c", "--ckpt_path")):
        raise ConfigError(
            "No model is named; name a config, as in `--config paper/rmi_r_refcoco.yaml`, or a "
            "checkpoint with --ckpt_path."
        )
    module, data, trainer = prepare_run(arguments.words)
    data.prepare_data()
    if arguments.splits is None:
        tables = [training.references for training in data.training]
        others = data.mixture.other_splits(data.splits.train_splits)
        tables += data.mixture.rows([*others, *data.splits.val_splits])
    else:
        tables = data.mixture.rows(arguments.splits)
    images = FittedImages(tables, data.transform)
    try:
        done = extract_features(module.segmenter, data, trainer, arguments.out, images)
    except KeyboardInterrupt:
        print("Stopped; the same command goes on.", file=sys.stderr)
        raise
    print(f"{done.computed:,} of {done.images:,} images computed in {done.seconds:,.1f} s")
    print(f"read them with: refseg fit … --data.features {arguments.out}")
    return 0

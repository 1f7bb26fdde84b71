"""`refseg data features`: what a frozen backbone makes of each image, once for all."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from refseg.cli.parsing.argument_types import Folder, Option
from refseg.errors import ConfigError


def features(
    *,
    output: Folder,
    splits: Sequence[str] | None = None,
    options: Annotated[Sequence[str], Option(rest=("-",))] = (),
) -> None:
    """Compute what the frozen network of a model's backbone makes of every image.

    It is kept on disk, so that a training need not compute it at every visit of an image. It is
    what training and evaluation compute for an image by itself, to the last bit. Where the config
    augments by flips alone, the mirror images of those trained on are kept, too. Each image has a
    file of its own, named by the content of the image file; Ctrl-C stops at any time, and the same
    command goes on.

    Features belong to the weights and settings of the network, the transform (--data.image_size, …)
    and the precision of the config. A run with others says what differs.

    The disk that it takes is told before it starts: 13 MB for each image with ResNet-101 at 320
    pixels and stride 8 (262 GB for RefCOCO's images), 0.5 MB with LSTM-CNN's VGG-16 at 512.

    Args:
        output: folder of the features
        splits: of which the images are taken; default: all that the config trains and evaluates on
        options: --config CONFIG, --checkpoint FILE (its weights and, without --config, its config)
            and all options of `refseg fit`, such as --data.root DIR or --import PACKAGE

    Examples:
        refseg data features --config paper/rmi_r_refcoco.yaml --data.root DIR --output features
        refseg fit --config paper/rmi_r_refcoco.yaml --data.root DIR --data.features features
        refseg test --checkpoint RUN/checkpoints/best.ckpt --data.features features

        refseg data features --config photos.yaml --data.root DIR --data.dataset NAME --output DIR
        refseg data features --checkpoint best.ckpt --output features --splits val testA
        refseg data features --config rmi.yaml --model.backbone backbone/vgg16.yaml --output DIR
    """
    from refseg.cli.trainer.command_line import in_order, naming_checkpoint

    options = in_order(options)
    with naming_checkpoint(options):
        _compute(output, splits, options)


def _compute(output: Path, splits: Sequence[str] | None, options: Sequence[str]) -> None:
    from refseg.cli.trainer.command_line import value_of
    from refseg.cli.trainer.prepared import prepare_run
    from refseg.data.features.images import FittedImages
    from refseg.training.features import extract_features

    if not any(value_of(option, options) for option in ("--config", "--ckpt_path")):
        raise ConfigError(
            "No model is named; name a config, as in `--config paper/rmi_r_refcoco.yaml`, or a "
            "checkpoint with --checkpoint."
        )
    module, data, trainer = prepare_run(options)
    data.prepare_data()
    if splits is None:
        tables = [training.references for training in data.training]
        others = data.mixture.other_splits(data.splits.train_splits)
        tables += data.mixture.rows([*others, *data.splits.val_splits])
    else:
        tables = data.mixture.rows(splits)
    flipped = data.flipped if splits is None else []
    images = FittedImages(tables, data.transform, flipped)
    try:
        done = extract_features(module.segmenter, data, trainer, output, images)
    except KeyboardInterrupt:
        print("Stopped; the same command goes on.", file=sys.stderr)
        raise
    print(f"{done.computed:,} of {done.images:,} images computed in {done.seconds:,.1f} s")
    print(f"read them with: refseg fit … --data.features {output}")

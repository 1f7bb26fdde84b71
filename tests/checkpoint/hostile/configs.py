"""Checkpoints whose record of the config is no config."""

from collections.abc import Iterator
from pathlib import Path

import torch
import yaml

from .attack import FEATURES, TEST, Attack, Content, Ground


def by_configs(ground: Ground) -> Iterator[Attack]:
    """Texts that are no config, or far more than they seem."""
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)
    )
    for name, text in {
        "a list": "[1, 2]",
        "a text": "just words",
        "nothing": "",
        "a number": 3,
        "an alias bomb": bomb + "model: *a39\n",
        "merged aliases": bomb + "model: {<<: [*a39, *a39]}\n",
        "a million brackets": "model: " + "[" * 1_000_000,
        "megabytes": "model: {}\n" + "# " + "x" * 20_000_000,
        "an object": "model: !!python/object/apply:os.system ['touch x']",
        "a tag": "model: !evil x",
        "a date": "model: {loss: 2001-01-01}",
        "a section that is a list": "model: [a]\ndata: {}",
        "a stream": yaml.safe_dump({"model": {}, "data": {"stream": ground.address}}),
        "a chained stream": yaml.safe_dump({"data": {"stream": "zip::" + ground.address}}),
        "workers": yaml.safe_dump({"data": {"image_size": 64, "batch_size": 10**9}}),
        "pixels": yaml.safe_dump({"data": {"image_size": 10**9}}),
        "images to draw": yaml.safe_dump({"data": {"shapes": {"train_images": 10**6}}}),
    }.items():

        def write(content: Content, path: Path, text: object = text) -> None:
            content["refseg"]["config"] = text
            torch.save(content, path)

        yield Attack(f"config: {name}", write, (TEST, FEATURES))

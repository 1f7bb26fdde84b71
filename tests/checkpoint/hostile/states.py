"""Checkpoints that are hostile in what stands beside the network."""

from collections.abc import Iterator

import torch

from .attack import FIT, LOAD, Attack, Content, Ground, placed
from .places import put


def by_states(ground: Ground) -> Iterator[Attack]:
    """What stands beside the network: the tokenizer, the transform, the state of a training."""
    tokenizer = ("ReferringDataModule", "tokenizer")
    transform = ("ReferringDataModule", "transform")
    rust = {
        "class": "TransformersTokenizer", "name": "x", "max_words": 20, "serialised": "{}",
        "special_tokens": {"tokenizer_file": ground.secret},
    }  # fmt: skip
    for name, place, value in (
        ("tokenizer of class os.system", put(*tokenizer, "class"), "os.system"),
        ("tokenizer of class Popen", put(*tokenizer, "class"), {"class_path": "subprocess.Popen"}),
        ("tokenizer with a file", put(*tokenizer), rust),
        ("tokenizer that is damaged", put(*tokenizer), {**rust, "special_tokens": {}}),
        ("words that are numbers", put(*tokenizer, "words"), [1, 2]),
        ("words that are a text", put(*tokenizer, "words"), "abc"),
        ("max_words of 10**9", put(*tokenizer, "max_words"), 10**9),
        ("more words than the model", put(*tokenizer, "words"), [str(i) for i in range(999)]),
        ("image_size of 10**9", put(*transform, "image_size"), 10**9),
        ("image_size of a text", put(*transform, "image_size"), "big"),
        ("another argument of the transform", put(*transform, "segmenter"), 1),
        ("another resampling", put(*transform, "resampling"), "os.system"),
        ("another geometry", put(*transform, "geometry"), "os.system"),
        ("no transform", put(*transform), None),
        ("a config that is a list", put("refseg"), [1]),
        ("hyper-parameters that are a list", put("hyper_parameters"), ["os.system"]),
        ("hyper-parameters that are a text", put("hyper_parameters"), "os.system"),
        ("hyper-parameters that are a tensor", put("hyper_parameters"), torch.ones(2)),
        ("no data", put("ReferringDataModule"), 3),
        ("weights that are numbers", put("state_dict"), {"a": 1}),
        ("weights that are a list", put("state_dict"), [torch.ones(1)]),
        ("a weight of one value", put("state_dict", "segmenter.decoder.classifier.weight"),
         torch.ones(1).expand(1 << 40)),
        ("weights of another network", put("state_dict"), {"segmenter.x": torch.ones(1)}),
    ):  # fmt: skip
        yield Attack(name, placed(place, value), (LOAD,))
    best = {
        "dirpath": str(ground.outside), "best_model_path": ground.secret,
        "best_k_models": {ground.secret: torch.ones(())}, "best_model_score": torch.ones(()),
    }  # fmt: skip

    def callbacks(content: Content, value: object) -> None:
        content["callbacks"] = dict.fromkeys(content["callbacks"], value)

    for name, place, value, may_open in (
        ("best checkpoint elsewhere", callbacks, best, True),
        ("callbacks that are numbers", callbacks, 3, True),
        ("no dictionary of callbacks", put("callbacks"), [1], False),
        ("loops of a text", put("loops"), "x", False),
        ("optimizers of a number", put("optimizer_states"), [3], False),
        ("a version of Lightning that is none", put("pytorch-lightning_version"), "x", False),
    ):
        yield Attack(name, placed(place, value), (FIT,), may_open)

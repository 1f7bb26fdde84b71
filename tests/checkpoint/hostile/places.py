"""The places in a checkpoint at which something may stand."""

from typing import Any

import yaml

from .attack import Content, Place


def of_part(part: str) -> Place:
    def place(content: Content, value: object) -> None:
        content["hyper_parameters"][part] = value

    return place


def argument_of(part: str, name: str) -> Place:
    def place(content: Content, value: object) -> None:
        content["hyper_parameters"][part]["init_args"][name] = value

    return place


def in_architecture(*above: str) -> Place:
    """Within the untyped dictionary of an encoder of transformers."""

    def place(content: Content, value: object) -> None:
        config: dict[str, Any] = {"model_type": "resnet", "z": value}
        content["hyper_parameters"]["backbone"] = {
            "class_path": "refseg.models.backbones.TransformersBackbone",
            "init_args": {
                "name": "x",
                "architecture": {
                    "config": {**config, **dict.fromkeys(above, value)},
                    "mean": [0.0] * 3,
                    "std": [1.0] * 3,
                },
            },
        }

    return place


def in_config(*names: str) -> Place:
    """An option of the config of the run."""

    def place(content: Content, value: object) -> None:
        config = yaml.safe_load(content["refseg"]["config"])
        target = config
        for name in names[:-1]:
            if not isinstance(target.get(name), dict):
                target[name] = {}
            target = target[name]
        target[names[-1]] = value
        content["refseg"]["config"] = yaml.safe_dump(config, sort_keys=False)

    return place


def put(*names: str) -> Place:
    """Anywhere in the content of the checkpoint."""

    def place(content: Content, value: object) -> None:
        target: Any = content
        for name in names[:-1]:
            target = target[name]
        target[names[-1]] = value

    return place


DESCRIBED: dict[str, Place] = {
    **{part: of_part(part) for part in
       ("backbone", "text_encoder", "fusion", "decoder", "optimizer", "lr_scheduler")},
    "fusion.hidden_dim": argument_of("fusion", "hidden_dim"),
    "fusion.new": argument_of("fusion", "new"),
    "backbone.stride": argument_of("backbone", "stride"),
    "optimizer.lr": argument_of("optimizer", "lr"),
    "optimizer.foreach": argument_of("optimizer", "foreach"),
    "architecture": in_architecture(),
    "architecture.attn_implementation": in_architecture("attn_implementation", "auto_map"),
    "hyper_parameters.new": of_part("new"),
    "_class_path": of_part("_class_path"),
    "decayed": of_part("decayed"),
    "vocab_size": of_part("vocab_size"),
}  # fmt: skip
CONFIGURED: dict[str, Place] = {
    "model.loss": in_config("model", "loss"),
    "model.loss.device": in_config("model", "loss", "init_args", "device"),
    "model.regions": in_config("model", "regions"),
    "model.exact_evaluation": in_config("model", "exact_evaluation"),
    "data.augmentation": in_config("data", "augmentation"),
    "data.shapes": in_config("data", "shapes"),
    "data.image_size": in_config("data", "image_size"),
    "data.root": in_config("data", "root"),
    "data.dataset": in_config("data", "dataset"),
    "data.new": in_config("data", "new"),
    "trainer.precision": in_config("trainer", "precision"),
    "seed_everything": in_config("seed_everything"),
}
TEXTS = ("data.root", "data.dataset", "decayed")  # any text may stand there, or a list of them
IGNORED: dict[str, Place] = {  # nobody listens to what stands there
    "trainer.callbacks": in_config("trainer", "callbacks"),
    "trainer.logger": in_config("trainer", "logger"),
    "trainer.plugins": in_config("trainer", "plugins"),
    "trainer.strategy": in_config("trainer", "strategy"),
    "trainer.profiler": in_config("trainer", "profiler"),
    "trainer.default_root_dir": in_config("trainer", "default_root_dir"),
    "output": in_config("output"),
    "base": in_config("base"),
    "data.tokenizer": in_config("data", "tokenizer"),
    "data.vocabulary_from": in_config("data", "vocabulary_from"),
    "data.features": in_config("data", "features"),
    "model.start_from": in_config("model", "start_from"),
    "model.backbone": in_config("model", "backbone"),
    "_instantiator": of_part("_instantiator"),
}

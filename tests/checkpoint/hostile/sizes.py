"""Checkpoints of networks that are too large, and of some that are not."""

from collections.abc import Iterator

from .attack import FIT, LOAD, Attack, Content, Write, placed
from .places import argument_of, in_architecture, of_part


def by_sizes() -> Iterator[Attack]:
    """Networks that no memory holds, or no lifetime makes."""
    sizes = {
        "backbone": {"width": 10**9, "image_dim": 10**9, "blocks": 10**9, "colour_dim": 10**7},
        "text_encoder": {"embedding_dim": 10**9, "hidden_dim": 10**9},
        "fusion": {"hidden_dim": 10**9, "projection_dim": 10**9},
    }
    for part, arguments in sizes.items():
        for name, value in arguments.items():
            write = placed(argument_of(part, name), value)
            yield Attack(f"{part}.{name} of {value:,}", write, (LOAD, FIT))

    def layers(content: Content, value: object) -> None:
        part = {"hidden_dim": 4, "layers": value}
        path = "refseg.models.fusion.ConcatFusion"
        content["hyper_parameters"]["fusion"] = {"class_path": path, "init_args": part}

    def blocks(content: Content, value: object) -> None:
        path = "refseg.models.backbones.AtrousResNet"
        part = {"class_path": path, "init_args": {"blocks": [value] * 4, "width": 1}}
        content["hyper_parameters"]["backbone"] = part

    def stages(content: Content, value: object) -> None:
        in_architecture()(content, 0)
        architecture = content["hyper_parameters"]["backbone"]["init_args"]["architecture"]
        architecture["config"] = {"model_type": "swin", "depths": value, "num_heads": [1]}

    def words(content: Content, value: object) -> None:
        content["hyper_parameters"]["text_encoder"] = {
            "class_path": "refseg.models.text_encoders.TransformersEncoder",
            "init_args": {"name": "x", "architecture": value},
        }

    bert = {"model_type": "bert"}
    for name, place, value in (
        ("10**9 layers", layers, 10**9),
        ("10**6 blocks", blocks, 10**6),
        ("stages of 10**9 blocks", stages, [10**9]),
        ("stages of 60,000 blocks", stages, [60_000] * 4),
        ("10**9 hidden layers", words, {**bert, "num_hidden_layers": 10**9}),
        ("10**7 hidden layers", words, {**bert, "num_hidden_layers": 10**7, "hidden_size": 12}),
        ("a vocabulary of 10**9", words, {**bert, "vocab_size": 10**9}),
        ("positions of 10**7", words, {**bert, "max_position_embeddings": 10**7}),
        ("code of the hub", words, {**bert, "auto_map": {"AutoConfig": "evil/x--m.C"}}),
        ("kernels of the hub", words, {**bert, "attn_implementation": "evil/kernel"}),
        ("timm", words, {"model_type": "timm_backbone", "backbone": "hf-hub:evil/x"}),
    ):
        yield Attack(name, placed(place, value), (LOAD,))


def honest_architectures() -> Iterator[Write]:
    """Encoders of transformers with other weights: their modules are imported."""
    for place in (in_architecture(),):
        yield placed(place, 0)
    for kind, sizes in {"swin": {"depths": [1], "num_heads": [1]}, "bert": {}}.items():
        part = "text_encoder" if kind == "bert" else "backbone"
        name = "TransformersEncoder" if kind == "bert" else "TransformersBackbone"
        config = {"model_type": kind, **sizes}
        architecture = config if kind == "bert" else {"config": config, "mean": [], "std": []}
        yield placed(of_part(part), {
            "class_path": f"refseg.models.{part}s.{name}",
            "init_args": {"name": "x", "architecture": architecture},
        })  # fmt: skip

"""A grammar of hostile checkpoints: class paths, in positions, as kinds of values."""

import copy
import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

Content = dict[str, Any]
Write = Callable[[Content, Path], None]

LOAD, SEGMENT, CONFIG, MODULE = "load", "segment", "config", "module"
TEST, FIT, FEATURES = "test", "fit", "features"


@dataclass(frozen=True)
class Attack:
    """A hostile checkpoint.

    Args:
        name: what it is.
        write: makes the file from the content of an honest one.
        entries: the doors that it is brought to.
        may_open: it is harmless where what it says is not listened to.
    """

    name: str
    write: Write
    entries: tuple[str, ...]
    may_open: bool = False


@dataclass(frozen=True)
class Ground:
    """What attackers would like to reach.

    Args:
        outside: a folder with `secret.txt`, `secret.ckpt` and the module `planted.py`.
        port: of this machine, on which nobody listens.
    """

    outside: Path
    port: int

    @property
    def secret(self) -> str:
        return str(self.outside / "secret.ckpt")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/shards"


# --- class paths -----------------------------------------------------------------------------


def class_specifications(ground: Ground) -> dict[str, dict[str, Any]]:
    """What would be noticed if it were imported, made or called."""
    touch = ["/bin/sh", "-c", f"touch {ground.outside}/touched"]
    handler = "torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler"
    handled = {
        "entrypoint": touch[0], "args": touch[1:], "env": {}, "stdout": None, "stderr": None,
        "local_rank_id": 0, "numa_options": None,
    }  # fmt: skip
    return {
        path: {"class_path": path, "init_args": arguments}
        for path, arguments in {
            "subprocess.Popen": {"args": touch},
            "os.system": {"command": " ".join(touch)},
            handler: handled,
            "this.Zen": {},
            "antigravity.fly": {},
            "planted.Fusion": {},
            "pathlib.Path": {},
            "torch.nn.Linear": {"in_features": 1, "out_features": 1},
            "torch.hub.load_state_dict_from_url": {"url": ground.address},
            "lightning.pytorch.loggers.CSVLogger": {"save_dir": str(ground.outside)},
            "torch.storage.UntypedStorage.from_file": {"filename": ground.secret},
            "refseg.training.callbacks.PredictionWriter": {"folder": str(ground.outside)},
        }.items()
    }


# --- positions --------------------------------------------------------------------------------

Place = Callable[[Content, Any], None]


def _of_part(part: str) -> Place:
    def place(content: Content, value: object) -> None:
        content["hyper_parameters"][part] = value

    return place


def _argument(part: str, name: str) -> Place:
    def place(content: Content, value: object) -> None:
        content["hyper_parameters"][part]["init_args"][name] = value

    return place


def _architecture(*above: str) -> Place:
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


def _config(*names: str) -> Place:
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


DESCRIBED: dict[str, Place] = {
    **{part: _of_part(part) for part in
       ("backbone", "text_encoder", "fusion", "decoder", "optimizer", "lr_scheduler")},
    "fusion.hidden_dim": _argument("fusion", "hidden_dim"),
    "fusion.new": _argument("fusion", "new"),
    "backbone.stride": _argument("backbone", "stride"),
    "optimizer.lr": _argument("optimizer", "lr"),
    "optimizer.foreach": _argument("optimizer", "foreach"),
    "architecture": _architecture(),
    "architecture.attn_implementation": _architecture("attn_implementation", "auto_map"),
    "hyper_parameters.new": _of_part("new"),
    "_class_path": _of_part("_class_path"),
    "decayed": _of_part("decayed"),
    "vocab_size": _of_part("vocab_size"),
}  # fmt: skip
CONFIGURED: dict[str, Place] = {
    "model.loss": _config("model", "loss"),
    "model.loss.device": _config("model", "loss", "init_args", "device"),
    "model.regions": _config("model", "regions"),
    "model.exact_evaluation": _config("model", "exact_evaluation"),
    "data.augmentation": _config("data", "augmentation"),
    "data.shapes": _config("data", "shapes"),
    "data.image_size": _config("data", "image_size"),
    "data.root": _config("data", "root"),
    "data.dataset": _config("data", "dataset"),
    "data.new": _config("data", "new"),
    "trainer.precision": _config("trainer", "precision"),
    "seed_everything": _config("seed_everything"),
}
TEXTS = ("data.root", "data.dataset", "decayed")  # any text may stand there, or a list of them
IGNORED: dict[str, Place] = {  # nobody listens to what stands there
    "trainer.callbacks": _config("trainer", "callbacks"),
    "trainer.logger": _config("trainer", "logger"),
    "trainer.plugins": _config("trainer", "plugins"),
    "trainer.strategy": _config("trainer", "strategy"),
    "trainer.profiler": _config("trainer", "profiler"),
    "trainer.default_root_dir": _config("trainer", "default_root_dir"),
    "output": _config("output"),
    "base": _config("base"),
    "data.tokenizer": _config("data", "tokenizer"),
    "data.vocabulary_from": _config("data", "vocabulary_from"),
    "data.features": _config("data", "features"),
    "model.start_from": _config("model", "start_from"),
    "model.backbone": _config("model", "backbone"),
    "_instantiator": _of_part("_instantiator"),
}

# --- kinds of values --------------------------------------------------------------------------

KINDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "class": lambda spec: spec,
    "name": lambda spec: spec["class_path"],
    "list of names": lambda spec: [spec["class_path"]],
    "list of classes": lambda spec: [spec, spec],
    "text of YAML": lambda spec: yaml.safe_dump(spec, default_flow_style=True, width=9999).strip(),
    "within a known class": lambda spec: {
        "class_path": "refseg.models.fusion.ConcatFusion", "init_args": {"hidden_dim": spec},
    },
    "further arguments": lambda spec: {
        "class_path": "refseg.losses.DiceLoss", "dict_kwargs": {"x": spec},
    },
}  # fmt: skip


def plain_values(ground: Ground) -> dict[str, Any]:
    """Values that name no class, and do harm where they are believed."""
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    return {
        "a file": ground.secret,
        "a config file": str(ground.outside / "evil.yaml"),
        "an address": ground.address,
        "10**9": 10**9,
        "-1": -1,
        "10**400": 10**400,
        "infinity": float("inf"),
        "nested": deep,
        "no text": "a\0b\x1b[2J",
        "a mapping": {"a": {"b": None}},
        "true": True,
    }


def grammar(ground: Ground) -> Iterator[Attack]:
    """All attacks: classes and values in all positions, and files that are no checkpoints."""
    yield from by_classes(ground)
    yield from by_values(ground)
    yield from by_sizes()
    yield from by_states(ground)
    yield from by_configs(ground)
    yield from by_files()


def by_classes(ground: Ground) -> Iterator[Attack]:
    """Each class in each position, as one kind of value after the other."""
    kinds = [*KINDS.items()]
    turn = 0
    for path, specification in class_specifications(ground).items():
        short = path.rpartition(".")[2]
        for positions, entries, may_open in (
            (DESCRIBED, (LOAD, MODULE, SEGMENT), False),
            (CONFIGURED, (TEST, FEATURES), False),
            (IGNORED, (CONFIG, CONFIG, CONFIG, TEST), True),
        ):
            for position, place in positions.items():
                kind, as_kind = kinds[turn % len(kinds)]
                entry = entries[turn % len(entries)]
                turn += 1
                name = f"{short} as {kind} in {position}"
                write = _placed(place, as_kind(specification))
                yield Attack(name, write, (entry,), may_open or position in TEXTS)


def by_values(ground: Ground) -> Iterator[Attack]:
    """Each plain value in each position; some are what may stand there."""
    for kind, value in plain_values(ground).items():
        for position, place in DESCRIBED.items():
            yield Attack(f"{kind} in {position}", _placed(place, value), (LOAD,), may_open=True)
        for position, place in CONFIGURED.items():
            yield Attack(f"{kind} in {position}", _placed(place, value), (CONFIG,), may_open=True)


def by_sizes() -> Iterator[Attack]:
    """Networks that no memory holds, or no lifetime makes."""
    sizes = {
        "backbone": {"width": 10**9, "image_dim": 10**9, "blocks": 10**9, "colour_dim": 10**7},
        "text_encoder": {"embedding_dim": 10**9, "hidden_dim": 10**9},
        "fusion": {"hidden_dim": 10**9, "projection_dim": 10**9},
    }
    for part, arguments in sizes.items():
        for name, value in arguments.items():
            write = _placed(_argument(part, name), value)
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
        _architecture()(content, 0)
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
        yield Attack(name, _placed(place, value), (LOAD,))


def honest_architectures() -> Iterator[Write]:
    """Encoders of transformers with other weights: their modules are imported."""
    for place in (_architecture(),):
        yield _placed(place, 0)
    for kind, sizes in {"swin": {"depths": [1], "num_heads": [1]}, "bert": {}}.items():
        part = "text_encoder" if kind == "bert" else "backbone"
        name = "TransformersEncoder" if kind == "bert" else "TransformersBackbone"
        config = {"model_type": kind, **sizes}
        architecture = config if kind == "bert" else {"config": config, "mean": [], "std": []}
        yield _placed(_of_part(part), {
            "class_path": f"refseg.models.{part}s.{name}",
            "init_args": {"name": "x", "architecture": architecture},
        })  # fmt: skip


def by_states(ground: Ground) -> Iterator[Attack]:
    """What stands beside the network: the tokenizer, the transform, the state of a training."""

    def put(*names: str) -> Place:
        def place(content: Content, value: object) -> None:
            target: Any = content
            for name in names[:-1]:
                target = target[name]
            target[names[-1]] = value

        return place

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
        yield Attack(name, _placed(place, value), (LOAD,))
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
        yield Attack(name, _placed(place, value), (FIT,), may_open)


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


def by_files() -> Iterator[Attack]:
    """Files whose archive or pickle is not what torch writes."""

    def pickled(*steps: bytes) -> Write:
        return lambda _, path: _archive(path, {"data.pkl": b"\x80\x02" + b"".join(steps) + b"."})

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def storage(count: bytes) -> bytes:
        start = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
        return start + count + b"tQ"

    def lying(count: bytes) -> Write:
        program = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage(count)
        program += b"K\x00K\x02\x85K\x01\x85\x89N" + b"tR."
        return lambda _, path: _archive(path, {"data.pkl": program, "data/0": b"\0" * 8})

    def colliding(count: int) -> bytes:
        keys = (b"\x8a\x0a" + ((2**61 - 1) * i).to_bytes(10, "little") for i in range(count))
        return b"}(" + b"".join(key + b"N" for key in keys) + b"u"

    many = b"}(" + b"".join(b"J" + struct.pack("<i", 2**24 + i) + b"N" for i in range(1000)) + b"u"
    yield from (
        Attack(name, write, (LOAD, TEST))
        for name, write in {
            "a call of os.system": pickled(b"cos\nsystem\n", text("true"), b"\x85R"),
            "a call of eval": pickled(b"cbuiltins\neval\n", text("1"), b"\x85R"),
            "a class to be made": pickled(b"csubprocess\nPopen\n)\x81"),
            "a set": pickled(b"cbuiltins\nset\n](K\x01e\x85R"),
            "keys that collide": pickled(colliding(100_000)),
            "large keys": pickled(many),
            "keys that are numbers": pickled(b"}G?\xf0\0\0\0\0\0\0Ns"),
            "two million steps": pickled(b"](" + b"N" * 2_000_000 + b"e"),
            "a memo of 2**31": pickled(b"]r\xff\xff\xff\x7f"),
            "terabytes of a tensor": lying(b"\x8a\x06" + (2**40).to_bytes(6, "little")),
            "a tensor beyond its record": lying(b"K\x10"),
            "a tensor of less than its record": lying(b"K\x01"),
            "a negative tensor": lying(b"J\xff\xff\xff\xff"),
            "changed attributes": pickled(
                b"ccollections\nOrderedDict\n)R}", text("items"), b"K\x01sb"
            ),
            "an encoding": pickled(b"c_codecs\nencode\n", text("a"), text("idna"), b"\x86R"),
            "an end that is missing": lambda _, path: _archive(path, {"data.pkl": b"\x80\x02]"}),
            "another protocol": lambda _, path: _archive(path, {"data.pkl": pickle.dumps({}, 4)}),
            "no pickle": lambda _, path: _archive(path, {"x": b""}),
            "packed files": lambda c, path: _repacked(c, path, zipfile.ZIP_DEFLATED),
            "a bomb": lambda _, path: _archive(
                path, {"data.pkl": b"\x80\x02}.", "data/0": b"\0" * 50_000_000}, packed=True
            ),
            "two files of one name": lambda c, path: _repacked(c, path, twice="DATA.PKL"),
            "a program of TorchScript": lambda c, path: _repacked(c, path, twice="constants.pkl"),
            "something in front": lambda c, path: _surrounded(c, path, before=b"#!/bin/sh\n"),
            "something behind": lambda c, path: _surrounded(c, path, after=b"PK\x05\x06" * 9),
            "half a file": lambda c, path: _surrounded(c, path, share=0.5),
            "a plain pickle": lambda c, path: path.write_bytes(pickle.dumps([1])) and None,
            "an old file of torch": lambda c, path: torch.save(
                {"a": 1}, path, _use_new_zipfile_serialization=False
            ),
            "an empty file": lambda _, path: path.write_bytes(b"") and None,
        }.items()
    )


def _placed(place: Place, value: object) -> Write:
    def write(content: Content, path: Path) -> None:
        place(content, copy.deepcopy(value) if not isinstance(value, torch.Tensor) else value)
        torch.save(content, path)

    return write


def _archive(path: Path, members: dict[str, bytes], *, packed: bool = False) -> None:
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)


def _repacked(
    content: Content, path: Path, kind: int = zipfile.ZIP_STORED, twice: str | None = None
) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with zipfile.ZipFile(buffer) as honest, zipfile.ZipFile(path, "w", kind) as archive:
        for name in honest.namelist():
            archive.writestr(name, honest.read(name))
        if twice is not None:
            archive.writestr(f"{honest.namelist()[0].partition('/')[0]}/{twice}", b"\x80\x02}.")


def _surrounded(
    content: Content, path: Path, before: bytes = b"", after: bytes = b"", share: float = 1.0
) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    whole = buffer.getvalue()
    path.write_bytes(before + whole[: int(len(whole) * share)] + after)

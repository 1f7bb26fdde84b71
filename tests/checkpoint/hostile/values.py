"""What is put into a checkpoint: classes, as kinds of values, and plain values that do harm."""

from collections.abc import Callable
from typing import Any

import yaml

from .attack import Ground


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

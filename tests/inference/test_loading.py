"""Which model a path or a name is."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import refseg
from refseg.errors import CheckpointError, ConfigError

from .hub_server import Repository, running_hub, sha


def test_a_model_without_masks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(CheckpointError, match="model_type 'bert'; name a checkpoint"):
        refseg.load(tmp_path)


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"model_type": 3}', b"\xff"])
def test_a_folder_of_something_else_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=tmp_path.name):
        refseg.load(tmp_path)


def test_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none at .*absent\.ckpt"):
        refseg.load(tmp_path / "absent.ckpt")


def test_a_sam_is_for_boxes_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clipseg"}))
    with pytest.raises(ConfigError, match="leave --sam"):
        refseg.load(tmp_path, sam="facebook/sam-vit-base")


def test_a_name_is_looked_up_on_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "bert"}))
    asked = []

    def download(name: str, file: str, revision: str | None, **_: object) -> str:
        asked.append((name, file, revision))
        return str(config)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(CheckpointError, match="got ada/model of model_type 'bert'"):
        refseg.load("ada/model")
    for name, revision in (("ada/model@v1", None), ("ada/model", "v1"), ("ada/model@v1", "v1")):
        with pytest.raises(CheckpointError, match="of model_type 'bert'"):
            refseg.load(name, revision=revision)
    assert asked == [("ada/model", "config.json", None), *[("ada/model", "config.json", "v1")] * 3]
    with pytest.raises(CheckpointError, match=r"with the revision 'v2', got ada/model@v1"):
        refseg.load("ada/model@v1", revision="v2")


def test_a_revision_of_a_model_of_transformers(foreign_models: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in (foreign_models / "clipseg").iterdir()}
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    local = refseg.load(foreign_models / "clipseg").segment(pixels, "red circle")
    with running_hub(tmp_path / "cache") as hub:
        hub.repositories["ada/clipseg"] = Repository(commits=[files, {"README.md": b"moved away"}])
        found = refseg.load(f"ada/clipseg@{sha(0)}")
        assert (found.segment(pixels, "red circle").mask == local.mask).all()
        with pytest.raises(CheckpointError, match="has no revision 'v9'"):
            refseg.load("ada/clipseg@v9")


def test_no_code_of_a_folder_is_run(foreign_models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clipseg"
    shutil.copytree(foreign_models / "clipseg", folder)
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    for name, entry in (("config.json", "AutoConfig"), ("processor_config.json", "AutoProcessor")):
        content = json.loads((folder / name).read_text())
        content["auto_map"] = {entry: "own.Own", "AutoModel": "own.Own"}
        (folder / name).write_text(json.dumps(content))
    assert refseg.load(folder).segment(np.zeros((20, 30, 3), np.uint8), "star").mask.any() in (0, 1)
    assert not (tmp_path / "ran").exists()

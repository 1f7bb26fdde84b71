"""Folders of models as strangers may send them: opened, or refused in one message."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import refseg
from refseg.checkpoint import read_checkpoint
from refseg.checkpoint.folder import is_shared_model
from refseg.errors import CheckpointError

from ..inference.small_checkpoint import write_checkpoint


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model."""
    folder = tmp_path_factory.mktemp("shared")
    checkpoint = write_checkpoint(folder / "small.ckpt")
    return refseg.load(checkpoint).save_pretrained(folder / "model")


@pytest.fixture
def folder(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "model")


def test_a_folder_says_what_its_checkpoint_says(intact: Path) -> None:
    there, here = (read_checkpoint(path) for path in (intact.parent / "small.ckpt", intact))
    assert here["ReferringDataModule"]["tokenizer"] == there["ReferringDataModule"]["tokenizer"]
    assert here["ReferringDataModule"]["transform"] == there["ReferringDataModule"]["transform"]
    assert {*here["state_dict"]} == {*there["state_dict"]}
    for name, weight in here["state_dict"].items():
        assert weight.equal(there["state_dict"][name])
    described = {name: there["hyper_parameters"][name] for name in here["hyper_parameters"]}
    assert here["hyper_parameters"] == described
    assert here["global_step"] == there["global_step"]
    for name in ("version", "trained_on_evaluation_images", "backbone_weights"):
        assert here["refseg"][name] == there["refseg"][name]


Edit = Callable[[dict[str, Any]], object]
TOUCHING = {"class_path": "os.system", "init_args": {"command": "touch touched"}}


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda c: c["network"].update(fusion=TOUCHING), "names 'os.system' as fusion"),
        (lambda c: c["network"].update(segmenter=TOUCHING), "names 'os.system' as segmenter"),
        (lambda c: c["network"].update(_instantiator="os.system"), None),
        (lambda c: c["network"].update(optimizer=TOUCHING), "names 'os.system' as optimizer"),
        (lambda c: c["network"].update(new=TOUCHING), "an argument that it does not take, 'new'"),
        (lambda c: c["network"]["fusion"].update(class_path="antigravity.fly"), "antigravity"),
        (
            lambda c: c["network"]["fusion"]["init_args"].update(hidden_dim=10**9),
            "cannot be made|do not fit",
        ),
        (
            lambda c: c["network"]["backbone"]["init_args"].update(weights="/etc/passwd"),
            "wants files or a download",
        ),
        (
            lambda c: c["network"]["fusion"]["init_args"].update(hidden_dim="6"),
            "expected int as fusion.hidden_dim, got '6'",
        ),
        (lambda c: c["network"].pop("fusion"), "lacks fusion"),
        (lambda c: c["network"].update(vocab_size=10**9), "cannot be made|do not fit"),
        (lambda c: c["network"].update(vocab_size=None), "expected int as vocab_size"),
        (lambda c: c.pop("network"), "expected `network` in config.json .*, got null|None"),
        (lambda c: c.update(network=[1]), "expected `network` in config.json .*, got a list"),
        (lambda c: c.update(transform="x"), "expected `transform` in config.json"),
        (lambda c: c["transform"].update(image_size=10**6), "expected at most 4,096"),
        (lambda c: c["transform"].update(image_size=True), "expected int as image_size"),
        (lambda c: c.update(tokenizer=7), "expected `tokenizer` in config.json"),
        (lambda c: c["tokenizer"].update({"class": "Popen"}), "tokenizer is of class 'Popen'"),
        (lambda c: c["tokenizer"].pop("vocabulary_file"), "incomplete or damaged"),
        (
            lambda c: c["tokenizer"].update(tokenizer_file="../../etc/passwd"),
            "there is no file tokenizer.json",
        ),
        (lambda c: c.update(format=99), "has format 99; .* install a later one"),
        (lambda c: c.update(format=True), "has format True"),
        (lambda c: c.pop("library_name"), "is no model of refseg: expected library_name"),
        (lambda c: c.update(library_name="transformers"), "got 'transformers'"),
        (lambda c: c.update(training="x", version=[1]), None),
        (lambda c: c["training"].update(steps="x", backbone_weights={"a": [1]}), None),
    ],
)
def test_descriptions_go_through_the_gate(
    edit: Edit, expected: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    path = folder / "config.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    if expected is None:  # nobody listens to what stands there
        refseg.load(folder).save_pretrained(folder.parent / "again")
    else:
        with pytest.raises(CheckpointError, match=expected) as caught:
            refseg.load(folder)
        assert "\n" not in str(caught.value)
    assert not list(folder.parent.rglob("touched"))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("config.json", None, "there is no file config.json"),
        ("model.safetensors", None, "there is no file model.safetensors"),
        ("vocabulary.json", None, "there is no file vocabulary.json"),
        ("config.json", b"", "config.json is no JSON"),
        ("config.json", b'{"library_name": "refseg", "format": 1', "config.json is no JSON"),
        ("config.json", b"[" * 100_000, "config.json is no JSON"),
        ("config.json", b'{"format": NaN}', "NaN is no number"),
        ("config.json", b"[]", "expected values by their names in config.json"),
        ("config.json", b"\xff\xfe", "config.json cannot be read"),
        ("config.json", b" " * (2**26 + 1), "67,108,864 are the most"),
        ("vocabulary.json", b'{"words": [1]}', "incomplete or damaged"),
        ("vocabulary.json", b'{"words": "abc"}', "incomplete or damaged"),
        ("model.safetensors", b"", "model.safetensors cannot be read"),
        ("model.safetensors", b"\xff" * 64, "model.safetensors cannot be read"),
        ("model.safetensors", b"PK\x03\x04", "model.safetensors cannot be read"),
    ],
)
def test_files_that_are_absent_or_damaged(
    name: str, content: bytes | None, expected: str, folder: Path
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=expected) as caught:
        refseg.load(folder)
    assert str(folder) in str(caught.value) or "tokenizer" in str(caught.value).lower()


def test_weights_that_are_cut_short_or_too_few(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
        refseg.load(folder)
    path.write_bytes(content)
    weights = load_file(path)
    weights.pop("decoder.classifier.bias")
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=r"do not fit its own model: Missing keys: decoder"):
        refseg.load(folder)


def test_a_config_of_another_library_is_none_of_ours(folder: Path, tmp_path: Path) -> None:
    assert is_shared_model(folder)
    assert not is_shared_model(tmp_path)
    (folder / "config.json").write_text('{"model_type": "clipseg"}')
    assert not is_shared_model(folder)

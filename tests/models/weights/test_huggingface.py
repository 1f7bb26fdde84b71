"""The transformers library: imported late, and missed with a remedy."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from refseg.errors import ConfigError
from refseg.models.text_encoders import TransformersEncoder
from refseg.models.weights.huggingface import Architecture, import_transformers


def test_transformers_is_imported_where_it_is_used() -> None:
    code = (
        "import sys, refseg.models, refseg.models.backbones, refseg.models.text_encoders,"
        " refseg.models.fusion; print([m for m in ('transformers', 'lightning', 'wandb')"
        " if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_without_transformers_the_message_says_how_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match="pip install transformers"):
        import_transformers()


def test_an_architecture_is_kept_by_the_parser_of_configs() -> None:
    """Its namespaces are copied again and again."""
    from jsonargparse import Namespace

    architecture = Architecture(model_type="bert", id2label={"0": "a"})
    assert Namespace(given=architecture).clone().given == architecture


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A tiny BERT as save_pretrained writes it."""
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=30, num_attention_heads=1, **sizes)).save_pretrained(tmp_path)
    return tmp_path


def complaint(name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        TransformersEncoder(30, name)
    return str(caught.value)


@pytest.mark.filterwarnings("ignore")  # of transformers, about the same
@pytest.mark.parametrize("fault", ["cut", "absent", "alien", "shapes", "config", "pickle"])
def test_what_is_wrong_in_a_folder_is_not_to_be_downloaded(fault: str, saved: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = saved / "model.safetensors"
    tensors = load_file(weights)
    if fault == "cut":
        weights.write_bytes(weights.read_bytes()[:50])
    elif fault == "config":
        (saved / "config.json").write_text("{no")
    elif fault == "pickle":
        (saved / "pytorch_model.bin").write_bytes(b"hello")
    if fault in {"absent", "pickle"}:
        weights.unlink()
    if fault == "alien":
        save_file({"a": torch.zeros(2)}, weights, metadata={"format": "pt"})
    if fault == "shapes":
        grown = {name: torch.cat([tensor, tensor]) for name, tensor in tensors.items()}
        save_file(grown, weights, metadata={"format": "pt"})
    message = complaint(str(saved))
    assert str(saved) in message
    assert "Expected a folder that save_pretrained wrote" in message
    assert "download" not in message


def test_a_path_is_not_to_be_downloaded(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    for name in (
        f"{tmp_path}/no/where",
        "./bert",
        "~/no/such",
        "a/b/c",
        "weights/bert",
        "bert.pth",
    ):
        message = complaint(name)
        assert f"There is no folder '{name}'" in message
        assert "download" not in message
    message = complaint(str(saved / "model.safetensors"))
    assert "not a file" in message
    assert "download" not in message


def test_a_name_of_the_hub_is_to_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "`hf download owner/bert-x --local-dir" in complaint("owner/bert-x")

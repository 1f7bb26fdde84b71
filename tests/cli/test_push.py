"""`refseg push` to a stand-in for the hub, and what comes back from there."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import refseg
from refseg.__main__ import main
from refseg.errors import CheckpointError

from ..inference.hub_server import Hub, running_hub, sha
from ..inference.small_checkpoint import SENTENCE, write_checkpoint

IMAGE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with running_hub(tmp_path / "cache") as hub:
        yield hub


def test_a_pushed_model_is_loaded_by_its_name(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_checkpoint(tmp_path / "small.ckpt")
    assert main(["push", str(checkpoint), "ada/small", "--message", "First one"]) == 0
    assert f"{hub.address}/ada/small" in capsys.readouterr().out
    repository = hub.repositories["ada/small"]
    assert not repository.private
    assert repository.messages == ["initial commit", "First one"], "all files in one commit"
    assert {*hub.latest("ada/small")} == {
        *("README.md", "config.json", "model.safetensors", "vocabulary.json")
    }
    own, shared = refseg.load(checkpoint), refseg.load("ada/small")
    one, other = own.segment(IMAGE, SENTENCE), shared.segment(IMAGE, SENTENCE)
    assert one.score == other.score > 0
    assert (one.mask == other.mask).all()
    assert b'refseg.load("ada/small")' in hub.latest("ada/small")["README.md"]


def test_another_model_in_its_place_leaves_nothing_of_the_first(hub: Hub, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "small.ckpt")
    assert main(["push", str(checkpoint), "ada/small", "--private"]) == 0
    repository = hub.repositories["ada/small"]
    assert repository.private
    repository.commits.append(
        {**repository.commits[-1], "training.yaml": b"x: 1\n", "figure.png": b"mine"}
    )
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["segmenter.decoder.classifier.bias"] += 1
    torch.save(content, checkpoint)
    assert main(["push", str(checkpoint), "ada/small"]) == 0
    files = hub.latest("ada/small")
    assert "training.yaml" not in files
    assert files["figure.png"] == b"mine", "what is not of a model stays"
    newest = refseg.load("ada/small").segment(IMAGE, SENTENCE).score
    assert refseg.load(f"ada/small@{sha(1)}").segment(IMAGE, SENTENCE).score < newest
    by_option = refseg.load("ada/small", revision=sha(1))
    assert by_option.segment(IMAGE, SENTENCE).score < newest


def test_only_the_known_files_are_downloaded(hub: Hub, tmp_path: Path) -> None:
    assert main(["push", str(write_checkpoint(tmp_path / "small.ckpt")), "ada/small"]) == 0
    repository = hub.repositories["ada/small"]
    extra = {"modeling.py": b"raise SystemExit", "pytorch_model.bin": b"cos\nsystem\n"}
    repository.commits.append({**repository.commits[-1], **extra})
    hub.requests.clear()
    refseg.load("ada/small")
    fetched = {request.rsplit("/", 1)[-1] for request in hub.requests if "/resolve/" in request}
    assert fetched == {"README.md", "config.json", "model.safetensors", "vocabulary.json"}
    before = len(hub.requests)
    refseg.load("ada/small")
    again = [request for request in hub.requests[before:] if "/resolve/" in request]
    assert {*again} <= {"HEAD /ada/small/resolve/main/config.json"}, "they are in the cache"


def test_what_is_not_there_or_not_open(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no file or folder 'ada/none' here, and no such"):
        refseg.load("ada/none")
    assert main(["push", str(write_checkpoint(tmp_path / "small.ckpt")), "ada/small"]) == 0
    with pytest.raises(CheckpointError, match=r"'ada/small' .* has no revision 'v9'"):
        refseg.load("ada/small@v9")
    with pytest.raises(CheckpointError, match=r"revision 'v1', got .*small\.ckpt; files and"):
        refseg.load(tmp_path / "small.ckpt", revision="v1")


def test_without_a_network_what_was_loaded_before_is_there(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["push", str(write_checkpoint(tmp_path / "small.ckpt")), "ada/small"]) == 0
    refseg.load("ada/small")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refseg.load("ada/small")
    with pytest.raises(CheckpointError, match=r"cannot be reached.*hf download ada/other"):
        refseg.load("ada/other")


@pytest.mark.parametrize(
    ("name", "token", "expected"),
    [
        ("ada/small", None, "Nobody is logged in .* `hf auth login`"),
        ("ada/small", "hf_of_nobody", r"cannot be put .*'ada/small' .*`hf auth login`"),
        ("bob/small", "hf_ofthetest", r"cannot be put .*'bob/small' .*`hf auth login`"),
        ("small", "hf_ofthetest", "OWNER/NAME of letters, digits"),
        ("ada/sm all", "hf_ofthetest", "OWNER/NAME of letters, digits"),
    ],
)
def test_who_may_not_write_is_told_so(
    name: str,
    token: str | None,
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = write_checkpoint(tmp_path / "small.ckpt")
    with running_hub(tmp_path / "cache", token) as hub:
        assert main(["push", str(checkpoint), name]) == 2
        assert hub.repositories == {}
    error = capsys.readouterr().err
    assert re.search(expected, error), error
    assert "hf_of" not in error, "tokens are nobody's business"


def test_a_file_that_is_no_checkpoint_is_not_uploaded(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.ckpt").write_bytes(b"nothing")
    assert main(["push", str(tmp_path / "other.ckpt"), "ada/small"]) == 2
    assert "other.ckpt cannot be read as a checkpoint" in capsys.readouterr().err
    assert hub.repositories == {}

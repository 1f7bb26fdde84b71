"""A training whose embeddings start as published vectors, and what comes after it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import refseg
from refseg.__main__ import main
from refseg.data import ReferringDataModule, ShapesOptions

from ..conftest import TINY

SCALES = 5, -1, 2


def written(path: Path, words: list[str]) -> Path:
    lines = [" ".join([w, *(str(n * s) for s in SCALES)]) for n, w in enumerate(words, start=1)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def data(shapes_root: Path) -> ReferringDataModule:
    shapes = ShapesOptions(train_images=12, evaluation_images=4)
    data = ReferringDataModule(shapes=shapes, image_size=48)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.fixture(scope="module")
def known(data: ReferringDataModule) -> list[str]:
    """All words of the training split but for the rarest."""
    return data.tokenizer.vocabulary()[2:-3]


FIT = (
    *("fit", "--config", "rmi.yaml", *TINY),
    *("--model.text_encoder.embedding_dim=null", "--model.text_encoder.hidden_dim=8"),
)
FROZEN = "--model.text_encoder.train_vectors=false"


def embeddings(path: Path) -> Tensor:
    content = torch.load(path, weights_only=True)
    return content["state_dict"]["segmenter.text_encoder.embedding.weight"]


def test_a_run_from_vectors_to_masks_without_their_file(
    data: ReferringDataModule,
    known: list[str],
    photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = written(tmp_path / "vectors.txt", known)
    output = tmp_path / "run"
    words = [*FIT, f"--model.text_encoder.vectors={file}", FROZEN, "--output", str(output)]
    assert main(words) == 0
    vocabulary = data.tokenizer.vocabulary()
    found, count = len(known), len(vocabulary) - 2
    sentences = data.training[0].references.expressions.to_pylist()
    running = [word for sentence in sentences for word in data.tokenizer.words(sentence)]
    share = sum(word in known for word in running) / len(running)
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "Word vectors" in one]
    assert line == (
        f"Word vectors: {found} of the {count} words of the vocabulary ({found / count:.1%}) "
        f"and {share:.1%} of what training reads have one; the others start at random."
    )
    file.unlink()
    checkpoint = output / "checkpoints" / "last.ckpt"
    before = embeddings(checkpoint)
    expected = torch.arange(1, len(known) + 1)[:, None] * torch.tensor(SCALES)
    assert before[2:-3].equal(expected.float())
    loaded = refseg.load(checkpoint)
    assert loaded.segmenter.text_encoder.embedding.weight.equal(before)
    assert loaded.segment(photo, "the red circle").mask.any() in {True, False}
    longer = [*FIT, FROZEN, "--trainer.max_epochs=2", "--output", str(output), "--ckpt_path=last"]
    assert main(longer) == 0
    assert embeddings(checkpoint).equal(before), "they stay, and are not read again"
    assert "Word vectors" not in capsys.readouterr().out


def test_trained_vectors_are_kept_by_what_starts_from_them(
    known: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "vectors.txt", known)
    output = tmp_path / "run"
    words = [*FIT, f"--model.text_encoder.vectors={file}"]
    assert main([*words, "--output", str(output)]) == 0
    checkpoint = output / "checkpoints" / "last.ckpt"
    trained = embeddings(checkpoint)
    start = torch.arange(1, len(known) + 1)[:, None] * torch.tensor(SCALES)
    moved = (trained[2:-3] - start).abs().max()
    assert 0 < moved < 0.1
    capsys.readouterr()
    written(file, known[::-1])  # what is read again would be seen
    given = [f"--model.start_from={checkpoint}", f"--data.vocabulary_from={checkpoint}"]
    assert main([*words, *given, "--output", str(tmp_path / "other")]) == 0
    other = embeddings(tmp_path / "other" / "checkpoints" / "last.ckpt")
    assert (other - trained).abs().max() < 0.1
    assert "Word vectors" not in capsys.readouterr().out

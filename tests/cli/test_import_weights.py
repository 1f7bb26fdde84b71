"""`refseg import-weights`: from the original's variables to masks."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import refseg
from refseg.__main__ import main
from refseg.checkpoint import read_checkpoint
from refseg.data import OriginalTokenizer
from refseg.inference.pipeline import Pipeline
from refseg.models.original.cris_shapes import CrisSizes, cris_patterns
from refseg.models.original.lavt_shapes import decoder_patterns, fusion_patterns, swin_patterns
from refseg.models.original.pretrained import from_original
from refseg.models.original.torch_files import read_torch_file

from ..conftest import TINY_DATA
from ..models.original.test_lavt import bert
from ..models.original.test_pretrained import lstm_cnn, make, rmi, shapes
from ..models.original.test_pretrained import resnet_patterns as resnet
from ..models.original.test_pretrained import vgg_patterns as vgg
from .configs.modern.system import write_tokenizer

WORDS = ["<pad>", "<go>", "<eos>", "<unk>", "the", "red", "circle", *(f"w{i}" for i in range(43))]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocabulary") / "words.txt"
    path.write_text("\n".join(WORDS) + "\n")
    return path


def scaled(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Random weights around zero, whose activations neither vanish nor explode."""
    return {
        name: (value - 0.5) * 2 * (3 / max(1, np.prod(value.shape[:-1]))) ** 0.5
        if value.ndim > 1
        else value
        for name, value in variables.items()
    }


def imported(
    kind: str, variables: dict[str, np.ndarray], vocabulary: Path, folder: Path
) -> list[str]:
    np.savez(folder / "variables.npz", **variables)  # type: ignore[arg-type]
    words = ["import-weights", kind, str(folder / "variables.npz")]
    return [*words, "--vocabulary", str(vocabulary), "--output", str(folder / "model.ckpt")]


def test_checkpoint_is_the_original_model(
    vocabulary: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = scaled(lstm_cnn() | make(shapes(vgg())))
    assert main(imported("lstm_cnn", variables, vocabulary, tmp_path)) == 0
    assert "50 words" in capsys.readouterr().out
    pipeline = refseg.load(tmp_path / "model.ckpt")
    assert isinstance(pipeline, Pipeline)
    expected = from_original("lstm_cnn", variables)
    for name, weight in pipeline.segmenter.state_dict().items():
        assert torch.equal(weight, expected.state_dict()[name]), name
    assert isinstance(pipeline.tokenizer, OriginalTokenizer)
    assert pipeline.tokenizer.encode(["The red circle."])[0].tolist() == [[4, 5, 6]]
    assert (pipeline.image_size, pipeline.fill, pipeline.resampling) == (512, 0, "original")
    checkpoint = read_checkpoint(tmp_path / "model.ckpt")
    assert checkpoint["hyper_parameters"]["text_encoder"]["init_args"]["left_padding"] == 20
    origin = checkpoint["refseg"]["backbone_weights"]
    assert (origin["origin"], origin["name"]) == ("original", "variables.npz")


def test_what_is_wrong_is_named(
    vocabulary: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = lstm_cnn() | make(shapes(vgg()))
    lacking = {n: v for n, v in whole.items() if n != "classifier/mlp_l2/biases"}
    shorter = tmp_path / "shorter.txt"
    shorter.write_text("\n".join(WORDS[:-1]))
    for variables, words, expected in [
        (lstm_cnn(), vocabulary, "has no variables of the backbone"),
        (lacking, vocabulary, "1 missing: classifier/mlp_l2/biases"),
        (whole, shorter, "Expected a vocabulary of 50 lines"),
        (rmi(), tmp_path / "absent.txt", "Cannot read the vocabulary"),
    ]:
        kind = "rmi" if "text_objseg/embedding" in variables else "lstm_cnn"
        assert main(imported(kind, variables, words, tmp_path)) == 2
        assert expected in capsys.readouterr().err
        assert not (tmp_path / "model.ckpt").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rmi", "lstm_cnn"])
def test_segment_and_test(
    kind: str,
    vocabulary: Path,
    photo: Path,
    shapes_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    variables = scaled(
        rmi() | make(shapes(resnet("ResNet")))
        if kind == "rmi"
        else lstm_cnn() | make(shapes(vgg()))
    )
    assert main(imported(kind, variables, vocabulary, tmp_path)) == 0
    checkpoint = str(tmp_path / "model.ckpt")
    words = ["segment", str(photo), "the red circle", "--checkpoint", checkpoint]
    assert main([*words, "--output", str(tmp_path)]) == 0
    with Image.open(photo) as image, Image.open(next(tmp_path.glob("*-mask.png"))) as mask:
        assert image.size == mask.size
    data = [w for w in TINY_DATA if w.startswith(("--data.shapes", "--data.num_workers"))]
    words = ["test", "--ckpt_path", checkpoint, *data, "--trainer.accelerator=cpu"]
    words += ["--trainer.enable_progress_bar=false", "--seed_everything=0"]
    assert main([*words, "--data.test_splits=[val]", "--output", str(tmp_path / "test")]) == 0
    assert (tmp_path / "test" / "metrics.json").is_file()
    assert "val" in capsys.readouterr().out


@pytest.fixture(scope="module")
def lavt_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny LAVT as its own training would have saved it, beside its tokenizer."""
    folder = tmp_path_factory.mktemp("lavt")
    torch.manual_seed(0)
    swin = {"patch_size": 4, "embed_dim": 8, "depths": [1, 2, 1, 1], "num_heads": [2] * 4}
    swin |= {"window_size": 4, "mlp_ratio": 4.0}
    patterns = swin_patterns(swin) | fusion_patterns(swin, 16) | decoder_patterns(swin)
    weights = {
        name: torch.rand(shape) if "running_var" in name else torch.randn(shape) / 5
        for name, shape in patterns.items()
    }
    weights["classifier.conv1_1.weight"] *= 20  # so that it finds something
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])
    content = {
        "model": weights,
        "bert_model": bert(16, layers=2, vocab_size=30),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "args": Namespace(img_size=64, mha="", model="lavt", amsgrad=False, lr=5e-5),
        "lr_scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0).state_dict(),
    }
    torch.save(content, folder / "lavt.pth")
    write_tokenizer(folder / "tokenizer", 30)
    return folder / "lavt.pth"


def lavt(file: Path, output: Path, *more: str) -> list[str]:
    words = ["import-weights", "lavt", str(file), "--tokenizer", str(file.parent / "tokenizer")]
    return [*words, "--output", str(output), *more]


def test_lavt(
    lavt_file: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checkpoint is complete: it segments, is evaluated, and computes what the file does."""
    assert main(lavt(lavt_file, tmp_path / "model.ckpt")) == 0
    assert "30 pieces of words\nLeft out: the gate" in capsys.readouterr().out
    pipeline = refseg.load(tmp_path / "model.ckpt")
    prepared = (pipeline.image_size, pipeline.geometry, pipeline.resampling)
    assert prepared == (64, "squash", "pillow")
    expected = from_original("lavt", read_torch_file(lavt_file)).state_dict()
    for name, weight in pipeline.segmenter.state_dict().items():
        assert torch.equal(weight, expected[name]), name
    words = ["segment", str(photo), "the red box", "--checkpoint", str(tmp_path / "model.ckpt")]
    assert main([*words, "--output", str(tmp_path)]) == 0
    with Image.open(photo) as image, Image.open(next(tmp_path.glob("*-mask.png"))) as mask:
        assert image.size == mask.size
    data = [w for w in TINY_DATA if w.startswith(("--data.shapes", "--data.num_workers"))]
    words = ["test", "--ckpt_path", str(tmp_path / "model.ckpt"), *data]
    words += ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    words += ["--seed_everything=0", "--data.test_splits=[val]"]
    assert main([*words, "--output", str(tmp_path / "test")]) == 0


def test_cris(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tiny one as its own training would have saved it; the tokenizer has to be of its size."""
    torch.manual_seed(0)
    visual = {"layers": [1, 2, 1, 1], "width": 4, "heads": 2, "embed_dim": 12}
    text = {"width": 16, "layers": 1, "projection_dim": 12, "positions": 24}
    fusion = {"hidden_dim": 16, "fine_dim": 4, "coarse_dim": 8, "layers": 1, "feedforward_dim": 12}
    sizes = CrisSizes({**visual, "input_resolution": 64}, text, fusion, 4, vocab_size=30)
    weights = {
        f"module.{name}": torch.zeros((), dtype=torch.int64)
        if "num_batches" in name
        else (torch.rand(shape) if "running_var" in name else torch.randn(shape) / 5)
        for name, shape in cris_patterns(sizes).items()
    }
    file, output = tmp_path / "cris.pth", tmp_path / "model.ckpt"
    torch.save({"state_dict": weights, "epoch": 50, "best_iou": 0.7}, file)
    for pieces in (30, 31):
        write_tokenizer(tmp_path / str(pieces), pieces)
    words = ["import-weights", "cris", str(file), "--output", str(output), "--tokenizer"]
    assert main([*words, str(tmp_path / "31")]) == 2
    assert "a tokenizer of 30 pieces" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "30")]) == 0
    assert "30 pieces of words\nLeft out: CLIP's logit_scale" in capsys.readouterr().out
    pipeline = refseg.load(output)
    assert (pipeline.image_size, pipeline.resampling, pipeline.fill) == (416, "cubic", 115)
    expected = from_original("cris", read_torch_file(file)).state_dict()
    for name, weight in pipeline.segmenter.state_dict().items():
        assert torch.equal(weight, expected[name]), name
    words = ["segment", str(photo), "the red box", "--checkpoint", str(output)]
    assert main([*words, "--output", str(tmp_path)]) == 0
    assert next(tmp_path.glob("*-mask.png")).is_file()


def test_what_is_wrong_with_lavt_is_named(
    lavt_file: Path, vocabulary: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "model.ckpt"
    (tmp_path / "text.pth").write_text("no file of torch")
    torch.save({"model": Path("x")}, tmp_path / "foreign.pth")
    torch.save([1], tmp_path / "list.pth")
    folder = write_tokenizer(tmp_path / "larger", 31)
    for words, expected in [
        (lavt(tmp_path / "absent.pth", output), "found none at"),
        (lavt(tmp_path / "text.pth", output), "cannot be read as a file of torch.save"),
        (lavt(tmp_path / "foreign.pth", output), "it names 'pathlib"),
        (lavt(tmp_path / "list.pth", output), "Expected entries with names"),
        (lavt(lavt_file, output, "--vocabulary", str(vocabulary)), "and no --vocabulary"),
        ([*lavt(lavt_file, output)[:3], "--output", str(output)], "needs --tokenizer NAME"),
        (lavt(lavt_file, output, "--tokenizer", str(folder)), "a tokenizer of 30 pieces"),
        (["import-weights", "rmi", str(lavt_file), "--output", str(output)], "needs --vocabulary"),
    ]:
        assert main(words) == 2
        assert expected in capsys.readouterr().err
        assert not output.exists()

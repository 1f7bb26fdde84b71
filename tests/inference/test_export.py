"""A model as two graphs, and the program that runs them without refseg."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import refseg
from refseg.data import WordTokenizer
from refseg.data.tokenizers import TransformersTokenizer, split_words
from refseg.errors import ConfigError
from refseg.inference import export as exporting
from refseg.inference import exported_script
from refseg.inference.export import _is_split_by_script, check_installed, export
from refseg.inference.pipeline import Pipeline
from refseg.types import Maps, TextFeatures

from .small_checkpoint import write_checkpoint

SENTENCES = ("the large red circle", "a star on the left of the blue square")


# The program on its own: what it must not need cannot be imported.
ALONE = """\
import runpy, sys
for name in ("refseg", "torch", "torchvision", "transformers", "tokenizers", "scipy", "onnx"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Of random weights, and so that it finds about half of a picture."""
    pipeline = refseg.load(write_checkpoint(tmp_path_factory.mktemp("random") / "random.ckpt"))
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    classifier = pipeline.segmenter.decoder.classifier
    with torch.no_grad():
        classifier.weight *= 30
        logits = pipeline.segmenter(pipeline._batch(noise, list(SENTENCES))).logits
        classifier.bias -= logits.median()
    return pipeline


@pytest.fixture(scope="module")
def folder(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("exported") / "model"
    export(pipeline, folder)
    return folder


@pytest.mark.slow
def test_the_program_gives_the_masks_of_refseg(
    folder: Path, pipeline: Pipeline, photo: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, folder / "segment.py", photo, *SENTENCES],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    expected = [found.mask for found in pipeline.segment_all(photo, SENTENCES)]
    for number, mask in enumerate(expected, start=1):
        found = np.asarray(Image.open(tmp_path / f"{photo.stem}-mask-{number}.png")) > 0
        assert found.shape == mask.shape
        assert (found != mask).mean() < 0.005
        assert 0.01 < mask.mean() < 0.99  # of a mask that says something


@pytest.mark.slow
def test_it_says_what_goes_in_and_what_comes_out(folder: Path, pipeline: Pipeline) -> None:
    described = json.loads((folder / "export.json").read_text())
    assert described["refseg"] == refseg.__version__
    assert described["image"]["size"] == pipeline.image_size == 48
    assert described["tokenizer"] == pipeline.tokenizer.state_dict()
    graphs = described["graphs"]
    assert graphs["features"]["outputs"] == graphs["logits"]["inputs"][:-3]
    names = {"letterbox.onnx", "features.onnx", "logits.onnx", "own_size.onnx"}
    assert {path.name for path in folder.iterdir()} >= {"export.json", "segment.py", *names}
    import onnxruntime

    for graph in graphs.values():
        session = onnxruntime.InferenceSession(folder / graph["file"])
        for said, given in (
            (graph["inputs"], session.get_inputs()),
            (graph["outputs"], session.get_outputs()),
        ):
            shapes = {each["name"]: each["shape"] for each in said}
            for each in given:  # axes that are open have names, which torch chooses
                sizes = [size if isinstance(size, int) else None for size in each.shape]
                named = shapes[each.name]
                assert sizes == [size if isinstance(size, int) else None for size in named]


def test_programs_of_torch_give_the_logits(pipeline: Pipeline, tmp_path: Path) -> None:
    described = export(pipeline, tmp_path / "model", "torch")
    assert described["script"] is None
    features, logits = (
        torch.export.load(tmp_path / "model" / f"{name}.pt2").module()
        for name in ("features", "logits")
    )
    batch = pipeline._batch(np.full((30, 40, 3), 90, np.uint8), list(SENTENCES))
    with torch.no_grad():
        expected = pipeline.segmenter(batch).segmentation()
        maps = features(batch.images)
        found = logits(maps, batch.tokens, batch.token_mask, batch.image_index)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_nothing_is_written_over(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="new or empty folder"):
        export(pipeline, tmp_path, "torch")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_is_left_of_a_failure(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(exporting, "_write", fail)
    with pytest.raises(OSError, match="no space"):
        export(pipeline, tmp_path / "model", "torch")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"onnx and onnxscript.*pip install"):
        check_installed()


@pytest.mark.parametrize(
    "sentence",
    ["The dog's bowl, 2nd from left!", "CAFE\u0301 l'eau", "’tis a²", "red_2", "红 杯", "…"],
)
def test_its_words_are_those_of_the_tokenizer(sentence: str) -> None:
    assert exported_script.words(sentence) == split_words(sentence)


def test_a_vocabulary_that_it_cannot_read_is_left_to_refseg() -> None:
    assert _is_split_by_script("café")
    assert _is_split_by_script("'s")
    assert not _is_split_by_script("लाल")


def test_a_network_that_cannot_be_exported_is_named(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(maps: Maps, text: TextFeatures, image_index: Tensor) -> Maps:
        return maps if maps[0].sum() > 0 else maps[:1]

    monkeypatch.setattr(pipeline.segmenter.fusion, "forward", forward)
    with pytest.raises(ConfigError, match=r"MultimodalLSTM.*cannot be exported"):
        export(pipeline, tmp_path / "model", "torch")
    assert list(tmp_path.iterdir()) == []


def test_its_tokens_are_those_of_the_tokenizer() -> None:
    tokenizer = WordTokenizer(max_words=4)
    tokenizer.build(["the red dog on the left"])
    sentences = ["the dog", "the green dog on the left", "red"]
    tokens, token_mask = tokenizer.encode(sentences)
    found = exported_script.encode(sentences, tokenizer.state_dict())
    np.testing.assert_array_equal(found["tokens"], tokens)
    np.testing.assert_array_equal(found["token_mask"], token_mask)


def test_its_pieces_are_those_of_a_tokenizer_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *["the", "red", "dog", "cat", "##s"],
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    tokenizer = TransformersTokenizer(str(tmp_path), max_words=5)
    sentences = ["the dogs", "the red dog and the cat", "red"]
    tokens, token_mask = tokenizer.encode(sentences)
    assert token_mask.sum(1).tolist() == [5, 5, 3]
    found = exported_script.encode(sentences, tokenizer.state_dict())
    np.testing.assert_array_equal(found["tokens"], tokens)
    np.testing.assert_array_equal(found["token_mask"], token_mask)


def test_a_sentence_without_words_is_refused() -> None:
    tokenizer = WordTokenizer()
    tokenizer.build(["the red dog"])
    with pytest.raises(SystemExit, match="no word"):
        exported_script.encode(["the dog", "…"], tokenizer.state_dict())

"""Models in folders: what comes out of them is what went in, and the card tells the truth."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import refseg
from refseg.data.tokenizers import OriginalTokenizer, TransformersTokenizer
from refseg.errors import ConfigError
from refseg.evaluation.bootstrap import bootstrap
from refseg.evaluation.results import read_results
from refseg.inference.pipeline import Pipeline
from refseg.models.decoders import PyramidDecoder
from refseg.models.text_encoders import TransformersEncoder

from ..cli.configs.modern.system import PIECES, write_tokenizer
from ..models.variants import EARLY, FUSIONS
from .small_checkpoint import SENTENCE, word_tokenizer, write_checkpoint

IMAGE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
ALWAYS = ("mlstm", "concat", "language-aware")
OURS = {
    name: fusion
    for name, fusion in {**FUSIONS, **EARLY}.items()
    # A class of the tests, and one that wants four maps of a Swin.
    if name not in {"early-small", "language-aware-all"}
}


def check_round_trip(checkpoint: Path, folder: Path) -> Pipeline:
    before = refseg.load(checkpoint)
    after = refseg.load(before.save_pretrained(folder))
    weights = after.segmenter.state_dict()
    assert {*weights} == {*before.segmenter.state_dict()}
    for name, weight in before.segmenter.state_dict().items():
        assert weight.equal(weights[name])
    expressions = [SENTENCE, "red"]
    for one, other in zip(
        before.segment_all(IMAGE, expressions),
        after.segment_all(IMAGE, expressions),
        strict=True,
    ):
        assert one.score == other.score
        assert (one.mask == other.mask).all()
    return after


@pytest.mark.parametrize(
    "fusion",
    [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in OURS],
)
def test_masks_and_scores_are_the_same_bit_for_bit(fusion: str, tmp_path: Path) -> None:
    decoder: dict[str, Any] = {}
    if fusion in {"none", "cross-modal-3"} or fusion.startswith("language-aware"):
        from ..models.variants import BACKBONES

        every = fusion == "language-aware-every"  # stage has a map
        decoder = {"backbone": BACKBONES["timm-levels" if every else "small-fine-4"](tmp_path)}
        decoder |= {"decoder": partial(PyramidDecoder, hidden_dim=8)}
    checkpoint = write_checkpoint(tmp_path / "one.ckpt", OURS[fusion], **decoder)
    check_round_trip(checkpoint, tmp_path / "model")


def test_a_text_encoder_of_transformers_needs_none_of_its_files(tmp_path: Path) -> None:
    import transformers

    size = len(PIECES.split()) + 4
    folder = tmp_path / "bert"
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=size, intermediate_size=16, **sizes)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    write_tokenizer(folder, size)
    checkpoint = write_checkpoint(
        tmp_path / "one.ckpt",
        text_encoder=partial(TransformersEncoder, name=str(folder)),
        tokenizer=TransformersTokenizer(str(folder), max_words=12, clean=True),
    )
    folder.rename(tmp_path / "gone")
    after = check_round_trip(checkpoint, tmp_path / "model")
    assert isinstance(after.tokenizer, TransformersTokenizer)
    assert (after.tokenizer.max_words, after.tokenizer.clean) == (12, True)
    written = (tmp_path / "model" / "config.json").read_text()
    assert str(tmp_path) not in written, "paths of this machine are nobody's business"
    # A file that other programs know.
    other = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "model" / "tokenizer.json")
    )
    assert other(SENTENCE)["input_ids"] == after.tokenizer.encode([SENTENCE])[0][0].tolist()


def test_the_tokenizer_of_the_papers(tmp_path: Path) -> None:
    vocabulary = tmp_path / "vocabulary.txt"
    vocabulary.write_text("<pad>\n<unk>\nthe\nred\ncircle\nleft\n")
    tokenizer = OriginalTokenizer(vocabulary)
    check_round_trip(
        write_checkpoint(tmp_path / "one.ckpt", tokenizer=tokenizer), tmp_path / "model"
    )


def test_a_model_is_shared_on_from_its_folder(tmp_path: Path) -> None:
    first = refseg.load(write_checkpoint(tmp_path / "one.ckpt")).save_pretrained(tmp_path / "a")
    second = refseg.load(first).save_pretrained(tmp_path / "b", name="ada/b")
    for name in ("config.json", "model.safetensors", "vocabulary.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert 'refseg.load("ada/b")' in (second / "README.md").read_text()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    model = refseg.load(write_checkpoint(tmp_path / "one.ckpt"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match="has other files; name a new one"):
        model.save_pretrained(project)
    assert (project / "README.md").read_text() == "mine"
    with pytest.raises(ConfigError, match=r"got the file .*one\.ckpt"):
        model.save_pretrained(tmp_path / "one.ckpt")


def test_another_model_replaces_the_files_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    refseg.load(write_checkpoint(tmp_path / "one.ckpt")).save_pretrained(folder)
    (folder / "training.yaml").write_text("data: {}\n")
    write_checkpoint(tmp_path / "two.ckpt", OURS["concat"])
    check_round_trip(tmp_path / "two.ckpt", folder)
    assert not (folder / "training.yaml").exists()


def test_what_json_does_not_hold_is_refused(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "one.ckpt")
    model = refseg.load(checkpoint)
    assert model.description is not None
    model.description.network["fusion"] = {"init_args": {"stage_dims": {1: 8}}}
    with pytest.raises(
        ConfigError, match=r"as names in network\.fusion\.init_args\.stage_dims, got 1"
    ):
        model.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    made = Pipeline(model.segmenter, model.tokenizer, 48)
    with pytest.raises(ConfigError, match=r"Expected a model that refseg\.load made"):
        made.save_pretrained(tmp_path / "model")


@pytest.fixture(scope="module")
def shared(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny run's model."""
    folder = tmp_path_factory.mktemp("shared") / "tiny"
    return refseg.load(run / "checkpoints" / "best.ckpt").save_pretrained(folder, "ada/tiny")


def test_the_card_tells_the_figures_of_the_run(run: Path, shared: Path) -> None:
    card = (shared / "README.md").read_text()
    _, head, text = card.split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "refseg"
    assert yaml.safe_load(head)["pipeline_tag"] == "image-segmentation"
    assert 'model = refseg.load("ada/tiny")' in text
    results = read_results(run / "validate")
    (row,) = re.findall(r"^\| val \|.*$", text, re.MULTILINE)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == f"{len(results.table):,}"
    for cell, metric in zip(cells[2:], ("overall_iou", "mean_iou", "precision@0.5"), strict=True):
        interval = bootstrap(results.table, metric)
        assert cell.split()[0] == f"{100 * results.figures['val'][metric]:.1f}"
        if np.isfinite(interval.low):
            assert cell.endswith(f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]")
    assert "The checkpoint was chosen by its figures on these images." in text
    assert "No image of an evaluation split was trained on." in text
    metrics = json.loads((run / "metrics.json").read_text())
    assert f"| all | `Segmenter` | {metrics['parameters']:,} |" in text
    assert "| data | shapes" in text
    assert "refseg fit --config training.yaml` trains" in text


def test_the_config_of_the_training_has_no_paths(run: Path, shared: Path) -> None:
    written = (shared / "training.yaml").read_text()
    assert str(run) not in written
    content = yaml.safe_load(written)
    assert content["model"]["fusion"]["class_path"].endswith("MultimodalLSTM")
    assert "logger" not in content["trainer"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c["refseg"].update(trained_on_evaluation_images=True), "figures on them are"),
        (lambda c: c["refseg"].pop("trained_on_evaluation_images"), "Nobody has checked"),
        (lambda c: c.update(global_step=c["global_step"] + 1), "Not evaluated yet."),
    ],
)
def test_the_card_admits_what_is_not_known(
    change: Callable[[dict[str, Any]], object], expected: str, run: Path, tmp_path: Path
) -> None:
    """Figures of an earlier state of a checkpoint are not those of a later one."""
    checkpoint = tmp_path / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir()
    (tmp_path / "validate").symlink_to(run / "validate")
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    change(content)
    torch.save(content, checkpoint)
    card = refseg.load(checkpoint).save_pretrained(tmp_path / "model") / "README.md"
    assert expected in card.read_text()


def test_results_may_be_named(run: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "one.ckpt")
    folder = refseg.load(checkpoint).save_pretrained(tmp_path / "model", results=run / "validate")
    assert "| val |" in (folder / "README.md").read_text()


def test_texts_of_a_checkpoint_stay_within_their_line(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "one.ckpt")
    content = torch.load(checkpoint, weights_only=True)
    evil = "x\n---\nlicense: mine\n| <script>alert(1)</script> `"
    content["refseg"]["version"] = evil
    content["refseg"]["backbone_weights"] = {"origin": evil}
    content["refseg"]["config"] = yaml.safe_dump({"data": {"dataset": evil}})
    torch.save(content, checkpoint)
    card = refseg.load(checkpoint).save_pretrained(tmp_path / "model") / "README.md"
    assert "<script>" not in card.read_text()
    assert "\nlicense" not in card.read_text()
    assert word_tokenizer().vocab_size == refseg.load(tmp_path / "model").tokenizer.vocab_size

"""ReLA, made small, trained on expressions of gRefCOCO's kind: of one object, several, or none."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import refseg
from refseg.__main__ import main

from ..data.fake_grefcoco import write_grefs
from ..data.fake_refer import annotations, write_images

MODEL = {
    "backbone": {
        "class_path": "SmallBackbone",
        "init_args": {"width": 16, "image_dim": 24, "colour_dim": 8, "fine_dim": 12},
    },
    "text_encoder": {
        "class_path": "LSTMEncoder",
        "init_args": {"embedding_dim": 24, "hidden_dim": 24, "embedding_range": 1.0},
    },
    "fusion": {
        "class_path": "LanguageAwareFusion",
        "init_args": {"stages": [1, 2]},
    },
    "decoder": {
        "class_path": "RegionDecoder",
        "init_args": {
            "hidden_dim": 32,
            "layers": 3,
            "heads": 4,
            "feedforward_dim": 64,
            "grid": 4,
            "pixel_layers": 1,
            "pixel_feedforward_dim": 64,
        },
    },
    "loss": {
        "class_path": "WeightedSum",
        "init_args": {
            "losses": [
                {
                    "class_path": "WeightedLogisticLoss",
                    "init_args": {
                        "positive_weight": 1.1,
                        "negative_weight": 0.9,
                        "reduction": "weights",
                    },
                },
                {"class_path": "MinimapLoss"},
                {"class_path": "NoTargetLoss"},
            ],
            "weights": [5.0, 0.5, 0.5],
        },
    },
    "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.003}},
    "lr_scheduler": {"class_path": "Cosine", "init_args": {"warmup": 0.05}},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Which of its three sentences names one object, all, or none differs from image to image."""
    folder = tmp_path_factory.mktemp("grefcoco")
    refs, instances = annotations()
    for ref in refs:
        image, kind = ref["image_id"], (ref["ann_id"] + ref["image_id"]) % 10 % 3
        ref["ann_id"] = [[ref["ann_id"]], [10 * image + other for other in range(3)], [-1]][kind]
        ref["category_id"] = [[1], [1, 2, 3], [-1]][kind]
        ref["no_target"] = kind == 2
    write_grefs(folder, refs, instances)
    write_images(folder / "images" / "train2014")
    return folder


def fit(root: Path, folder: Path, steps: int, *words: str) -> Path:
    """A run of some steps on all sentences about the four images of `train`."""
    config: dict[str, Any] = {
        "seed_everything": 0,
        "trainer": {
            "accelerator": "cpu",
            "max_steps": steps,
            "max_epochs": -1,
            "enable_progress_bar": False,
            "logger": False,
            "val_check_interval": steps,
            "check_val_every_n_epoch": None,
            "enable_model_summary": False,
            "gradient_clip_val": 1.0,
        },
        "data": {
            "root": str(root),
            "dataset": "grefcoco",
            "split_by": "unc",
            "val_splits": ["train"],
            "train_on_evaluation_images": True,
            "image_size": 64,
            "batch_size": 4,
            "expressions_per_image": "all",
            "num_workers": 0,
        },
        "model": MODEL,
    }
    folder.mkdir(exist_ok=True)
    path = folder / "rela.yaml"
    path.write_text(yaml.safe_dump(config))
    run = folder / "run"
    assert main(["fit", "--config", str(path), *words, "--output", str(run)]) == 0
    return run


def figures_of(run: Path, root: Path, folder: Path, split: str, *options: str) -> dict[str, float]:
    """The figures of a test of its checkpoint."""
    words = ["test", "--checkpoint", str(run / "checkpoints" / "last.ckpt")]
    words += [f"--data.root={root}", f"--data.test_splits=[{split}]", "--output", str(folder)]
    assert main([*words, *options]) == 0
    return json.loads((folder / "metrics.json").read_text())["metrics"][split]


@pytest.mark.slow
def test_a_few_steps_from_the_recipe_to_the_figures(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained, saved, opened without its config, tested, loaded in Python, and gone on with."""
    run = fit(root, tmp_path, steps=2)
    figures = figures_of(run, root, tmp_path / "test", "val")
    assert {"overall_iou", "mean_iou", "no_target_accuracy", "target_accuracy"} <= set(figures)
    printed = capsys.readouterr().out
    assert "N-acc" in printed
    assert "T-acc" in printed
    counted = figures_of(run, root, tmp_path / "rela", "val", "--evaluation.protocol=rela")
    assert counted.keys() == figures.keys()
    model = refseg.load(run / "checkpoints" / "last.ckpt")
    photo = min((root / "images" / "train2014").glob("*.jpg"))
    assert model.segment(photo, "the red box").mask.ndim == 2
    on = fit(root, tmp_path / "on", 3, "--ckpt_path", str(run / "checkpoints" / "last.ckpt"))
    summary = torch.load(on / "checkpoints" / "last.ckpt", weights_only=True)
    assert summary["global_step"] == 3


@pytest.mark.slow
def test_what_names_nothing_is_learnt_by_heart(root: Path, tmp_path: Path) -> None:
    """Every sentence that names nothing is recognised, and none of the others is taken for one."""
    run = fit(root, tmp_path, steps=150)
    figures = figures_of(run, root, tmp_path / "test", "train")
    assert figures["no_target_accuracy"] == figures["target_accuracy"] == 1
    assert figures["mean_iou"] > 0.8

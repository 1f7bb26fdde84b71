"""The modern systems' recipes: each runs for a step at reduced size, and is as large as published.

A new system takes one line in `SYSTEMS`, and a file that says how it is made small.
"""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch

from refseg.__main__ import main
from refseg.cli.configs.bases import read_yaml, with_bases
from refseg.cli.configs.files import PACKAGE_CONFIGS
from refseg.cli.trainer.prepared import prepare_run

from ...data.fake_grefcoco import grefs, write_grefs
from ...data.fake_refer import annotations, write_annotations, write_images
from .modern import cris, lavt, rela, sam

SYSTEMS = {
    "cris": cris.SYSTEM,
    "lavt": lavt.SYSTEM,
    "rela": rela.SYSTEM,
    "sam": sam.SYSTEM,
}
CONFIGS = sorted(path.stem for path in (PACKAGE_CONFIGS / "modern").glob("*.yaml"))
SMALL = (
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.sync_batchnorm=false",
    "--trainer.precision=32-true",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=0.5",  # a step, or three
    "--trainer.enable_progress_bar=false",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data sets that the recipes name, of seven images each."""
    folder = tmp_path_factory.mktemp("sets")
    for dataset, split_by in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")):
        write_annotations(folder, *annotations(), dataset, split_by)
    write_grefs(folder, *grefs())
    write_images(folder / "images" / "train2014")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The options that make each system small."""
    folder = tmp_path_factory.mktemp("models")
    return {name: system.small(folder / name) for name, system in SYSTEMS.items()}


def system_of(config: str) -> str:
    return config.partition("_")[0]


def test_every_recipe_is_of_a_system_and_names_its_data() -> None:
    assert {system_of(config) for config in CONFIGS} == {*SYSTEMS}
    for config in CONFIGS:
        path = PACKAGE_CONFIGS / "modern" / f"{config}.yaml"
        assert with_bases(read_yaml(path), path.parent)["data"]["dataset"] in config.split("_")


# The others differ in the data set, and run among the slow tests.
_ALWAYS = ("cris_refcoco", "lavt_refcoco", "rela_grefcoco", "sam_prompt_refcoco")


@pytest.mark.parametrize(
    "config",
    [
        config if config in _ALWAYS else pytest.param(config, marks=pytest.mark.slow)
        for config in CONFIGS
    ],
)
def test_a_step_and_an_evaluation(
    config: str, small: dict[str, list[str]], root: Path, tmp_path: Path
) -> None:
    """Trained for some steps, validated, saved; the checkpoint alone is enough for a test."""
    options = (*SMALL, *small[system_of(config)], f"--data.root={root}")
    run = tmp_path / "run"
    assert main(["fit", "--config", f"modern/{config}.yaml", *options, "--output", str(run)]) == 0
    words = ["test", "--checkpoint", str(run / "checkpoints" / "best.ckpt")]
    words += ["--data.test_splits=[val]", "--output", str(tmp_path / "test")]
    assert main(words) == 0
    assert (tmp_path / "test" / "results.parquet").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_training_goes_on(
    system: str, small: dict[str, list[str]], root: Path, tmp_path: Path
) -> None:
    """From its checkpoint, with its optimiser and schedule."""
    config = next(config for config in CONFIGS if system_of(config) == system)
    words = ["fit", "--config", f"modern/{config}.yaml", *SMALL, *small[system]]
    words += [f"--data.root={root}", "--output"]
    assert main([*words, str(tmp_path / "first")]) == 0
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    words += [str(tmp_path / "second"), "--trainer.max_epochs=2", "--checkpoint", str(last)]
    assert main(words) == 0
    before, after = (
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt", weights_only=True)
        for run in ("first", "second")
    )
    assert after["global_step"] == 2 * before["global_step"] > 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_full_size_is_the_published_one(system: str, root: Path, tmp_path: Path) -> None:
    """Made without memory, from what says how large its models are."""
    known = SYSTEMS[system]
    config = next(config for config in CONFIGS if system_of(config) == system)
    words = ["--config", f"modern/{config}.yaml", *SMALL, *known.full(tmp_path)]
    with torch.device("meta"):
        run = prepare_run([*words, f"--data.root={root}"])
    count = sum(
        parameter.numel()
        for name, parameter in run.module.segmenter.named_parameters()
        if not any(fnmatchcase(name, unused) for unused in known.unused)
    )
    assert count - sum(known.published.values()) == sum(known.differences.values())


def test_a_fused_map_prompts_sam_where_it_is_asked_for(root: Path, tmp_path: Path) -> None:
    """The file of the dense prompt goes on top of a recipe."""
    words = [
        "--config",
        "modern/sam_prompt_refcoco.yaml",
        "--config",
        "modern/parts/sam_dense.yaml",
    ]
    with torch.device("meta"):
        run = prepare_run([*words, *SMALL, *sam.full(tmp_path), f"--data.root={root}"])
    network = run.module.segmenter
    assert network.backbone.dims == network.fusion.dims == (256, 256)
    assert network.decoder.dense.weight.shape == (256, 256, 1, 1)


def test_sam_2_takes_the_place_of_sam(root: Path, tmp_path: Path) -> None:
    """So does the file of SAM 2; its smallest model, which its configuration is by default."""
    from transformers import Sam2Config

    words = ["--config", "modern/sam_prompt_refcoco.yaml", "--config", "modern/parts/sam2.yaml"]
    options = sam.full(tmp_path)
    Sam2Config().save_pretrained(tmp_path / "sam")
    with torch.device("meta"):
        run = prepare_run([*words, *SMALL, *options, f"--data.root={root}"])
    network = run.module.segmenter
    assert network.backbone.dims == network.fusion.dims == (32, 64, 256)
    assert network.decoder.finer == 2


def test_cris_on_rn101_is_the_published_one(root: Path, tmp_path: Path) -> None:
    """Its config goes over that of RN50; `logit_scale` is left out here, too."""
    words = ["--config", "modern/cris_refcoco.yaml", "--config", "modern/parts/cris_rn101.yaml"]
    with torch.device("meta"):
        run = prepare_run([*words, *SMALL, *cris.full(tmp_path), f"--data.root={root}"])
    count = sum(parameter.numel() for parameter in run.module.segmenter.parameters())
    assert count == 161_251_682 - 1

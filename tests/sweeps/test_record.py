"""Which run of a sweep is which model, by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from refseg.sweeps import Sweep, plan, read_sweep
from refseg.sweeps.record import SWEEP_FILE, write_record
from refseg.sweeps.results import model_name

from .test_results import finish, sweep_for


def test_runs_have_the_model_and_the_seed_of_their_combination(tmp_path: Path) -> None:
    runs = plan(sweep_for(), tmp_path)  # a 0, a 1, a 2, b 0, b 1, b 2
    finish(runs[1], overall_iou=0.5)
    finish(runs[3], overall_iou=0.5)
    write_record(sweep_for(), runs, tmp_path)
    content = json.loads((tmp_path / SWEEP_FILE).read_text())
    assert content["sweep"] == "s"
    assert [(run["model"], run["seed"], run["finished"]) for run in content["runs"]] == [
        ("a", 0, False),
        ("a", 1, True),
        ("a", 2, False),
        ("b", 0, True),
        ("b", 1, False),
        ("b", 2, False),
    ]
    assert [tmp_path / run["folder"] for run in content["runs"]] == [run.folder for run in runs]


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"config": ("x/mlstm.yaml", "x/film.yaml")}, ["mlstm", "film"]),
        (
            {"config": ("mlstm.yaml",), "model.dim": (250, 500), "seed": (0, 1)},
            ["dim 250", "dim 250", "dim 500", "dim 500"],
        ),
        (
            {"config": ("a.yaml", "b.yaml"), "data.flip": (True, False)},
            ["a, flip True", "a, flip False", "b, flip True", "b, flip False"],
        ),
        ({"seed_everything": (0, 1)}, ["s", "s"]),
    ],
)
def test_a_text_is_a_name_and_a_number_says_of_what_it_is(
    parameters: dict[str, tuple[Any, ...]], names: list[str]
) -> None:
    sweep = Sweep(Path("s.yaml"), "s", "refseg", ("${args}",), parameters)
    assert [model_name(sweep, one) for one in sweep.combinations()] == names


# What version 0.2.0 left of a sweep that was killed after its first run.
BEGUN = """\
program: refseg
method: grid
metric: {name: val/overall_iou, goal: maximize}
command: ["${env}", "${program}", fit, --config, rmi.yaml, "${args}"]
parameters:
  seed_everything: {values: [0, 1]}
  model.fusion: {values: [fusion/concat.yaml, fusion/mlstm.yaml]}
  trainer.gradient_clip_val: {value: null}
"""
BEGUN_RUN = """\
{
  "command": [
    "refseg",
    "fit",
    "--config",
    "rmi.yaml",
    "--seed_everything=0",
    "--model.fusion=fusion/concat.yaml",
    "--trainer.gradient_clip_val=null",
    "--trainer.max_steps=5"
  ],
  "parameters": {
    "seed_everything": 0,
    "model.fusion": "fusion/concat.yaml",
    "trainer.gradient_clip_val": null
  }
}
"""
BEGUN_RECORD = """\
{
  "sweep": "grid",
  "runs": [
    {
      "folder": "seed-0_fusion-concat_86b4cec5",
      "model": "concat",
      "seed": 0,
      "finished": true
    },
    {
      "folder": "seed-0_fusion-mlstm_8fa57b83",
      "model": "mlstm",
      "seed": 0,
      "finished": false
    },
    {
      "folder": "seed-1_fusion-concat_930d8048",
      "model": "concat",
      "seed": 1,
      "finished": false
    },
    {
      "folder": "seed-1_fusion-mlstm_375bacbb",
      "model": "mlstm",
      "seed": 1,
      "finished": false
    }
  ]
}
"""


def test_a_sweep_that_has_begun_goes_on(tmp_path: Path) -> None:
    file, output = tmp_path / "grid.yaml", tmp_path / "out"
    file.write_text(BEGUN)
    folder = output / "seed-0_fusion-concat_86b4cec5"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(BEGUN_RUN)
    counts = {"parameters": 1000, "trainable_parameters": 900, "training_seconds": 60.0}
    figures = {"metrics": {"val": {"overall_iou": 0.5}}, "checkpoint": None, **counts}
    (folder / "metrics.json").write_text(json.dumps(figures))
    begun = read_sweep(file)
    runs = plan(begun, output, ["--trainer.max_steps=5"])
    assert [run.result() is not None for run in runs] == [True, False, False, False]
    write_record(begun, runs, output)
    assert (output / SWEEP_FILE).read_text() == BEGUN_RECORD
    runs[0].prepare()
    assert (folder / "run.json").read_text() == BEGUN_RUN

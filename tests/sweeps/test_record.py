"""Which run of a sweep is which model, by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from refseg.sweeps import Sweep, plan
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

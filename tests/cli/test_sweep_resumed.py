"""`refseg sweep` once more: only what is missing or changed is run."""

import pytest

from .fake_sweep import ALL, SWEEP, Place


def test_goes_on_where_it_stopped(place: Place) -> None:
    place.sweep()
    place.calls()
    first, second = sorted(folder for folder in place.output.iterdir() if folder.is_dir())[:2]
    (first / "metrics.json").unlink()  # half made
    (first / "leftover.ckpt").touch()
    (second / "metrics.json").write_text('{"metrics": ')  # not as `fit` writes it
    assert place.sweep() == 0
    assert place.calls() == ALL[:2]
    assert not (first / "leftover.ckpt").exists()
    assert place.sweep() == 0
    assert place.calls() == []


def test_runs_again_only_what_the_file_has_changed(place: Place) -> None:
    place.sweep()
    place.calls()
    seeds = {"seed_everything": {"values": [0, 3]}}
    place.save(parameters={**SWEEP["parameters"], **seeds})
    assert place.sweep() == 0
    assert place.calls() == ["concat 3", "mlstm 3"]
    assert [row["runs"] for row in place.results()] == ["2", "2"]

    place.save(command=[*SWEEP["command"], "--trainer.max_steps=5"])
    assert place.sweep() == 0
    assert place.calls() == ALL
    place.save()  # and back: the first results are still there
    assert place.sweep() == 0
    assert place.calls() == []


def test_finds_a_run_again_whose_parameter_got_more_values(place: Place) -> None:
    one = {"seed_everything": {"value": 0}}
    place.save(parameters={**SWEEP["parameters"], **one})
    place.sweep()
    place.calls()
    place.save()
    place.sweep()
    assert place.calls() == ALL[2:]


def test_a_random_search_goes_on_where_it_stopped(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {
        "seed_everything": {"value": 0},
        "model.fusion": {"value": "fusion/concat.yaml"},
        "lr": {"distribution": "log_uniform_values", "min": 0.0001, "max": 0.1},
    }
    place.save(method="bayes", parameters=parameters, run_cap=2)
    assert place.sweep() == 0
    assert "is a random search here" in capsys.readouterr().out
    place.save(method="random", parameters=parameters, run_cap=3)
    place.calls()
    assert place.sweep() == 0
    assert len(place.calls()) == 1
    assert len({row["lr"] for row in place.results()}) == 3

"""`refseg compare`: what it prints and writes, for runs with known differences."""

import csv
import json
import math
from pathlib import Path

import pyarrow as pa
import pytest

from refseg.__main__ import main
from refseg.analysis.export import SCHEMA
from refseg.evaluation.results import write_results

from ..analysis.fake_results import draw_results

FEW = ("--resamples", "400")


def write_run(folder: Path, *tables: pa.Table, **summary: object) -> Path:
    write_results(folder / "test" / "results.parquet", pa.concat_tables(tables))
    (folder / "test" / "summary.json").write_text(json.dumps({"protocol": "standard", **summary}))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`rmi` is better for small objects, and for nothing else."""
    root = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        write_run(root / f"rmi-{seed}", draw_results(150, noise=seed, small_skill=0.6))
        write_run(root / f"lstm-{seed}", draw_results(150, noise=10 + seed))
    return root


@pytest.fixture(params=[80, 120])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_small_objects_are_answered_with_one_command(
    runs: Path, width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", str(runs / "rmi-0"), str(runs / "lstm-0"), "--by", "size", *FEW]
    assert main(words) == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= width
    said = squeezed(output)
    assert "By size of the object on val, rmi-0 is better than lstm-0 for small (< 3 %)" in said
    assert "lies within the noise for medium (3–10 %) and large (≥ 10 %)" in said
    assert "the difference is higher for small (< 3 %) than elsewhere" in said
    assert ("more than elsewhere" in output) == (width == 120)
    assert "not that of the seed" in said
    assert "rmi-0 is furthest ahead of lstm-0 on" in said
    last = squeezed(output[output.rindex("In overall IoU") :])
    assert last.startswith("In overall IoU, rmi-0 ")
    assert last.endswith(").")


def test_a_row_has_figures_intervals_difference_and_p(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["compare", str(runs / "rmi-0"), str(runs / "lstm-0"), *FEW]) == 0
    rows = capsys.readouterr().out.splitlines()
    (row,) = [row for row in rows if row.startswith("overall IoU")]
    table = draw_results(150, noise=0, small_skill=0.6)
    overall = sum(table["intersection"].to_pylist()) / sum(table["union"].to_pylist())
    cells = row.removeprefix("overall IoU").split()
    assert cells[0] == f"{100 * overall:.2f}"
    assert float(cells[1].strip("[,")) < 100 * overall < float(cells[2].strip("]"))
    assert float(cells[6]) == pytest.approx(float(cells[0]) - float(cells[3]), abs=0.011)


def test_seeds(runs: Path, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (
        [str(runs / f"{name}-{seed}") for seed in range(3)] for name in ("rmi", "lstm")
    )
    words = ["compare", *first, "--against", *second, "--metric", "mean_iou", *FEW]
    assert main(words) == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= width
    assert "p over" in output
    assert "±" in output
    assert "In mean IoU, rmi is better than lstm on val" in squeezed(output)
    assert "over seeds)." in squeezed(output)
    assert "not that of the seed" not in output

    named = [f"a={path}" for path in first] + [f"b={path}" for path in second]
    assert main(["compare", *named, "--metric", "mean_iou", *FEW]) == 0
    assert "a is better than b on val" in squeezed(capsys.readouterr().out)


def test_three_models(
    runs: Path, width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each model, and p-values that are corrected for the number of comparisons."""
    words = ["compare", *(str(runs / name) for name in ("rmi-0", "lstm-0", "rmi-1"))]
    assert main([*words, "--json", str(tmp_path / "all.json"), *FEW]) == 0
    output = capsys.readouterr().out
    lines = output.splitlines()
    assert max(map(len, lines[:-1])) <= width, "but for the path"
    assert "rmi-0 leads by" in squeezed(output)
    for seed, name in ((0, "rmi-0"), (1, "rmi-1")):
        table = draw_results(150, noise=seed, small_skill=0.6)
        overall = sum(table["intersection"].to_pylist()) / sum(table["union"].to_pylist())
        (first, *_) = (line for line in lines if line.startswith(f"{name} "))
        assert first.split()[1] == f"{100 * overall:.2f}"
    content = json.loads((tmp_path / "all.json").read_text())
    assert list(content["models"]) == ["rmi-0", "lstm-0", "rmi-1"]
    assert list(content["verdicts"]) == ["lstm-0", "rmi-1"]
    gains = [row for row in content["figures"] if "against" in row]
    for metric in ("overall_iou", "mean_iou"):
        raw, corrected = (
            {row["against"]: row[key] for row in gains if row["metric"] == metric}
            for key in ("p_value", "p_holm")
        )
        low, high = sorted(raw, key=raw.__getitem__)
        assert corrected[low] == pytest.approx(min(1, 2 * raw[low]))
        assert corrected[high] == pytest.approx(max(raw[high], corrected[low]))


def test_many_models_have_a_row_each(
    width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = {f"m{n}": draw_results(60, noise=n, skill=0.4 * n) for n in range(5)}
    runs = [str(write_run(tmp_path / name, table)) for name, table in tables.items()]
    files = ["--json", str(tmp_path / "all.json")]
    assert (
        main(["compare", *runs, "--by", "length", "category", *files, "--resamples", "2000"]) == 0
    )
    *lines, _ = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    start = lines.index("val by length: overall IoU, in %")
    rows = {line.split()[0]: line.split()[1:] for line in lines[start + 5 : start + 10]}
    for name, table in tables.items():
        words = table["words"].to_numpy()
        bins = [words < 4, (words > 3) & (words < 7), (words > 6) & (words < 10), words > 9]
        sums = [[table[c].to_numpy()[b].sum() for c in ("intersection", "union")] for b in bins]
        assert rows[name] == [f"{100 * one / all_of_it:.2f}" for one, all_of_it in sums]
    assert "In overall IoU on val, m4 is the highest of 5 models" in squeezed(" ".join(lines))
    assert "m0 leads by, in points" in squeezed(" ".join(lines))
    content = json.loads((tmp_path / "all.json").read_text())
    assert [(pair["model"], pair["against"]) for pair in content["pairs"]] == [
        (one, other) for number, one in enumerate(tables) for other in list(tables)[number + 1 :]
    ]
    of_first = {
        row["against"]: row
        for row in content["figures"]
        if row.get("by") == "" and row["metric"] == "overall_iou" and "against" in row
    }
    for pair in content["pairs"][:4]:
        assert pair["value"] == of_first[pair["against"]]["value"]
        assert pair["p_value"] == of_first[pair["against"]]["p_value"]
        assert pair["p_holm"] >= of_first[pair["against"]]["p_holm"], "of ten pairs instead of four"
    assert content["rankings"][0] in squeezed(" ".join(lines))


def test_one_of_three_that_is_another(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = str(write_run(tmp_path / "few", draw_results(150, noise=3).slice(5)))
    assert main(["compare", str(runs / "rmi-0"), few, str(runs / "lstm-0"), *FEW]) == 2
    message = capsys.readouterr().err
    assert "rmi-0 and lstm-0: " in message
    assert "; few: " in message


def test_a_difference_inside_the_noise_of_the_seeds_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One lucky seed: images alone call it a difference, the seeds do not."""
    skills = {"a-0": 1.0, "a-1": 0.0, "b-0": 0.05, "b-1": 0.0}
    first, second = [], []
    for number, (name, skill) in enumerate(skills.items()):
        run = write_run(tmp_path / name, draw_results(100, noise=number, skill=skill))
        (first if name.startswith("a") else second).append(str(run))
    assert main(["compare", *first, "--against", *second, *FEW]) == 0
    said = squeezed(capsys.readouterr().out)
    assert "Note: On val, the difference of a and b" in said
    assert "is inside the noise of the seeds" in said
    assert "a lies within the noise of b on val" in said


def test_one_run_alone(runs: Path, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(runs / "rmi-0" / "test" / "results.parquet")
    by = ["--by", "length", "size", "--by", "category", "distractors", "words"]
    assert main(["compare", run, *by, *FEW]) == 0
    output = capsys.readouterr().out
    assert "val by distractors: overall IoU, in %" in output
    assert "difference" not in output
    assert max(map(len, output.splitlines())) <= width


def test_files(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--json", str(tmp_path / "all.json"), "--csv", str(tmp_path / "all.csv")]
    words = ["compare", str(runs / "rmi-0"), str(runs / "lstm-0"), "--by", "size", *files, *FEW]
    assert main([*words, "--examples", "3"]) == 0
    assert capsys.readouterr().out.endswith(f"{files[1]}\n{files[3]}\n")
    content = json.loads((tmp_path / "all.json").read_text())
    assert list(content["models"]) == ["rmi-0", "lstm-0"]
    assert len(content["examples"]["lstm-0"]["gains"]) == 3
    gains = [example["gain"] for example in content["examples"]["lstm-0"]["gains"]]
    first, second = (
        draw_results(150, noise=0, small_skill=0.6)["iou"].to_numpy(),
        draw_results(150, noise=10)["iou"].to_numpy(),
    )
    assert gains == pytest.approx(sorted(first - second, reverse=True)[:3])
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == SCHEMA.names
    assert len(rows) == len(content["figures"]) == 3 * (7 + 3)  # two models and a difference
    small = [row for row in rows if row["group"].startswith("small") and row["against"]]
    assert float(small[0]["p_holm"]) < 0.05
    assert float(small[0]["value"]) > float(small[0]["low"]) > 0


def test_what_cannot_be_compared(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rmi, lstm = str(runs / "rmi-0"), str(runs / "lstm-0")
    other = str(write_run(tmp_path / "other", draw_results(20, split="dev")))
    few = str(write_run(tmp_path / "few", draw_results(150, noise=3).slice(5)))
    cases = {
        ("none",): "is absent",
        (rmi, rmi): "given twice",
        (rmi, other): "got none (rmi-0: val; other: dev)",
        (rmi, lstm, "--splits", "testA"): "has no split 'testA'; choose one of val",
        (rmi, few): "rmi-0: 465 expressions, of which not all others have shapes (shapes) 0",
        (rmi, lstm, "--metric", "iou"): "precision@X",
        (f"x={rmi}", f"y={lstm}", "--against", few): "seeds of one model",
        (f"x={rmi}", "--against", f"x={lstm}"): "'x' on both sides",
        (f"lstm-0={rmi}", lstm): "which is called 'lstm-0' as well",
    }
    for words, told in cases.items():
        assert main(["compare", *words, *FEW]) == 2, words
        assert told in capsys.readouterr().err
    assert main(["compare", rmi, few, "--only_shared", *FEW]) == 0
    assert "expressions of rmi-0 are left out" in squeezed(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("union", None, "got rows without union"),
        ("source", None, "got rows without source"),
        ("expression", None, "got rows without expression"),
        ("iou", math.nan, "got nan for"),
        ("union", 0, "pixels of expression 7, and 1 such rows in all"),
    ],
)
def test_results_with_gaps(
    column: str,
    value: object,
    told: str,
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As another program may have written them: a gap would become a figure."""
    table = draw_results(150, skill=1.0)
    place = table.column_names.index(column)
    values = table[column].to_pylist()
    values[7] = value
    damaged = pa.array(values, table[column].type)
    path = write_run(tmp_path, table.set_column(place, column, damaged))
    assert main(["compare", str(runs / "rmi-0"), str(path), *FEW]) == 2
    message = capsys.readouterr().err
    assert told in message
    assert "write it again with `refseg test`" in message


def test_a_number_that_is_none(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(runs / "rmi-0"), "--seed", "x"]) == 2
    assert "expected a whole number from 0, got 'x'" in capsys.readouterr().err


def test_what_a_reader_should_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = draw_results(30, noise=1), draw_results(30, noise=2)
    test_a = draw_results(30, noise=2, seed=1, split="testA")
    leakage = {"train_on_evaluation_images": True}
    one = write_run(tmp_path / "one", first, leakage=leakage)
    other = write_run(tmp_path / "other", second, test_a, protocol="lavt")
    assert main(["compare", str(one), str(other), *FEW]) == 0
    said = squeezed(capsys.readouterr().out)
    assert "different protocols (one: standard, other: lavt)" in said
    assert "one was trained on images of the evaluation splits" in said
    assert "results for testA: left out" in said


def test_runs_of_the_same_name_are_told_apart_by_the_folders_above(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [
        str(write_run(tmp_path / side / "best", draw_results(20, noise=noise)))
        for noise, side in enumerate("ab")
    ]
    assert main(["compare", *paths, *FEW]) == 0
    assert "a/best" in capsys.readouterr().out

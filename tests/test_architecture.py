"""Imports go down only, and what must stay light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "refseg"
FLOORS = {
    "types": 0, "errors": 0, "geometry": 0, "files": 0, "checkpoint": 0, "config_files": 0,
    "bins": 0, "precision": 0, "progress": 0, "resampling": 0, "targets": 0, "config_bases": 1,
    "data": 1, "models": 1, "losses": 1, "evaluation": 1, "visualization": 1, "schedules": 1,
    "crf": 1,
    "counting": 2,
    "kept_features": 2, "restoring": 2, "checkpoint_config": 2, "feature_extraction": 2,
    "module": 2, "callbacks": 2, "pipeline": 2, "loggers": 2, "sweeps": 2, "benchmarks": 2,
    "training": 2,
    "true_masks": 2, "run_masks": 2, "reading": 2, "refinement": 2, "crf_evaluation": 2,
    "scores": 2, "word_curve": 2,
    "command_line": 3, "explanations": 3, "runs": 3, "stages": 3, "verb_options": 3, "commands": 3,
    "cli": 3, "prepared_run": 3, "__main__": 4,
    "trainer_options": 2, "system_errors": 1, "distributed": 2,
    "scoring": 2, "result_files": 2, "run_summary": 2, "run_lock": 2,
}  # fmt: skip
LIGHTNING = {Path(f"data/{name}.py") for name in ("chosen_data", "datamodule", "loaders")}
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "refseg" and len(parts) > 1 else None


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_down_only(path: Path) -> None:
    here = path.parts[0].removesuffix(".py")
    if here == "__init__":
        return
    for module in imports(path):
        there = room(module)
        if there is None or there == here or there == "__version__":
            continue
        assert FLOORS[there] < FLOORS[here] or FLOORS[there] == FLOORS[here] != 1, (
            f"{path} (floor {FLOORS[here]}) imports {module} (floor {FLOORS[there]})"
        )


@pytest.mark.parametrize("path", FILES, ids=str)
def test_lightning_and_wandb_stay_where_they_belong(path: Path) -> None:
    top = {module.split(".")[0] for module in imports(path)}
    here = path.parts[0].removesuffix(".py")
    if FLOORS.get(here, 9) < 2 and path not in LIGHTNING:
        assert "lightning" not in top
    if here != "loggers":
        assert "wandb" not in top


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not {path.stem for path in FILES} & {"utils", "util", "helpers", "misc", "common"}


HELP = [
    "--help",
    *(f"{path.parent.name} --help" for path in (PACKAGE / "commands").glob("*/__init__.py")),
    *(f"{path.stem.replace('_', '-')} --help" for path in (PACKAGE / "commands").glob("[a-z]*.py")),
    *(
        f"{path.parent.name} {path.stem} --help"
        for path in (PACKAGE / "commands").glob("*/[a-z]*.py")
    ),
]


@pytest.mark.parametrize("words", HELP)
def test_help_imports_no_torch(words: str) -> None:
    code = (
        "import sys; from refseg.__main__ import main\n"
        f"try: main({words.split()})\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'slow'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage: refseg" in done.stdout
    assert "example" in done.stdout


@pytest.mark.parametrize(
    "words", ["data list", "data list --root .", "data download shapes --root ."]
)
def test_what_is_known_of_data_sets_is_told_without_torch(words: str, tmp_path: Path) -> None:
    code = (
        "import sys; from refseg.__main__ import main\n"
        f"assert main({words.split()}) == 0\n"
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'slow'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "shapes" in done.stdout + done.stderr


def test_each_public_name_of_the_data_is_imported_from_its_place() -> None:
    """What mypy reads, what is imported when it is asked for, and what is announced agree."""
    module = ast.parse((PACKAGE / "data" / "__init__.py").read_text())
    (for_mypy,) = (
        node
        for node in module.body
        if isinstance(node, ast.If) and isinstance(node.body[0], ast.ImportFrom)
    )
    places = {
        alias.name: str(node.module).removeprefix("refseg.data.")
        for node in for_mypy.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    from refseg import data

    assert places == data._PLACE_OF
    assert sorted(places) == sorted(data.__all__)
    assert set(places) <= set(dir(data))
    for name in places:
        assert getattr(data, name) is not None
    with pytest.raises(AttributeError, match=r"module 'refseg\.data' has no attribute 'nothing'"):
        _ = data.nothing

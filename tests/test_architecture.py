"""Imports go down only, and what must stay light stays light."""

import ast
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from refseg.cli import GROUPS, VERBS

PACKAGE = Path(__file__).parents[1] / "refseg"
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

GROUND = {"types", "masks", "geometry", "precision", "progress", "errors", "files"}
# Which other rooms may each room import? Nobody imports `cli`, and `cli` may import all.
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "precision": {"errors"},
    "progress": set(),
    "geometry": {"precision"},
    "types": {"geometry"},
    "masks": {"types", "errors"},
    "checkpoint": {"errors", "files"},
    "losses": {"types", "precision", "errors"},
    "data": GROUND | {"checkpoint"},
    "models": GROUND | {"checkpoint"},
    "evaluation": GROUND,
    "visualization": {"errors", "files"},
    "inference": GROUND | {"checkpoint", "data", "models", "evaluation"},
    "training": GROUND
    | {"checkpoint", "data", "models", "losses", "evaluation", "visualization", "inference"},
    "analysis": GROUND | {"checkpoint", "data", "evaluation", "visualization", "inference"},
    "sweeps": {"errors", "files", "progress"},
    "benchmarks": GROUND | {"data", "models", "evaluation", "training", "inference"},
}
EVERYTHING = {*ALLOWED, "cli"}
ALLOWED |= {
    "cli": EVERYTHING,
    "__init__": EVERYTHING,
    "__main__": {"cli", "data", "errors", "files"},
}
# One room for Lightning, and one file for each library that is no need of everyone.
LIGHTNING = [Path("data/splits.py"), Path("data/datamodule.py"), Path("data/loaders.py")]
AT_HOME = {
    "wandb": {
        Path("training/loggers.py"),
        Path("training/artifacts.py"),
        Path("sweeps/wandb_runs.py"),
    },
    "gradio": {Path("inference/web.py")},
    "pydensecrf": {Path("inference/crf.py")},
    "peft": {Path("models/lora.py")},
    "timm": {Path("models/backbones/timm.py"), Path("models/backbones/timm_chain.py")},
    "onnxruntime": {Path("inference/exported_script.py"), Path("benchmarks/exported_models.py")},
    "webdataset": {Path("data/streaming/writer.py")},
}


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "refseg" and len(parts) > 1 else None


@cache
def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_a_room_imports_the_rooms_that_it_may() -> None:
    wrong = []
    for path in FILES:
        here = path.parts[0].removesuffix(".py")
        for module in imports(path):
            there = room(module)
            if there is not None and there not in {here, "__version__", *ALLOWED[here]}:
                wrong.append(f"{path} imports {module}: `{here}` may not know `{there}`")
    assert wrong == []


def test_the_rooms_have_no_circle() -> None:
    """Layers: each room stands on rooms that are settled without it."""
    settled: set[str] = set()
    while len(settled) < len(ALLOWED):
        free = {
            room
            for room, others in ALLOWED.items()
            if room not in settled and others <= settled | {room}
        }
        assert free, f"these rooms import each other: {sorted({*ALLOWED} - settled)}"
        settled |= free


def test_every_room_is_known_and_few_modules_are_loose() -> None:
    loose = {path.stem for path in FILES if len(path.parts) == 1}
    folders = {path.parts[0] for path in FILES if len(path.parts) > 1}
    assert loose | folders == {*ALLOWED}
    assert len(loose) <= 9
    assert len(folders) <= 12


def test_libraries_stay_where_they_belong() -> None:
    wrong = []
    for path in FILES:
        top = {module.split(".")[0] for module in imports(path)}
        if path.parts[0] not in {"training", "cli", "benchmarks"} and path not in LIGHTNING:
            wrong += [f"{path} imports lightning"] * ("lightning" in top)
        for library, home in AT_HOME.items():
            wrong += [f"{path} imports {library}"] * (library in top and path not in home)
    assert wrong == []


def test_names_say_something() -> None:
    assert not {path.stem for path in FILES} & {"utils", "util", "helpers", "misc", "common"}
    private = [p for p in FILES if p.stem.startswith("_") and not p.stem.startswith("__")]
    assert private == []


HELP = [
    "",
    *VERBS,
    *GROUPS,
    *(f"{group} {verb}" for group in GROUPS for verb in import_module(f"refseg.cli.{group}").VERBS),
]


def test_help_imports_no_torch() -> None:
    code = f"""
import contextlib, io, sys
from refseg.__main__ import main
for words in {HELP}:
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
        main([*words.split(), "--help"])
    slow = {{"torch", "lightning", "numpy"}} & set(sys.modules)
    assert not slow, f"refseg {{words}} --help imports {{slow}}"
    for text in ("usage: refseg", "example"):
        assert text in shown.getvalue(), f"refseg {{words}} --help: {{shown.getvalue()}}"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".data",
        ".evaluation",
        ".visualization",
        ".models",
        ".models.backbones",
        ".models.fusion",
        ".models.text_encoders",
    ],
)
def test_each_public_name_is_imported_from_its_place(name: str) -> None:
    """The stub is what type checkers read and what says where a name is imported from."""
    package = import_module(f"refseg{name}")
    folder = PACKAGE.joinpath(*name.split("."))
    places = {
        alias.name: f"{package.__name__}.{node.module}"
        for node in ast.parse((folder / "__init__.pyi").read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(places) == sorted({*package.__all__} - {"__version__"}) == sorted(dir(package))
    for one, place in places.items():
        assert getattr(package, one) is getattr(import_module(place), one)
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing


def test_the_package_itself_is_imported_at_once() -> None:
    code = "import sys, refseg; print({'torch', 'numpy', 'pyarrow', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

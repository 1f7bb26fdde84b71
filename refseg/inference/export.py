"""A model as two graphs that other programs run: image -> features, (features, words) -> logits.

Ten sentences about one picture cost one backbone: what the words do not change is in the first
graph. Open `export` first.
"""

import json
import warnings
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.export import ExportedProgram

from refseg.errors import ConfigError
from refseg.files import making_folder
from refseg.inference.exported_graphs import Graphs, export_halves
from refseg.inference.exported_script import words
from refseg.inference.pipeline import Pipeline

Format = Literal["onnx", "torch"]

_ENDINGS: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
_FEATURES, _LOGITS = "features", "logits"
_SCRIPT = "segment.py"
# What `exported_script.py` can do with numpy and Pillow.
_SCRIPT_RESAMPLINGS = ("antialiased", "pillow")
_SCRIPT_TOKENIZERS = ("WordTokenizer", "TransformersTokenizer")


def export(pipeline: Pipeline, folder: Path, format: Format = "onnx") -> dict[str, Any]:
    """Write a model as two graphs, with all that a program needs to feed them.

    Beside the graphs lie `export.json`, which says how an image is fitted into the network's
    square, how words become tokens, and what goes into the graphs and comes out; and for ONNX,
    where numpy and Pillow can do the same, `segment.py`, a program of these and onnxruntime.

    Args:
        pipeline: the model, as `refseg.load` gives it; on the CPU.
        folder: that is made; nothing of that name may exist, or an empty folder.
        format: `onnx`, or `torch`, programs of `torch.export`.

    Returns:
        What `export.json` says.

    Raises:
        ConfigError: the folder is not empty, a library is absent, or the network has a part that
            cannot be exported.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConfigError(
            f"Expected a new or empty folder for the export, got {folder}, which has content; name "
            "another one, or remove it."
        )
    if format == "onnx":
        check_installed()
    graphs = export_halves(pipeline.segmenter, pipeline.image_size, pipeline.tokenizer.max_words)
    with making_folder(folder) as temporary:
        for name, program, given in (
            (_FEATURES, graphs.features, graphs.image),
            (_LOGITS, graphs.logits, (*graphs.maps, *graphs.text)),
        ):
            names = _input_names(name, len(graphs.maps)), _output_names(name, len(graphs.maps))
            _write(program, given, names, temporary / f"{name}{_ENDINGS[format]}", format)
        described = describe(pipeline, graphs, format)
        text = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
        (temporary / "export.json").write_text(text, encoding="utf-8")
        if described["script"] is not None:
            source = files("refseg.inference").joinpath("exported_script.py")
            (temporary / _SCRIPT).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return described


def check_installed() -> None:
    """Make sure that networks can be written as ONNX.

    Raises:
        ConfigError: a library is not installed.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"Export to ONNX needs {' and '.join(missing)}, which this Python lacks; run "
            '`pip install "refseg[export]"`, or take --format torch.'
        )


def describe(pipeline: Pipeline, graphs: Graphs, format: Format) -> dict[str, Any]:
    """What a program has to know of the graphs: the content of `export.json`.

    Args:
        pipeline: the model.
        graphs: its halves.
        format: in which they are written.
    """
    from refseg import __version__

    size, count = pipeline.image_size, len(graphs.maps)
    maps = _input_names(_LOGITS, count)[:count]
    shapes = [["images", *each.shape[1:]] for each in graphs.maps]
    features = [
        {"name": name, "type": "float32", "shape": shape}
        for name, shape in zip(maps, shapes, strict=True)
    ]
    sentences = ["expressions", "words"]
    tokenizer = pipeline.tokenizer.state_dict()
    is_for_script = (
        format == "onnx"
        and pipeline.resampling in _SCRIPT_RESAMPLINGS
        and tokenizer["class"] in _SCRIPT_TOKENIZERS
        and not tokenizer.get("clean", False)
        and all(map(_is_split_by_script, tokenizer.get("words", ())))
    )
    return {
        "refseg": __version__,
        "format": format,
        "script": _SCRIPT if is_for_script else None,
        "image": {
            "size": size,
            "fill": pipeline.fill,
            "fit": pipeline.geometry,
            "resampling": pipeline.resampling,
            "normalization": "in the graph: it is given 8-bit RGB",
        },
        "foreground": _rule(pipeline),
        "tokenizer": tokenizer,
        "graphs": {
            _FEATURES: {
                "file": f"{_FEATURES}{_ENDINGS[format]}",
                "inputs": [{"name": "images", "type": "uint8", "shape": ["images", 3, size, size]}],
                "outputs": features,
            },
            _LOGITS: {
                "file": f"{_LOGITS}{_ENDINGS[format]}",
                "inputs": [
                    *features,
                    {"name": "tokens", "type": "int64", "shape": sentences},
                    {"name": "token_mask", "type": "bool", "shape": sentences},
                    {"name": "image_index", "type": "int64", "shape": ["expressions"]},
                ],
                "outputs": [
                    {"name": "logits", "type": "float32", "shape": ["expressions", size, size]}
                ],
            },
        },
    }


def _is_split_by_script(word: str) -> bool:
    """Whether the script finds a word of the vocabulary in a sentence.

    Its short pattern knows no combining marks, as Hindi has them. An ending ('s) follows a letter.
    """
    return word in {*words(word), *words(f"a{word}")}


def _rule(pipeline: Pipeline) -> str:
    if pipeline.resampling == "original":
        return (
            "a logit of at least 1e-9 in network size, then resized as refseg.evaluation."
            "predictions.dilated says; every touched pixel counts"
        )
    return "a logit above 0, once resized bilinearly to the image's own size (probability 0.5)"


def _input_names(graph: str, maps: int) -> list[str]:
    if graph == _FEATURES:
        return ["images"]
    return [*_map_names(maps), "tokens", "token_mask", "image_index"]


def _output_names(graph: str, maps: int) -> list[str]:
    return _map_names(maps) if graph == _FEATURES else ["logits"]


def _map_names(maps: int) -> list[str]:
    return [f"map_{number}" for number in range(maps)]


def _write(
    program: ExportedProgram,
    given: tuple[Tensor, ...],
    names: tuple[list[str], list[str]],
    path: Path,
    format: Format,
) -> None:
    if format == "torch":
        torch.export.save(program, path)
        return
    # Where gradients are kept, torch takes what `scan` repeats apart as for a backward pass.
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries about each other
            onnx = torch.onnx.export(
                program, dynamo=True, input_names=names[0], output_names=names[1], verbose=False
            )
    except torch.onnx.OnnxExporterError as error:
        _, _, reason = str(error).partition("## Exception summary")
        raise ConfigError(
            f"The graph of the {path.stem} cannot be written as ONNX, which --format torch may do: "
            f"{' '.join(reason.split())[:300]}"
        ) from error
    assert onnx is not None
    onnx.save(str(path))

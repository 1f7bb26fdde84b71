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
from torch.export import ExportedProgram

from refseg.errors import ConfigError
from refseg.files import making_folder
from refseg.inference.exported_graphs import Graphs, export_halves
from refseg.inference.exported_letterbox import RESAMPLINGS, export_fitting
from refseg.inference.exported_script import words
from refseg.inference.pipeline import Pipeline

Format = Literal["onnx", "torch"]

_ENDINGS: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
_FEATURES, _LOGITS, _LETTERBOX, _OWN_SIZE = "features", "logits", "letterbox", "own_size"
_SCRIPT = "segment.py"
# What `exported_script.py` can read.
_SCRIPT_TOKENIZERS = ("WordTokenizer", "TransformersTokenizer")


def export(pipeline: Pipeline, folder: Path, format: Format = "onnx") -> dict[str, Any]:
    """Write a model as two graphs, with all that a program needs to feed them.

    Beside the graphs lie two small ones, which fit an image into the network's square and bring
    masks back to its own size; `export.json`, which says how words become tokens, and what goes
    into the graphs and comes out; and for ONNX, where numpy and Pillow can do the rest,
    `segment.py`, a program of these and onnxruntime.

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
    fitting = export_fitting(
        pipeline.image_size, pipeline.geometry, pipeline.resampling, pipeline.fill
    )
    programs = {_FEATURES: graphs.features, _LOGITS: graphs.logits}
    if fitting is not None:
        programs |= {_LETTERBOX: fitting.letterbox, _OWN_SIZE: fitting.own_size}
    described = describe(pipeline, graphs, format)
    with making_folder(folder) as temporary:
        for name, program in programs.items():
            _write(program, described["graphs"][name], temporary, format)
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

    size = pipeline.image_size
    maps = [
        _array(f"map_{number}", "float32", "images", *each.shape[1:])
        for number, each in enumerate(graphs.maps)
    ]
    images = _array("images", "uint8", "images", 3, size, size)
    logits = _array("logits", "float32", "expressions", size, size)
    text = [
        _array("tokens", "int64", "expressions", "words"),
        _array("token_mask", "bool", "expressions", "words"),
        _array("image_index", "int64", "expressions"),
    ]
    described = {_FEATURES: ([images], maps), _LOGITS: ([*maps, *text], [logits])}
    is_fitted = pipeline.resampling in RESAMPLINGS
    if is_fitted:
        image = _array("image", "uint8", "height", "width", 3)
        one = _array("images", "uint8", 1, 3, size, size)
        masks = _array("masks", "bool", "expressions", "height", "width")
        described |= {_LETTERBOX: ([image], [one]), _OWN_SIZE: ([logits, image], [masks])}
    tokenizer = pipeline.tokenizer.state_dict()
    is_for_script = (
        format == "onnx"
        and is_fitted
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
            name: {"file": f"{name}{_ENDINGS[format]}", "inputs": inputs, "outputs": outputs}
            for name, (inputs, outputs) in described.items()
        },
    }


def _array(name: str, kind: str, *shape: int | str) -> dict[str, Any]:
    """What goes into a graph or comes out; a word in its shape is an axis of any length."""
    return {"name": name, "type": kind, "shape": [*shape]}


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


def _write(
    program: ExportedProgram, described: dict[str, Any], folder: Path, format: Format
) -> None:
    path = folder / described["file"]
    if format == "torch":
        torch.export.save(program, path)
        return
    inputs, outputs = ([each["name"] for each in described[side]] for side in ("inputs", "outputs"))
    # Where gradients are kept, torch takes what `scan` repeats apart as for a backward pass.
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries about each other
            onnx = torch.onnx.export(
                program, dynamo=True, input_names=inputs, output_names=outputs, verbose=False
            )
    except torch.onnx.OnnxExporterError as error:
        _, _, reason = str(error).partition("## Exception summary")
        raise ConfigError(
            f"The graph of the {path.stem} cannot be written as ONNX, which --format torch may do: "
            f"{' '.join(reason.split())[:300]}"
        ) from error
    assert onnx is not None
    onnx.save(str(path))

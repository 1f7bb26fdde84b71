"""A model as two graphs that other programs run: image -> features, (features, words) -> logits.

Ten sentences about one picture cost one backbone: what the words do not change is in the first
graph. Open `export` first.
"""

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from refseg.errors import ConfigError
from refseg.geometry import Geometry
from refseg.inference.exported_script import words
from refseg.inference.pipeline import Pipeline
from refseg.models.segmenter import Segmenter
from refseg.types import Batch, Maps

Format = Literal["onnx", "torch"]

_ENDINGS: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
_FEATURES, _LOGITS = "features", "logits"
_SCRIPT = "segment.py"
# What `exported_script.py` can do with numpy and Pillow.
_SCRIPT_RESAMPLINGS = ("antialiased", "pillow")
_SCRIPT_TOKENIZERS = ("WordTokenizer", "TransformersTokenizer")


class Graphs(NamedTuple):
    """The two halves of a network, as torch exports them.

    Args:
        features: `images` [images 3 size size], 8-bit RGB -> the maps that do not depend on words.
        logits: (the maps, `tokens` and `token_mask` [expressions words], `image_index`
            [expressions]) -> logits [expressions size size].
        image: the tensors that `features` was exported with.
        text: those that `logits` was exported with, but for the maps.
        maps: what `features` made of `image`.
    """

    features: ExportedProgram
    logits: ExportedProgram
    image: tuple[Tensor, ...]
    text: tuple[Tensor, ...]
    maps: Maps


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
    graphs = exported(pipeline.segmenter, pipeline.image_size, pipeline.tokenizer.max_words)
    with _folder(folder) as temporary:
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


def exported(segmenter: Segmenter, image_size: int, max_words: int) -> Graphs:
    """The two halves of a network as programs of `torch.export`.

    They are for any number of images and expressions, and for sentences of 1 to `max_words` tokens.
    Where a fusion speaks between the stages of the backbone, the first half ends before the first
    of its sites, and the second half has the stages that follow.

    Args:
        segmenter: on the CPU; it is exported as it evaluates.
        image_size: side of the network's square, pixels.
        max_words: of the tokenizer.

    Raises:
        ConfigError: a part cannot be exported.
    """
    was_training = segmenter.training
    segmenter.eval()
    sees, answers = _Sees(segmenter), _Answers(segmenter, image_size)
    length = min(max(2, max_words - 1), 5)  # torch takes a size of 1 for a number that stays
    pixels = torch.randint(0, 256, (2, 3, image_size, image_size), dtype=torch.uint8)
    token_mask = torch.arange(length) < torch.tensor([length, length - 1, 1])[:, None]
    tokens = torch.ones(3, length, dtype=torch.int64) * token_mask
    text = tokens, token_mask, torch.tensor([0, 1, 0])
    image_rows, rows = Dim("images", min=1), Dim("expressions", min=1)
    columns = {1: Dim("words", min=1, max=max_words)} if max_words > 2 else {}
    shapes = ({0: rows, **columns}, {0: rows, **columns}, {0: rows})
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own LSTM
            maps: Maps = sees(pixels)
            return Graphs(
                torch.export.export(sees, (pixels,), dynamic_shapes=({0: image_rows},)),
                torch.export.export(
                    answers,
                    (maps, *text),
                    dynamic_shapes=(tuple({0: image_rows} for _ in maps), *shapes),
                ),
                (pixels,),
                text,
                maps,
            )
    except Exception as error:  # of torch, which has many, and of parts that are not ours
        reason = " ".join(str(error).split())[:300]
        parts = segmenter.backbone, segmenter.text_encoder, segmenter.fusion, segmenter.decoder
        raise ConfigError(
            f"The network ({', '.join(type(part).__name__ for part in parts)}) cannot be exported: "
            f"{type(error).__name__}: {reason}"
        ) from error
    finally:
        segmenter.train(was_training)


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


class _Sees(nn.Module):
    """The first half of a network."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, images: UInt8[Tensor, " images 3 size size"]) -> Maps:
        nobody = torch.zeros(0, dtype=torch.int64)
        return self.segmenter.see(_batch(images, nobody[:, None], nobody[:, None] > 0, nobody, ()))


class _Answers(nn.Module):
    """The second half of a network."""

    def __init__(self, segmenter: Segmenter, image_size: int) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.geometry = Geometry.letterbox(image_size, image_size, image_size)

    def forward(
        self,
        maps: Maps,
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions size size"]:
        batch = _batch(None, tokens, token_mask, image_index, (self.geometry,))
        return self.segmenter.answer(maps, batch, image_index).segmentation()


def _batch(
    images: Tensor | None,
    tokens: Tensor,
    token_mask: Tensor,
    image_index: Tensor,
    geometries: tuple[Geometry, ...],
) -> Batch:
    """What `Segmenter` asks for; of the size of the images, the geometry tells."""
    return Batch(images, tokens, token_mask, image_index, None, (), (), (), geometries, ())


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


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`, which on success gets its name; else nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        temporary.replace(path)  # an empty folder may stand there
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

"""The card of a model that is shared: what it is, how good it is, and how to use it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import yaml

from refseg.checkpoint.folder import LIBRARY, TRAINING_FILE
from refseg.evaluation.bootstrap import Interval, bootstrap_each
from refseg.evaluation.results import Results, has_results, read_results
from refseg.evaluation.sums import MEAN_IOU, OVERALL_IOU
from refseg.inference.from_checkpoint import Description
from refseg.models.weights.provenance import in_words

if TYPE_CHECKING:
    from torch import nn

    from refseg.inference.pipeline import Pipeline

_HEAD = {
    "library_name": LIBRARY,
    "pipeline_tag": "image-segmentation",
    "tags": [LIBRARY, "referring-image-segmentation", "vision-language"],
}
_METRICS = {OVERALL_IOU: "overall IoU", MEAN_IOU: "mean IoU", "precision@0.5": "precision@0.5"}
_FAIRNESS = {
    False: "No image of an evaluation split was trained on.",
    True: "**Images of evaluation splits were trained on**: figures on them are too high.",
    None: "Nobody has checked whether images of evaluation splits were trained on.",
}
_SENTENCE = "the large red star on the left"
_BUILT_IN = "shapes"
_LONGEST = 200


def model_card(
    pipeline: "Pipeline",
    described: Description,
    config: Mapping[str, Any] | None,
    name: str,
    results: str | Path | None = None,
) -> str:
    """The text of `README.md`: Markdown, with the head that the Hugging Face hub reads.

    Args:
        pipeline: the model.
        described: what its checkpoint says of it.
        config: of the training; None: not known.
        name: of the model, as `refseg.load` is given it.
        results: of the evaluation whose figures are shown; None: those in the run of the
            checkpoint, if they are of this checkpoint.

    Raises:
        DataError: the results are absent or damaged.
    """
    found = _results_of(described) if results is None else read_results(Path(results))
    name = _inline(name)
    parts = [
        f"---\n{yaml.safe_dump(_HEAD, sort_keys=False)}---",
        f"# {name}",
        "Referring image segmentation: a picture and a sentence go in, the mask of what the "
        "sentence names comes out. Made with refseg "
        f"{_inline(described.about.get('version') or '')}.".replace(" .", "."),
        *_use(described, name),
        *_figures(described, found),
        *_training(described, config, name),
        *_network(pipeline),
    ]
    return "\n\n".join(parts) + "\n"


def _use(described: Description, name: str) -> Iterator[str]:
    packages = sorted({path.partition(".")[0] for path in _classes(described.network)} - {LIBRARY})
    more = f", import_packages={packages}" if packages else ""
    option = "".join(f" --import {package}" for package in packages)
    yield "## Use"
    yield (
        f'```python\nimport refseg\n\nmodel = refseg.load("{name}"{more})\n'
        f'mask, score = model.segment("photo.png", "{_SENTENCE}")\n```'
    )
    yield (
        "`mask` is boolean and has the size of the photo, `score` is the mean probability of its "
        f'pixels. On the command line: `refseg segment photo.png "{_SENTENCE}" --checkpoint '
        f"{name}{option}`. Loading runs nothing that stands in the files."
    )


def _classes(described: object) -> Iterator[str]:
    if isinstance(described, Mapping):
        path = described.get("class_path")
        if isinstance(path, str) and "." in path:
            yield path
        for value in described.values():
            yield from _classes(value)
    elif isinstance(described, list):
        for value in described:
            yield from _classes(value)


def _results_of(described: Description) -> Results | None:
    """The rows of an evaluation of this very checkpoint, in the folder of its run."""
    path = Path(described.source).expanduser().absolute()
    if not path.is_file():
        return None
    run = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    for folder in (run / "test", run / "evaluate", run / "validate"):
        if not has_results(folder):
            continue
        found = read_results(folder)
        named, steps = (found.summary.get(key) for key in ("checkpoint", "trained_steps"))
        is_named = isinstance(named, str) and Path(named).name == path.name
        if is_named and steps == described.trained_steps:  # else of an earlier or later state
            return found
    return None


def _figures(described: Description, found: Results | None) -> Iterator[str]:
    yield "## Figures"
    fairness = described.about.get("trained_on_evaluation_images")
    if found is None:
        yield "Not evaluated yet."
    else:
        yield _table(found)
        data = found.summary.get("data")
        source = _inline(data.get("source")) if isinstance(data, Mapping) else "unknown data"
        protocol = _inline(found.summary.get("protocol") or "standard")
        chosen = " The checkpoint was chosen by its figures on these images."
        yield (
            f"On {source}, in percent, with 95 % intervals (bootstrap over images), by the "
            f"protocol `{protocol}`: every expression counts, each in its image's own size, in "
            f"whole pixels.{chosen if found.path.parent.name == 'validate' else ''}"
        )
    yield _FAIRNESS[fairness if isinstance(fairness, bool) else None]


def _table(found: Results) -> str:
    splits = found.table["split"].cast("string")
    rows = []
    for split in pc.unique(splits).to_pylist():
        table = found.table.filter(pc.equal(splits, split))
        intervals = bootstrap_each([table], list(_METRICS))
        rows.append([_inline(split), f"{len(table):,}", *map(_with_ends, intervals)])
    return _markdown(["split", "expressions", *_METRICS.values()], rows)


def _with_ends(interval: Interval) -> str:
    value, low, high = (f"{100 * number:.1f}" for number in interval)
    return value if low == "nan" else f"{value} [{low}, {high}]"


def _training(described: Description, config: Mapping[str, Any] | None, name: str) -> Iterator[str]:
    yield "## Training"
    facts = {
        "steps": f"{described.trained_steps:,}" if described.trained_steps else "unknown",
        "weights of the backbone before": _origin(described.about.get("backbone_weights")),
    }
    if config is None:
        yield _markdown(["", ""], [[key, value] for key, value in facts.items()])
        return
    data = config.get("data")
    sets = _data_sets(data) if isinstance(data, Mapping) else []
    facts = {"data": ", ".join(sets) or "unknown", **facts}
    seed = config.get("seed_everything")
    facts["seed"] = str(seed) if isinstance(seed, int) else "unknown"
    yield _markdown(["", ""], [[key, value] for key, value in facts.items()])
    root = "" if sets and all(one.split()[0] == _BUILT_IN for one in sets) else " --data.root DIR"
    yield (
        f"`refseg fit --config {TRAINING_FILE}{root}` trains such a model again (the file is "
        f"beside this one); `refseg test --checkpoint {name}{root}` evaluates this one."
    )


def _data_sets(data: Mapping[str, Any]) -> list[str]:
    """The data sets of a config, for people."""
    given = data.get("dataset")
    titles = []
    for one in given if isinstance(given, list) else [given]:
        entry = one if isinstance(one, Mapping) else {"name": one}
        split_by = entry.get("split_by") or data.get("split_by")
        if entry.get("name") is not None:
            title = _inline(entry["name"])
            titles.append(f"{title} ({_inline(split_by)})" if split_by else title)
    return titles


def _origin(origin: object) -> str:
    is_known = isinstance(origin, Mapping) and "origin" in origin
    return _inline(in_words(dict(origin))) if is_known else "unknown"  # type: ignore[call-overload]


def _network(pipeline: "Pipeline") -> Iterator[str]:
    network = pipeline.segmenter
    yield "## Network"
    rows = [
        [part.replace("_", " "), f"`{type(module).__name__}`", f"{_parameters(module):,}"]
        for part in ("backbone", "text_encoder", "fusion", "decoder")
        for module in [getattr(network, part)]
    ]
    rows.append(["all", f"`{type(network).__name__}`", f"{_parameters(network):,}"])
    yield _markdown(["part", "class", "parameters"], rows)
    tokenizer = pipeline.tokenizer
    yield (
        f"Images are fitted into {pipeline.image_size} × {pipeline.image_size} pixels "
        f"({pipeline.geometry}). Sentences are read by a `{type(tokenizer).__name__}` of "
        f"{tokenizer.vocab_size:,} ids, up to {tokenizer.max_words} {tokenizer.unit}."
    )


def _parameters(module: "nn.Module") -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _markdown(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _inline(value: object) -> str:
    """A value of unknown origin as plain text within a line of Markdown."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    for sign in "|`<>[]*":
        text = text.replace(sign, " ")
    return " ".join(text.split())[:_LONGEST]

"""What networks give in onnxruntime is what they give here."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from refseg.data import WordTokenizer
from refseg.inference.export import export
from refseg.inference.pipeline import Pipeline
from refseg.models.contracts.parts import built_network
from refseg.models.contracts.samples import VOCAB_SIZE, make_batch
from refseg.models.segmenter import Segmenter
from refseg.types import Batch

from .variants import BACKBONES, DECODERS, EARLY, FUSIONS, NETWORKS, OF_SEVERAL_MAPS, TEXT_ENCODERS

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

SIZE = 64
# Fusions and decoders on the cheapest of everything else.
SMALL = {
    **{name: ("small-fine-4", "lstm", name, "bilinear") for name in FUSIONS},
    **{name: ("small-fine-4", "lstm", "concat", name) for name in DECODERS},
}


def with_parts_of_their_own() -> list[str]:
    """Networks of which each has a part that none before it has, and neither a small one."""
    known = {part for parts in SMALL.values() for part in parts}
    found = []
    for name, parts in NETWORKS.items():
        if not known.issuperset(parts):
            found.append(name)
            known.update(parts)
    return found


pytestmark = pytest.mark.slow


def build(parts: tuple[str, str, str, str], folder: Path) -> Segmenter:
    torch.manual_seed(0)
    image, text, fusion, decoder = parts
    makers = (
        BACKBONES[image](folder),
        TEXT_ENCODERS[text](folder),
        {**FUSIONS, **EARLY}[fusion],
        {**DECODERS, **OF_SEVERAL_MAPS}[decoder],
    )
    return built_network(partial(Segmenter, *makers, VOCAB_SIZE)).eval()


def run(folder: Path, batch: Batch) -> np.ndarray:
    """The logits of both graphs, one after the other."""
    assert batch.images is not None
    features, logits = (
        onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in ("features", "logits")
    )
    maps = features.run(None, {"images": batch.images.numpy()})
    given = {f"map_{number}": each for number, each in enumerate(maps)}
    for name in ("tokens", "token_mask", "image_index"):
        given[name] = getattr(batch, name).numpy()
    heard = {each.name for each in logits.get_inputs()}
    (found,) = logits.run(None, {name: each for name, each in given.items() if name in heard})
    return found


def check(parts: tuple[str, str, str, str], models: Path, tmp_path: Path) -> None:
    network = build(parts, models)
    longest = 7 if parts[1] == "lstm-left-padding" else 20
    tokenizer = WordTokenizer(max_words=longest)
    tokenizer.build(["the red dog"])
    export(Pipeline(network, tokenizer, SIZE), tmp_path / "exported")
    for lengths, index in (((3, 5, 1, 7), (0, 1, 0, 2)), ((1,), (0,)), ((longest, 2), (0, 0))):
        batch = make_batch(lengths, index, (SIZE, SIZE), seed=3)
        with torch.no_grad():
            expected = network(batch).segmentation().numpy()
        np.testing.assert_allclose(run(tmp_path / "exported", batch), expected, 0, 1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_each_fusion_and_decoder(name: str, tmp_path: Path) -> None:
    check(SMALL[name], tmp_path, tmp_path)


@pytest.mark.parametrize("name", with_parts_of_their_own())
def test_whole_networks(name: str, transformers_models: Path, tmp_path: Path) -> None:
    check(NETWORKS[name], transformers_models, tmp_path)

"""CLIPSeg in parts against the whole network of the transformers library."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.geometry import Geometry
from refseg.losses import WeightedLogisticLoss
from refseg.models.backbones import ClipSegBackbone
from refseg.models.decoders import ClipSegDecoder
from refseg.models.fusion import NoFusion
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import TransformersEncoder
from refseg.models.weights.huggingface import Architecture, plain_config
from refseg.types import Batch, RunLengths

transformers = pytest.importorskip("transformers")

SENTENCES = ("red circle", "the large blue star on the left", "star")


@pytest.fixture(scope="module")
def folder(foreign_models: Path) -> str:
    return str(foreign_models / "clipseg")


@pytest.fixture
def network(folder: str) -> Segmenter:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return Segmenter(
        partial(ClipSegBackbone, folder),
        partial(TransformersEncoder, name=folder, sentence="projection"),
        NoFusion,
        partial(ClipSegDecoder, name=folder),
        vocab_size=len(tokenizer),
    )


def batch_of(folder: str, size: int, images: int = 2) -> tuple[Batch, torch.Tensor]:
    """Three sentences about random images, of which the second has two; and normalised pixels."""
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, 3, size, size), generator=draw, dtype=torch.uint8)
    masks = torch.zeros(3, size, size, dtype=torch.bool)
    for row in range(3):
        masks[row, 8 * row : 8 * row + 24, 16:40] = True
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    words = tokenizer([*SENTENCES], padding=True, return_tensors="pt")
    batch = Batch(
        pixels,
        words["input_ids"],
        words["attention_mask"].bool(),
        torch.tensor([0, 1, 1]),
        masks,
        SENTENCES,
        (0, 1, 2),
        (RunLengths(size, size, b""),) * 3,
        (Geometry.squash(size, size, size),) * images,
        ("",) * images,
    )
    return batch, (pixels.float() / 255 - 0.5) / 0.5


@pytest.mark.parametrize("size", [64, 96])
def test_logits_are_those_of_the_library(network: Segmenter, folder: str, size: int) -> None:
    """At the size that it was trained in, and where positions are interpolated."""
    batch, pixels = batch_of(folder, size)
    whole = transformers.CLIPSegForImageSegmentation.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = whole(
            input_ids=batch.tokens,
            attention_mask=batch.token_mask.long(),
            pixel_values=pixels[batch.image_index],
        ).logits
        found = network.eval()(batch).logits
    assert expected.std() > 0.1
    assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_an_image_of_no_whole_cells_is_read_beyond_its_edge(
    network: Segmenter, folder: str
) -> None:
    """By cells of the mean colour: the logits are those of the padded image."""
    batch, _ = batch_of(folder, 64)
    assert batch.images is not None
    whole = batch.images.clone()
    network.eval().backbone.normalization.mean.fill_(128 / 255)
    whole[..., 50:, :] = whole[..., 60:] = 128
    with torch.inference_mode():
        expected = network(batch_with(batch, whole)).logits[..., :50, :60]
        found = network(batch_with(batch, whole[..., :50, :60])).logits
    assert_close(found, expected, rtol=1e-4, atol=1e-5)


def batch_with(batch: Batch, images: torch.Tensor) -> Batch:
    from dataclasses import replace

    return replace(batch, images=images, masks=None)


def test_training_changes_the_decoder_alone_and_lowers_the_loss(
    network: Segmenter, folder: str
) -> None:
    batch, _ = batch_of(folder, 64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    assert {name.partition(".")[0] for name in trained} == {"decoder"}
    optimizer, loss = torch.optim.AdamW([*trained.values()], lr=0.01), WeightedLogisticLoss()
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        found = loss(network.train()(batch), batch)
        found.backward()
        losses.append(found.item())
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]
    for name, value in network.state_dict().items():
        is_trained = name in trained
        assert value.equal(before[name]) != is_trained, name


def test_what_does_not_belong_together(folder: str, transformers_models: Path) -> None:
    dims = ClipSegBackbone(folder).dims
    with pytest.raises(ConfigError, match=r"which ClipSegBackbone with NoFusion gives, got \(16,"):
        ClipSegDecoder((16,), 16, 12, folder)
    with pytest.raises(ConfigError, match=r"sentences of 12 numbers, got 16.*sentence: projection"):
        ClipSegDecoder(dims, 16, 16, folder)
    with pytest.raises(ConfigError, match="Expected a CLIPSeg"):
        ClipSegBackbone(str(transformers_models / "clip"))
    wrong = transformers.AutoConfig.from_pretrained(folder)
    wrong.extract_layers = [0, 3]
    architecture = Architecture(config=plain_config(wrong), mean=[0.5] * 3, std=[0.5] * 3)
    with pytest.raises(ConfigError, match=r"layers from 0 to 2 as extract_layers .*got \[0, 3\]"):
        ClipSegBackbone(folder, architecture=architecture)
    with pytest.raises(ConfigError, match=r"with its decoder.*\(CLIPSegModel\)"):
        ClipSegDecoder((16,) * 4, 16, 12, str(transformers_models / "clipseg"))

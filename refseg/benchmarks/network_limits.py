"""Networks that see an image once, beside the same ones that see it anew for each sentence."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from refseg.benchmarks.generated_data import GeneratedData, generated_batch
from refseg.benchmarks.limits import Comparison, Results
from refseg.benchmarks.plain_mlstm import PaperSize, matrix_products
from refseg.benchmarks.turns import Computation
from refseg.data.shapes import ShapesOptions
from refseg.models.backbones import TorchvisionBackbone, TransformersBackbone
from refseg.models.decoders import BilinearDecoder, SkipConnectionDecoder
from refseg.models.fusion import LanguageAwareFusion, MultimodalLSTM
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import LSTMEncoder
from refseg.models.weights.huggingface import Architecture
from refseg.types import Batch

_SWIN_T = Architecture(
    config={"model_type": "swin", "embed_dim": 96, "depths": [2, 2, 6, 2], "window_size": 7},
    mean=[0.485, 0.456, 0.406],
    std=[0.229, 0.224, 0.225],
)


_Result = TypeVar("_Result")


class NetworkSize(NamedTuple):
    """What a network is given, and how wide RMI is.

    Args:
        image_size: pixels of a side.
        images: of a batch.
        expressions: of a batch.
        dim: of a word's embedding, of the LSTM's state, and of the image's vectors.
        hidden_dim: channels of the mLSTM's state.
    """

    image_size: int = 320
    images: int = 5
    expressions: int = 36
    dim: int = 1000
    hidden_dim: int = 500


def compare_early_fusion(
    size: NetworkSize, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Comparison:
    """A forward pass of LAVT's fusion in a Swin-T, several sentences on each image.

    The reference computes the whole backbone for each sentence. The limit is that of stem and first
    stage for each image and of all other parts for each sentence, each part alone with its input at
    hand.

    Args:
        size: of everything.
        device: `cpu` or `cuda`.
        dtype: of the matrix products.
    """
    data = _data(size)
    torch.manual_seed(0)
    network = Segmenter(
        partial(
            TransformersBackbone,
            "swin-tiny",
            every_stage=True,
            frozen=False,
            architecture=_SWIN_T,
        ),
        partial(LSTMEncoder, embedding_dim=size.dim, hidden_dim=size.dim),
        LanguageAwareFusion,
        SkipConnectionDecoder,
        data.vocab_size,
    )
    network = network.to(device).eval()
    batch = generated_batch(data, size.images, size.expressions).to(device)
    alone = [batch.select([place]) for place in range(len(batch))]
    own = torch.cat([each.images for each in alone if each.images is not None])
    every = torch.arange(len(batch), device=device)

    @_forward(device, dtype)
    def reference() -> Results:
        maps = network.backbone.maps(own, network.first_site)
        return {"logits": network.answer(maps, batch, every).logits}

    @_forward(device, dtype)
    def ours() -> Results:
        return {"logits": network(batch).logits}

    with _precision(device, dtype):
        parts = _parts_alone(network, batch)

    @_forward(device, dtype)
    def limit() -> None:
        for part in parts:
            part()

    return Comparison("early fusion", ours, reference, limit, network, _tensors(batch))


def compare_one_by_one(
    size: NetworkSize, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Comparison:
    """Forward passes of an evaluation of RMI on ResNet-101, each expression by itself.

    The reference computes the backbone in the forward pass of each expression; we once for each
    image. The limit is the backbone, once for each image, and the fusion's matrix products.

    Args:
        size: of everything.
        device: `cpu` or `cuda`.
        dtype: of the matrix products.
    """
    data = _data(size)
    torch.manual_seed(0)
    network = Segmenter(
        partial(TorchvisionBackbone, "resnet101", stride=8, frozen=True),
        partial(LSTMEncoder, embedding_dim=size.dim, hidden_dim=size.dim),
        partial(MultimodalLSTM, hidden_dim=size.hidden_dim, projection_dim=size.dim),
        BilinearDecoder,
        data.vocab_size,
    )
    network = network.to(device).eval()
    batch = generated_batch(data, size.images, size.expressions).to(device)

    @_forward(device, dtype)
    def ours() -> Results:
        return {"logits": network.one_by_one(batch).logits}

    @_forward(device, dtype)
    def reference() -> Results:
        singles = [batch.select([place]) for place in range(len(batch))]
        return {"logits": torch.cat([network(single).logits for single in singles])}

    images = batch.images
    assert images is not None
    products = matrix_products(
        PaperSize(
            grid=-(-size.image_size // 8),
            image_dim=size.dim,
            word_dim=2 * size.dim,
            hidden_dim=size.hidden_dim,
            images=size.images,
        ),
        batch.token_mask.sum(1).tolist(),
        backward=False,
        at_once=1,
        device=device,
        dtype=dtype,
    )

    @_forward(device, dtype)
    def limit() -> None:
        for image in images.split(1):
            network.backbone(image)
        products()

    return Comparison("one by one", ours, reference, limit, network, _tensors(batch))


def _parts_alone(network: Segmenter, batch: Batch) -> list[Computation]:
    """The parts of an early fusion's network, each of which finds its input at hand."""
    assert batch.images is not None
    backbone, fusion, first = network.backbone, network.fusion, network.first_site
    assert first is not None
    with torch.no_grad():
        parts: list[Computation] = [partial(backbone.maps, batch.images, first)]
        *kept, current = (each[batch.image_index] for each in network.see(batch))
        parts.append(partial(network.text_encoder, batch.tokens, batch.token_mask))
        text = network.text_encoder(batch.tokens, batch.token_mask)
        for number in range(first, len(backbone.stages)):
            if number > first:
                parts.append(partial(backbone.stages[number], current))
                current = backbone.stages[number](current)
            tapped = backbone.cells(current)
            if number in fusion.sites:
                parts.append(partial(fusion.at_stage, number, tapped, text))
                tapped, shown = fusion.at_stage(number, tapped, text)
                current = backbone.with_cells(current, shown)
            if number in backbone.taps:
                kept.append(tapped)
        every = torch.arange(len(batch), device=batch.tokens.device)
        maps = fusion(backbone.neck(tuple(kept), batch.size), text, every)
        parts.append(partial(network.decoder, maps, text, batch.size))
    return parts


def _data(size: NetworkSize) -> GeneratedData:
    return GeneratedData(shapes=ShapesOptions(train_images=100), image_size=size.image_size)


def _forward(
    device: str, dtype: torch.dtype
) -> Callable[[Callable[[], _Result]], Callable[[], _Result]]:
    """Let a function compute without gradients in a precision."""

    def wrap(compute: Callable[[], _Result]) -> Callable[[], _Result]:
        def run() -> _Result:
            with torch.no_grad(), _precision(device, dtype):
                return compute()

        return run

    return wrap


def _precision(device: str, dtype: torch.dtype) -> AbstractContextManager[object]:
    is_lower = dtype != torch.float32
    return torch.autocast(device, dtype if is_lower else None, is_lower)


def _tensors(batch: Batch) -> Sequence[Tensor]:
    return [value for value in vars(batch).values() if isinstance(value, Tensor)]

"""RMI's fusion as the usual code writes it, and the matrix products that it cannot do without."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from refseg.benchmarks.generated_data import sentence_lengths
from refseg.benchmarks.limits import Comparison, Results, gradients
from refseg.models.coordinates import coordinates
from refseg.models.fusion import MultimodalLSTM
from refseg.models.fusion.mlstm import unsquash
from refseg.types import TextFeatures


class PaperSize(NamedTuple):
    """How large the mLSTM's inputs are; by default as in the paper.

    Args:
        grid: rows and columns of the image's map: 40 of 8 pixels.
        image_dim: channels of the map.
        word_dim: length of a word's vector.
        hidden_dim: channels of the state.
        words: steps of the longest sentence, or of all.
        expressions: of a batch.
        images: of a batch.
    """

    grid: int = 40
    image_dim: int = 1000
    word_dim: int = 1000
    hidden_dim: int = 500
    words: int = 20
    expressions: int = 16
    images: int = 4


class _Inputs(NamedTuple):
    seen: Float[Tensor, " images dim h w"]
    words: Float[Tensor, " expressions words word_dim"]
    token_mask: Bool[Tensor, " expressions words"]
    image_index: Int64[Tensor, " expressions"]


def compare_sentence(
    size: PaperSize, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> list[Comparison]:
    """One sentence of `size.words` words on one image: a forward pass, and one with backward.

    Args:
        size: of everything.
        device: `cpu` or `cuda`.
        dtype: of the matrix products.
    """
    one = size._replace(expressions=1, images=1)
    return [
        _comparison("mlstm", one, [size.words], False, None, device, dtype),
        _comparison("mlstm, backward", one, [size.words], True, None, device, dtype),
    ]


def compare_batch(
    size: PaperSize,
    at_once: int | None = 1,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Comparison:
    """A batch with sentences of RefCOCO's lengths, padded, with backward.

    The reference runs all `size.words` steps of each; the limit only those that carry words.

    Args:
        size: of everything.
        at_once: how many expressions are read together; None: all, as a GPU wants.
        device: `cpu` or `cuda`.
        dtype: of the matrix products.
    """
    lengths = [min(length, size.words) for length in sentence_lengths(size.expressions)]
    return _comparison("lengths, backward", size, lengths, True, at_once, device, dtype)


def plain_loop(
    fusion: MultimodalLSTM,
    seen: Float[Tensor, " images dim h w"],
    words: Float[Tensor, " expressions words word_dim"],
    token_mask: Bool[Tensor, " expressions words"],
    image_index: Int64[Tensor, " expressions"],
) -> Float[Tensor, " expressions hidden_dim h w"]:
    """What the fusion computes, step by step: tile, concatenate, convolve, gate.

    Each step, of padding too, convolves [state, image, word, coordinates] by one kernel, as the
    paper's formula and its code do.

    Args:
        fusion: whose weights are taken.
        seen: the image's map.
        words: their vectors.
        token_mask: True at a word; at padding state and memory stay.
        image_index: which image each expression looks at.
    """
    visual = fusion.visual
    parts = [fusion.recurrent.weight, visual.image.weight.flatten(1)]
    parts += [fusion.word.weight, visual.coordinates.weight.flatten(1)]
    kernel = torch.cat(parts, dim=1)[:, :, None, None]
    image = functional.normalize(seen, dim=1, eps=1e-6).index_select(0, image_index)
    expressions, _, h, w = image.shape
    positions = coordinates(h, w, seen.device).expand(expressions, -1, -1, -1)
    state = memory = image.new_zeros(expressions, fusion.hidden_dim, h, w)
    is_padded = not bool(token_mask.all())
    for step in range(words.shape[1]):
        word = words[:, step, :, None, None].expand(-1, -1, h, w)
        inputs = torch.cat([state, image, word, positions], dim=1)
        gates = functional.conv2d(inputs, kernel, visual.image.bias)
        input, forget, candidate, output = gates.chunk(4, dim=1)
        after = forget.sigmoid() * memory + input.sigmoid() * candidate.tanh()
        next_state = output.sigmoid() * after.tanh()
        if is_padded:
            reads = token_mask[:, step, None, None, None]
            after = torch.where(reads, after, memory)
            next_state = torch.where(reads, next_state, state)
        memory, state = after, next_state
    return unsquash(state).relu()


def matrix_products(
    size: PaperSize,
    lengths: Sequence[int],
    backward: bool,
    at_once: int | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Callable[[], None]:
    """The products that the fusion needs, without anything else, into memory that is at hand.

    They are: of each image's cells once, of each word once, and of the state in each cell for each
    word but the first. Backward has two more for each, for the gradients of either factor.

    Args:
        size: of everything.
        lengths: words of each expression.
        backward: with those of the gradients.
        at_once: how many expressions are multiplied together, None: all.
        device: `cpu` or `cuda`.
        dtype: of the numbers.
    """
    cells, gates = size.grid**2, 4 * size.hidden_dim
    products = [(size.images * cells, size.image_dim), (sum(lengths), size.word_dim)]
    ordered = sorted(lengths, reverse=True)
    group = at_once or len(ordered)
    for first in range(0, len(ordered), group):
        together = ordered[first : first + group]
        for step in range(1, together[0]):
            reading = sum(length > step for length in together)
            products.append((reading * cells, size.hidden_dim))

    def made(*shape: int) -> Tensor:
        return torch.randn(shape, device=device, dtype=dtype)

    factors = {
        (rows, width): (made(rows, width), made(width, gates), made(rows, gates))
        for rows, width in set(products)
    }

    @torch.no_grad()
    def compute() -> None:
        for product in products:
            inputs, weights, results = factors[product]
            torch.mm(inputs, weights, out=results)
        for product in reversed(products) if backward else ():
            inputs, weights, results = factors[product]
            torch.mm(results, weights.T, out=inputs)
            torch.mm(inputs.T, results, out=weights)
            weights.fill_(0.01)  # so that no number grows from round to round

    return compute


def _comparison(
    name: str,
    size: PaperSize,
    lengths: Sequence[int],
    backward: bool,
    at_once: int | None,
    device: str,
    dtype: torch.dtype,
) -> Comparison:
    torch.manual_seed(0)
    fusion = MultimodalLSTM(
        (size.image_dim,), size.word_dim, 1, size.hidden_dim, expressions_at_once=at_once
    ).to(device)
    inputs = _inputs(size, lengths, backward, device)
    direction = torch.randn(len(lengths), size.hidden_dim, size.grid, size.grid).to(device)
    precision = torch.autocast(
        device, dtype if dtype != torch.float32 else None, dtype != torch.float32
    )

    def ours(given: _Inputs) -> Tensor:
        text = TextFeatures(given.words, given.words[:, 0, :1], given.token_mask)
        return fusion((given.seen,), text, given.image_index)[-1]

    with torch.no_grad():  # at 0 the ReLU's gradient tips over with the last bit
        direction *= ours(inputs) > 1e-4

    def run(
        way: Callable[[_Inputs], Tensor], groups: Callable[[], Iterator[tuple[_Inputs, Tensor]]]
    ) -> Results:
        fused = []
        with precision, torch.set_grad_enabled(backward):
            for given, weights in groups():
                fused.append(way(given))
                if backward:
                    fused[-1].backward(weights)
                    fused[-1] = fused[-1].detach()
        named = {"image": inputs.seen, "words": inputs.words}
        return {"state": torch.cat(fused), **gradients(fusion, named)}

    def together() -> Iterator[tuple[_Inputs, Tensor]]:
        yield inputs, direction

    def in_groups() -> Iterator[tuple[_Inputs, Tensor]]:
        """As many expressions of the reference as are read together: all would not fit."""
        rows = [*range(len(lengths))]
        for first in range(0, len(rows), at_once or len(rows)):
            part = slice(first, first + (at_once or len(rows)))
            given = _Inputs(
                inputs.seen, inputs.words[part], inputs.token_mask[part], inputs.image_index[part]
            )
            yield given, direction[part]

    return Comparison(
        name,
        partial(run, ours, together),
        partial(run, lambda given: plain_loop(fusion, *given), in_groups),
        matrix_products(size, lengths, backward, at_once, device, dtype),
        fusion,
        [*inputs, direction],
    )


def _inputs(size: PaperSize, lengths: Sequence[int], backward: bool, device: str) -> _Inputs:
    generator = torch.Generator().manual_seed(1)
    seen = torch.randn(size.images, size.image_dim, size.grid, size.grid, generator=generator)
    words = torch.randn(len(lengths), size.words, size.word_dim, generator=generator)
    places = torch.arange(size.words)
    token_mask = places < torch.tensor(lengths)[:, None]
    index = torch.arange(len(lengths)) * size.images // len(lengths)
    leaves = [
        tensor.to(device).requires_grad_(backward)
        for tensor in chain([seen], [words * token_mask[:, :, None]])
    ]
    return _Inputs(leaves[0], leaves[1], token_mask.to(device), index.to(device))

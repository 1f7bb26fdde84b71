"""The fusion of RMI: an LSTM in every cell of the image that reads the words one by one."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal, no_type_check

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.base import Backbone
from refseg.models.fusion.base import WordByWord, WordStep, finer_maps, passed_dims
from refseg.models.fusion.cell_lstm import numbers_reading, read_words, words_read
from refseg.models.fusion.projection import ProjectionStart, VisualProjection
from refseg.models.parameters import start_xavier
from refseg.precision import full_precision
from refseg.types import Maps, TextFeatures


class MultimodalLSTM(WordByWord):
    """A 1×1-convolutional LSTM over [image, word, sentence so far, coordinates].

    All cells share one LSTM, and each has its own state. Three things make it fast without changing
    what it computes: the part of the gates that does not depend on the words is computed once per
    image; the part that does not depend on the cell once per word; and an expression takes part
    only in as many steps as it has words, so that padding costs nothing.

    Unlike the paper's text, and like its code, the result is not the state h but ReLU(atanh(h)),
    which undoes the squashing of the output; `output="state"` gives h.

    State, memory and result are float32 (float64, if the weights are) in any precision of the
    trainer: rounding would add up from word to word, and the atanh ends in it. The matrix products
    have the trainer's precision.

    Args:
        dims: channels of the maps, of which the coarsest is fused; supplied by the backbone.
        word_dim: length of the vector of a word; supplied by the text encoder.
        sentence_dim: not used: this fusion reads the words.
        hidden_dim: channels of the state; 500 in the paper.
        normalize: scale the image's feature vector of each cell to length one, as the paper does.
        output: `atanh` as the paper's code, `state` as its text.
        projection_dim: channels of a 1×1 convolution over the image's map before it is normalised;
            1000 in the paper. None: there is no such convolution.
        projection_start: what that convolution starts as: random numbers (`xavier`), or the
            `classifier` that came with the backbone's weights, fc1000 of ImageNet in RMI's R.
        expressions_at_once: how many expressions are read together, null for all. A few fit into
            the cache of a processor, which nearly halves the time there; a GPU wants them all.
        recompute_gates: for the gradient, keep state and memory after every second word alone, and
            compute the rest anew, two words at a time: of 20 words a third of the memory, and a
            quarter more time.

    References:
        Liu et al., *Recurrent Multimodal Interaction for Referring Image Segmentation*, ICCV 2017,
        https://arxiv.org/abs/1703.07939, section 4.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int = 500,
        normalize: bool = True,
        output: Literal["atanh", "state"] = "atanh",
        expressions_at_once: int | None = None,
        projection_dim: int | None = None,
        projection_start: ProjectionStart = "xavier",
        recompute_gates: bool = False,
    ) -> None:
        super().__init__()
        self.dims, self.hidden_dim, self.output = passed_dims(dims, hidden_dim), hidden_dim, output
        self.expressions_at_once, self.recompute_gates = expressions_at_once, recompute_gates
        self.visual = VisualProjection(
            dims[-1], 4 * hidden_dim, normalize, projection_dim, projection_start
        )
        self.word = nn.Linear(word_dim, 4 * hidden_dim, bias=False)
        self.recurrent = nn.Linear(hidden_dim, 4 * hidden_dim, bias=False)
        self._initialize()

    @torch.no_grad()
    def _initialize(self) -> None:
        """Glorot over the whole kernel, as one convolution over all inputs would start."""
        parts = [
            self.visual.image.weight,
            self.visual.coordinates.weight,
            self.word.weight,
            self.recurrent.weight,
        ]
        bias = self.visual.image.bias
        assert bias is not None
        start_xavier(parts, [bias])
        bias.chunk(4)[1].fill_(1.0)  # gate order: input, forget, candidate, output

    def initialize_from(self, backbone: Backbone) -> None:
        """Start the projection of the image as `projection_start` says."""
        self.visual.initialize_from(backbone)

    def keeping_image(self) -> AbstractContextManager[None]:
        """Keep the projection of the last image."""
        return self.visual.keeping_last()

    def forward(
        self,
        maps: Maps,
        text: TextFeatures,
        image_index: Int64[Tensor, " expressions"],
    ) -> Maps:
        """Fuse each expression with the image that it looks at."""
        if torch.compiler.is_exporting() or not self._is_plain:
            return self._plain(maps, text, image_index)
        visual = self._cells(maps[-1])
        lengths = text.token_mask.sum(1)
        order = lengths.argsort(descending=True, stable=True)
        states: list[Tensor] = []
        for rows in order.split(self.expressions_at_once or len(order)):
            # index_select, since the gradient of indexing depends on the order of the threads
            seen = visual.index_select(0, image_index[rows])
            said = self.word(text.words.index_select(0, rows))
            reading = numbers_reading(text.token_mask[rows])
            weight = self.recurrent.weight
            states.append(read_words(seen, said, weight, reading, self.recompute_gates))
        hidden = self._map(torch.cat(states).index_select(0, order.argsort()), maps[-1])
        return (*finer_maps(maps, image_index), self._fused(hidden))

    def _plain(self, maps: Maps, text: TextFeatures, image_index: Tensor) -> Maps:
        """The same without control flow that depends on the data, for `torch.export`."""
        from refseg.models.recurrence import is_number_of_words_open, scanned

        visual = self._cells(maps[-1]).index_select(0, image_index)
        said = self.word(text.words)

        @no_type_check  # at run time, which torch cannot look into
        def step(states: tuple[Tensor, ...], word: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            (state, memory), (said, reads) = states, word
            before = state.to(self.recurrent.weight.dtype)
            gates = visual + said[:, None] + self.recurrent(before)
            input, forget, candidate, output = gates.chunk(4, dim=-1)
            after = forget.sigmoid() * memory + input.sigmoid() * candidate.tanh()
            reads = reads[:, None, None]
            state = torch.where(reads, output.sigmoid() * after.tanh(), state)
            return state, torch.where(reads, after, memory)

        states: tuple[Tensor, ...] = (
            torch.zeros_like(visual[..., : self.hidden_dim]),
            torch.zeros_like(visual[..., : self.hidden_dim]),
        )
        words = said.transpose(0, 1), text.token_mask.transpose(0, 1)
        if is_number_of_words_open(text.words):
            states = scanned(step, states, words)
        else:
            for number in range(text.words.shape[1]):
                states = step(states, (words[0][number], words[1][number]))
        state, _ = states
        hidden = self._map(state, maps[-1])
        return (*finer_maps(maps, image_index), self._fused(hidden))

    def steps(
        self,
        maps: Maps,
        text: TextFeatures,
        image_index: Int64[Tensor, " expressions"],
    ) -> Iterator[WordStep]:
        """Yield the state after each word; after its last word an expression's stays.

        The activation is the mean over the channels of atanh(h), what the paper shows
        (`mult_state` in its code), or of h.
        """
        finer = finer_maps(maps, image_index)
        lengths = text.token_mask.sum(1)
        order = lengths.argsort(descending=True, stable=True)
        visual = self._cells(maps[-1])[image_index[order]]
        readings = self._read(visual, text.words[order], lengths[order])
        next(readings)  # nothing is read yet
        back = order.argsort()
        for states in readings:
            hidden = self._map(torch.cat(states)[back], maps[-1])
            yield WordStep((*finer, self._fused(hidden)), hidden.mean(dim=1))

    def _fused(
        self, hidden: Float[Tensor, " expressions hidden_dim h w"]
    ) -> Float[Tensor, " expressions hidden_dim h w"]:
        """ReLU of atanh(h), or h as it is."""
        return functional.relu(hidden) if self.output == "atanh" else hidden

    def _cells(self, seen: Tensor) -> Float[Tensor, " images cells gates"]:
        return full_precision(self.visual(seen)).flatten(2).transpose(1, 2).contiguous()

    def _read(
        self,
        visual: Float[Tensor, " expressions cells gates"],
        words: Float[Tensor, " expressions words word_dim"],
        lengths: Int64[Tensor, " expressions"],
    ) -> Iterator[list[Float[Tensor, " _ cells hidden_dim"]]]:
        """Yield the states before the first word and after each, in parts to be concatenated.

        The longest expression comes first: those that still read are always the first part.
        """
        said = self.word(words)  # expressions words gates
        last = visual.new_zeros(*visual.shape[:2], self.hidden_dim)
        finished: list[Tensor] = []
        yield [last]
        places = torch.arange(words.shape[1], device=words.device)
        reading = numbers_reading(lengths[:, None] > places)
        for state in self._states(visual, said, reading):
            if len(state) < len(last):
                finished = [last[len(state) :], *finished]
            last = state
            yield [last, *finished]
        for _ in range(words.shape[1] - len(reading)):  # padding of all
            yield [last, *finished]

    def _states(
        self,
        visual: Float[Tensor, " expressions cells gates"],
        said: Float[Tensor, " expressions words gates"],
        reading: Sequence[int],
    ) -> Iterator[Float[Tensor, " reading cells hidden_dim"]]:
        """The states of those that still read, after each word; also with gradients of each."""
        if self._is_plain and not torch.is_grad_enabled():
            words = words_read(visual, said, self.recurrent.weight, reading, keeps_gates=False)
            yield from (word.state for word in words)
            return
        state = memory = visual.new_zeros(*visual.shape[:2], self.hidden_dim)
        for step, rows in enumerate(reading):
            before = state[:rows].to(self.recurrent.weight.dtype)
            gates = visual[:rows] + said[:rows, step, None] + self.recurrent(before)
            input, forget, candidate, output = gates.chunk(4, dim=-1)
            memory = forget.sigmoid() * memory[:rows] + input.sigmoid() * candidate.tanh()
            state = output.sigmoid() * memory.tanh()
            yield state

    @property
    def _is_plain(self) -> bool:
        """Whether the weight of the state is all that there is: no adapter is around it."""
        return type(self.recurrent) is nn.Linear

    def _map(
        self, states: Float[Tensor, " expressions cells hidden_dim"], seen: Tensor
    ) -> Float[Tensor, " expressions hidden_dim h w"]:
        if self.output == "atanh":
            states = unsquash(states)
        return states.transpose(1, 2).unflatten(2, seen.shape[-2:])


def unsquash(states: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """What the output's tanh was given, within ±3.8: an atanh that is finite at ±1.

    Example:
        >>> unsquash(torch.tensor([0.0, 0.5, 1.0]))
        tensor([0.0000, 0.5486, 3.8007])
    """
    states = full_precision(states)  # to bfloat16, 1.001 is 1, and the second logarithm infinite
    return 0.5 * (torch.log(1.001 + states) - torch.log(1.001 - states))

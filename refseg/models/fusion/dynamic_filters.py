"""The fusion of DMN: each word makes filters for the image, and an LSTM in every cell reads on."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.coordinates import coordinates
from refseg.models.fusion.base import WordByWord, WordStep, finer_maps, passed_dims
from refseg.models.fusion.projection import VisualProjection
from refseg.precision import full_precision, without_autocast
from refseg.types import Maps, TextFeatures

EXPRESSIONS_AT_ONCE = 4
"""Expressions of similar length that are read together."""


class _Seen(NamedTuple):
    """What a map of the image comes to before any word is heard.

    Args:
        cells: projected, as the LSTM of each cell reads them.
        located: the map and its coordinates, which the filters respond to.
    """

    cells: Float[Tensor, " images cells mixed_dim"]
    located: Float[Tensor, " images channels cells"]


class DynamicFilters(WordByWord):
    """1×1 filters from each word, their responses beside image and word, and an LSTM in each cell.

    With r the vector of a word and V the map of the image with its coordinates:

        filters  = sigmoid(W r + b)                   K of them, one number per channel of V
        response = filters · V                        K maps
        m        = 1×1 convolution over [V, r, response]
        state    = LSTM over the words' m, in each cell, all cells sharing one LSTM

    The result is the state after the last word. Without filters (`filters: 0`) it is RMI with a
    convolution before its LSTM.

    Unlike the published model, the LSTM is an LSTM and not three layers of SRU. It reads in float32
    (float64, if the weights are) in any precision of the trainer.

    Args:
        dims: channels of the maps, of which the coarsest is fused; supplied by the backbone.
        word_dim: length of the vector of a word, in the paper its embedding with the state of the
            sentence's LSTM (`LSTMEncoder.word_features: embedding_and_state`); supplied by the text
            encoder.
        sentence_dim: not used: this fusion reads the words.
        hidden_dim: channels of the state; 1005 in the paper.
        filters: per word; 10 in the paper.
        mixed_dim: channels of m; 1000 in the paper. null: `hidden_dim`.
        layers: of the LSTM in each cell; 3 of SRU in the paper.
        filter_dim: numbers at the end of a word's vector that its filters are made of: the state of
            the sentence's LSTM without the embedding. null, as in the paper: all of them.
        as_one_sequence: as the paper's code has it, and not its text: the LSTM reads the words of
            one cell, then those of the next one, without ever starting anew, and the result is made
            of its last h · w outputs, which belong to the last cells' words and not to the last
            word of each cell. Slow, and of use for comparison only.

    Raises:
        ConfigError: there are fewer filters than none, or words are shorter than `filter_dim`.

    References:
        Margffoy-Tuay et al., *Dynamic Multimodal Instance Segmentation Guided by Natural Language
        Queries*, ECCV 2018, https://arxiv.org/abs/1807.02257, sections 3.2 and 3.3.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int = 1005,
        filters: int = 10,
        mixed_dim: int | None = None,
        layers: int = 1,
        filter_dim: int | None = None,
        as_one_sequence: bool = False,
    ) -> None:
        super().__init__()
        if filters < 0:
            raise ConfigError(f"Expected filters of 0 or more, got {filters}.")
        if filter_dim is not None and not 0 < filter_dim <= word_dim:
            raise ConfigError(
                f"Expected filter_dim from 1 to the length of a word's vector, {word_dim}, got "
                f"{filter_dim}; leave it out to use all of it."
            )
        self.dims = passed_dims(dims, hidden_dim)
        self.filters, self.filter_dim = filters, filter_dim or word_dim
        self.as_one_sequence = as_one_sequence
        mixed = mixed_dim or hidden_dim
        self.visual = VisualProjection(dims[-1], mixed, normalize=False)
        self.word = nn.Linear(word_dim, mixed, bias=False)
        if filters:
            self.filter = nn.Linear(self.filter_dim, filters * (dims[-1] + 8))
            self.response = nn.Linear(filters, mixed, bias=False)
        self.lstm = nn.LSTM(mixed, hidden_dim, layers, batch_first=True)

    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        """Fuse each expression with the image that it looks at."""
        seen = self._seen(maps[-1])
        if self.as_one_sequence:
            mixed = self._mixed(seen, text.words, image_index)
            state = self._one_sequence(mixed, text.token_mask)
        else:
            state = self._last_states(seen, text, image_index)
        return (*finer_maps(maps, image_index), _as_map(state, maps[-1]))

    def steps(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Iterator[WordStep]:
        """Yield the state after each word; the activation is its mean over the channels."""
        finer = finer_maps(maps, image_index)
        mixed = self._mixed(self._seen(maps[-1]), text.words, image_index)
        states = None if self.as_one_sequence else self._states(mixed)
        every = torch.arange(mixed.shape[0], device=mixed.device)
        last = text.token_mask.sum(1) - 1
        for step in range(mixed.shape[2]):
            if states is None:
                read = text.token_mask[:, : step + 1]
                state = self._one_sequence(mixed[:, :, : step + 1], read)
            else:
                state = states[every, :, last.clamp(max=step)]
            fused = _as_map(state, maps[-1])
            yield WordStep((*finer, fused), fused.mean(dim=1))

    def _seen(self, maps: Float[Tensor, " images _ h w"]) -> _Seen:
        """What does not depend on the words, once per image."""
        dtype = self.word.weight.dtype
        cells = self.visual(maps).to(dtype).flatten(2).transpose(1, 2)
        h, w = maps.shape[-2:]
        where = coordinates(h, w, maps.device).to(dtype).expand(maps.shape[0], -1, -1, -1)
        return _Seen(cells, torch.cat([maps.to(dtype), where], dim=1).flatten(2))

    def _mixed(
        self,
        seen: _Seen,
        words: Float[Tensor, " expressions words word_dim"],
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions cells words mixed_dim"]:
        """What the LSTM of each cell reads."""
        words = words.to(self.word.weight.dtype)
        mixed = seen.cells.index_select(0, image_index)[:, :, None] + self.word(words)[:, None]
        if not self.filters:
            return mixed
        filters = self.filter(words[:, :, -self.filter_dim :]).sigmoid()
        filters = filters.unflatten(2, (self.filters, -1)).flatten(1, 2)
        response = filters @ seen.located.index_select(0, image_index)
        response = response.unflatten(1, (-1, self.filters)).permute(0, 3, 1, 2)
        return mixed + self.response(response)

    def _last_states(
        self, seen: _Seen, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Float[Tensor, " expressions cells hidden_dim"]:
        """The state of each cell after the last word.

        Expressions of similar length are read together, up to the longest of them: what is padded
        is hardly read.
        """
        last = text.token_mask.sum(1) - 1
        every = torch.arange(last.shape[0], device=last.device)
        if torch.compiler.is_exporting():  # which knows no control flow that depends on the data
            return self._states(self._mixed(seen, text.words, image_index))[every, :, last]
        order = last.argsort(stable=True)
        found = []
        for rows in order.split(EXPRESSIONS_AT_ONCE):
            words = text.words.index_select(0, rows)[:, : int(last[rows].max()) + 1]
            states = self._states(self._mixed(seen, words, image_index[rows]))
            found.append(states[every[: len(rows)], :, last[rows]])
        return torch.cat(found).index_select(0, order.argsort())

    def _states(
        self, mixed: Float[Tensor, " expressions cells words mixed_dim"]
    ) -> Float[Tensor, " expressions cells words hidden_dim"]:
        """The state of each cell after each word; what is padded on the right comes after all."""
        return self._read(mixed.flatten(0, 1)).unflatten(0, mixed.shape[:2])

    def _one_sequence(
        self,
        mixed: Float[Tensor, " expressions cells words mixed_dim"],
        token_mask: Bool[Tensor, " expressions words"],
    ) -> Float[Tensor, " expressions cells hidden_dim"]:
        found = []
        for own, length in zip(mixed, token_mask.sum(1).tolist(), strict=True):
            found.append(self._read(own[:, :length].flatten(0, 1)[None])[0, -len(own) :])
        return torch.stack(found)

    def _read(
        self, sequences: Float[Tensor, " rows words mixed_dim"]
    ) -> Float[Tensor, " rows words hidden_dim"]:
        """The states of the LSTM, whose errors would add up from word to word."""
        weights = {name: full_precision(weight) for name, weight in self.lstm.named_parameters()}
        with without_autocast(sequences.device):
            exact = full_precision(sequences)
            if torch.compiler.is_exporting():
                from refseg.models.recurrence import is_number_of_words_open, scanned_lstm

                plain = scanned_lstm if is_number_of_words_open(exact) else _plain_lstm
                return plain(exact, weights, self.lstm.num_layers)
            if self.lstm.weight_hh_l0.dtype == exact.dtype:
                return self.lstm(exact)[0]
            return torch.func.functional_call(self.lstm, weights, exact)[0]


def _plain_lstm(
    sequences: Float[Tensor, " rows words mixed_dim"], weights: dict[str, Tensor], layers: int
) -> Float[Tensor, " rows words hidden_dim"]:
    """What `nn.LSTM` computes, for `torch.export`, which does not see into its kernels."""
    for layer in range(layers):
        of_input, of_state = weights[f"weight_ih_l{layer}"], weights[f"weight_hh_l{layer}"]
        bias = weights[f"bias_ih_l{layer}"] + weights[f"bias_hh_l{layer}"]
        state = memory = sequences.new_zeros(sequences.shape[0], of_state.shape[1])
        states = []
        for word in sequences.unbind(1):
            gates = functional.linear(word, of_input, bias) + functional.linear(state, of_state)
            input, forget, candidate, output = gates.chunk(4, dim=1)
            memory = forget.sigmoid() * memory + input.sigmoid() * candidate.tanh()
            state = output.sigmoid() * memory.tanh()
            states.append(state)
        sequences = torch.stack(states, dim=1)
    return sequences


def _as_map(
    state: Float[Tensor, " expressions cells hidden_dim"], seen: Float[Tensor, " images _ h w"]
) -> Float[Tensor, " expressions hidden_dim h w"]:
    return state.transpose(1, 2).unflatten(2, seen.shape[-2:])

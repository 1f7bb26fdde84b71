"""Keeping the part of a network that others trained as it is."""

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import nn

Part = TypeVar("Part", bound="Pretrained")


class Pretrained(nn.Module):
    """A part built around a `trunk` that may stay as others trained it.

    A frozen trunk gets no gradients, is computed without a graph, and stays in evaluation mode
    (statistics of batch normalisation, dropout) whatever the mode of the part. What the part adds
    to the trunk, a pyramid for one, is trained all the same; and so are adapters in its layers, for
    which the trunk needs a graph.
    """

    trunk: nn.Module
    frozen: bool
    unused: frozenset[str] = frozenset()
    """Names of parameters of the trunk that what it gives does not depend on."""
    adapters: tuple[nn.Module, ...] = ()
    """Layers of a frozen trunk with small ones beside them that are trained."""

    def hold(self, trunk: nn.Module, frozen: bool) -> None:
        """Take the trunk in; its parameters are trained unless it is frozen."""
        self.trunk, self.frozen = trunk, frozen
        self.trunk.requires_grad_(not frozen)
        self.train(self.training)

    def train(self: Part, mode: bool = True) -> Part:
        """Set the mode of everything but a frozen trunk."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
            for adapter in self.adapters:
                adapter.train(mode)
        return self

    def adapt(self, adapters: Iterable[nn.Module]) -> None:
        """Take notice of adapters that have been put into the layers of a frozen trunk."""
        self.adapters = tuple(adapters)
        self.train(self.training)

    @property
    def is_constant(self) -> bool:
        """Whether the trunk gives the same for the same input, however long is trained."""
        return self.frozen and not self.adapters

    def trunk_gradients(self) -> torch.set_grad_enabled:
        """The context to compute the trunk in: without gradients where nothing in it is trained."""
        return torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_constant)

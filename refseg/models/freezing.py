"""Keeping the part of a network that others trained as it is."""

from typing import TypeVar

import torch
from torch import nn

Part = TypeVar("Part", bound="Pretrained")


class Pretrained(nn.Module):
    """A part built around a `trunk` that may stay as others trained it.

    A frozen trunk gets no gradients, is computed without a graph, and stays in evaluation mode
    (statistics of batch normalisation, dropout) whatever the mode of the part. What the part adds
    to the trunk, a pyramid for one, is trained all the same.
    """

    trunk: nn.Module
    frozen: bool

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
        return self

    def trunk_gradients(self) -> torch.set_grad_enabled:
        """The context to compute the trunk in: without gradients where it is frozen."""
        return torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen)

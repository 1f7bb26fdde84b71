"""From TensorFlow's layouts to torch's."""

import torch
from jaxtyping import Float
from torch import Tensor


def convolution(
    kernel: Float[Tensor, " kh kw inputs outputs"],
) -> Float[Tensor, " outputs inputs kh kw"]:
    """The weight of a torch convolution."""
    return kernel.permute(3, 2, 0, 1).contiguous()


def linear(kernel: Float[Tensor, " inputs outputs"]) -> Float[Tensor, " outputs inputs"]:
    """The weight of a torch linear layer."""
    return kernel.T.contiguous()


def pointwise(kernel: Float[Tensor, " inputs outputs"]) -> Float[Tensor, " outputs inputs 1 1"]:
    """The weight of a torch 1×1 convolution."""
    return linear(kernel)[:, :, None, None]


def gates(tensor: Float[Tensor, " *inputs gates"]) -> Float[Tensor, " *inputs gates"]:
    """The gates of an LSTM in torch's order.

    BasicLSTMCell: input, content, forget, output. Torch: input, forget, content, output.
    """
    write, content, keep, show = tensor.chunk(4, dim=-1)
    return torch.cat([write, keep, content, show], dim=-1)


def gate_bias(bias: Float[Tensor, " gates"]) -> Float[Tensor, " gates"]:
    """The bias in torch's order, with the 1 in it that BasicLSTMCell adds to the forget gate."""
    ordered = gates(bias)
    forget = torch.zeros_like(ordered)
    forget.chunk(4)[1].fill_(1.0)
    return ordered + forget

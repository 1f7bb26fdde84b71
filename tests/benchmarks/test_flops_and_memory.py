"""Operations and memory, against what is worked out by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from refseg.benchmarks.flops_and_memory import count_flops, peak_memory

CPU = torch.device("cpu")


def attention(query: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(query, query, query)


@pytest.mark.parametrize(
    ("module", "shape", "flops"),
    [
        # Each of 5 × 4 numbers is a sum of 3 products: 60 multiplications, 60 additions.
        (nn.Linear(3, 4), (5, 3), 2 * 5 * 3 * 4),
        # 6 × 6 cells of 2 images, 8 channels each, of 3 × 3 cells of 4 channels.
        (nn.Conv2d(4, 8, 3, padding=1), (2, 4, 6, 6), 2 * 2 * 36 * 8 * 4 * 9),
        # 3 sentences of 5 words: four gates of 16 numbers each, from 8 inputs and 16 states.
        (nn.LSTM(8, 16, batch_first=True), (3, 5, 8), 2 * 3 * 5 * 4 * 16 * (8 + 16)),
        # Query, key, value and output; 5 × 5 similarities, and as many weights of values.
        (
            nn.MultiheadAttention(16, 2, batch_first=True),
            (3, 5, 16),
            2 * 3 * 5 * 16 * 16 * 4 + 2 * 2 * 3 * 5 * 5 * 16,
        ),
        (attention, (2, 4, 5, 8), 2 * 2 * 2 * 4 * 5 * 5 * 8),
        (nn.ReLU(), (5, 3), 0),
    ],
    ids=["linear", "convolution", "lstm", "attention layer", "attention", "relu"],
)
@pytest.mark.parametrize("grad", [True, False])
def test_operations_of_a_known_layer(
    module: Callable[..., object], shape: tuple[int, ...], flops: int, grad: bool
) -> None:
    seen = torch.zeros(shape)
    several = isinstance(module, nn.MultiheadAttention)
    if isinstance(module, nn.Module):
        module.eval()
    with torch.set_grad_enabled(grad):
        assert count_flops(lambda: module(*([seen] * 3 if several else [seen]))) == flops


def test_a_weight_may_be_an_input_of_a_module() -> None:
    class Asks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.question = nn.Parameter(torch.zeros(2, 3))
            self.answer = nn.Linear(3, 4)

        def forward(self) -> Tensor:
            answered: Tensor = self.answer(self.question)
            return answered

    with torch.no_grad():
        assert count_flops(Asks()) == 2 * 2 * 3 * 4


def test_settings_are_as_before() -> None:
    def settings() -> tuple[bool, ...]:
        backends = torch.backends
        return (
            backends.cudnn.enabled,
            backends.mha.get_fastpath_enabled(),
            backends.cuda.flash_sdp_enabled(),
            torch.is_grad_enabled(),
        )

    before = settings()
    count_flops(lambda: None)
    assert settings() == before


def test_memory_is_that_of_tensors_that_live_at_once() -> None:
    numbers = torch.zeros(1000)  # of four bytes

    def chain() -> None:
        made = numbers
        for _ in range(10):
            made = made * 2  # the one before is freed as soon as the next one is there

    assert peak_memory(chain, [numbers], CPU) == 2 * 4000

    def keep() -> None:
        kept = [numbers * number for number in range(5)]
        kept[0].view(10, 100).add_(1)  # the same memory once more

    assert peak_memory(keep, [numbers], CPU) == 5 * 4000
    assert peak_memory(lambda: numbers.view(10, 100).add_(1), [numbers], CPU) == 0


def test_memory_of_training_has_what_the_backward_pass_needs() -> None:
    """At the peak: one activation, the gradients of both and of the weights."""
    layer = nn.Linear(100, 100, bias=False)
    seen = torch.randn(50, 100)

    def train() -> None:
        layer(torch.relu(layer(seen))).sum().backward()

    activation, weights = 50 * 100 * 4, 100 * 100 * 4
    peak = peak_memory(train, [seen, *layer.parameters()], CPU)
    assert 2 * weights + activation <= peak <= 2 * weights + 3 * activation + 8
    with torch.no_grad():
        forward = peak_memory(lambda: layer(layer(seen)), [seen, *layer.parameters()], CPU)
    assert forward == 2 * activation

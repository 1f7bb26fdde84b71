"""What a computation takes however fast the machine is: operations, and memory at its peak."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any
from weakref import finalize

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


def count_flops(compute: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products and convolutions of a computation.

    A product of matrices `n × k` and `k × m` has `2nkm`: each multiplication and each addition is
    one. What is done number by number (activations, norms, resizing) is not counted, as usual.

    torch's counter passes over LSTMs and attention that run as one operation. Here they run step by
    step, or are counted by the shapes of their weights, so that their products are in the sum.

    Args:
        compute: is called once.
    """
    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten.mkldnn_rnn_layer: _lstm_flops}
    )
    with ExitStack() as settings:
        settings.enter_context(torch.backends.cudnn.flags(enabled=False))
        settings.enter_context(sdpa_kernel(SDPBackend.MATH))
        settings.enter_context(_attention_step_by_step())
        settings.enter_context(torch.enable_grad())  # which the counter asks for weights as inputs
        settings.enter_context(counter)
        compute()
    return counter.get_total_flops()


def _lstm_flops(
    steps: Sequence[int],
    input_weights: Sequence[int],
    state_weights: Sequence[int],
    *others: object,
    **options: object,
) -> int:
    """Of a layer of an LSTM on a CPU, from the shapes of what it is given, words first."""
    return 2 * steps[0] * steps[1] * (prod(input_weights) + prod(state_weights))


@contextmanager
def _attention_step_by_step() -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def peak_memory(
    compute: Callable[[], object], there_before: Iterable[Tensor], device: torch.device
) -> int:
    """The most that the tensors of a computation take at once, bytes.

    On a GPU as torch's allocator says; on a CPU, where nothing does, the sum over all tensors that
    torch has made and not yet freed. There, what a single operation needs inside is not seen.

    Args:
        compute: is called once.
        there_before: tensors that do not count: weights and inputs.
        device: on which it computes.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        compute()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _LivingTensors(there_before) as living:
        compute()
    return living.most


class _LivingTensors(TorchDispatchMode):
    """Adds up the memory of the tensors that come out of operations, until they are freed."""

    def __init__(self, there_before: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self.now = self.most = 0
        self._known = {id(tensor.untyped_storage()) for tensor in there_before}
        self._kept = [tensor.untyped_storage() for tensor in there_before]  # so that ids stay taken

    def __torch_dispatch__(
        self,
        function: Callable[..., Any],
        types: object,
        arguments: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operation returns
        made = function(*arguments, **(options or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._add(tensor)
        return made

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()  # which views share
        key, size = id(storage), storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size

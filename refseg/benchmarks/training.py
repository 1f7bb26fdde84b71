"""How fast systems train, and where the time of a step goes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from refseg.benchmarks.flops_and_memory import count_flops, peak_memory
from refseg.benchmarks.turns import (
    Computation,
    Spread,
    clock_of,
    computing_threads,
    seconds_in_turns,
)
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch, Maps


class TrainingCase(NamedTuple):
    """A system that is trained.

    Args:
        name: of the system.
        module: the network with its loss and optimiser.
        batch: that a step is made of.
        load: reads as many images and expressions as the batch has, from files.
    """

    name: str
    module: ReferringSegmentation
    batch: Batch
    load: Callable[[], object]


@dataclass(frozen=True)
class TrainingFigures:
    """What a step of training takes.

    Shares are of the time of loading and step together, in one process; they add up to one. With
    workers, loading takes no time of its own as long as there are enough of them.

    Args:
        name: of the system.
        parameters: numbers that the weights are.
        trained: those of them that are trained.
        flops: of a step, for an expression.
        memory: of a step at its peak, gradients and the optimiser's state included, without the
            weights, for the whole batch, bytes.
        per_second: expressions, while the loader keeps up.
        step: seconds of a forward and a backward pass and the optimiser's step.
        loading: seconds for the same number of images, in one process.
        backbone_share: of the time, that is for what does not depend on the words.
        fusion_share: that is for the fusion; of an early one, with all that follows it.
        loading_share: that is for reading and transforming images and masks.
        rest_share: that is for text, decoder, loss and optimiser.
        workers: processes that load as fast as the network trains.
    """

    name: str
    parameters: int
    trained: int
    flops: float
    memory: int
    per_second: Spread
    step: Spread
    loading: Spread
    backbone_share: Spread
    fusion_share: Spread
    loading_share: Spread
    rest_share: Spread
    workers: Spread


def measure_training(
    case: TrainingCase,
    rounds: int = 3,
    threads: int = 1,
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
) -> TrainingFigures:
    """Make steps, and do their parts alone, in turns.

    Weights do not change: the optimiser computes with a rate of 0.

    Args:
        case: what is trained.
        rounds: of measuring.
        threads: that a CPU computes with.
        device: `cpu` or `cuda`.
        say: called with what is done next.
    """
    place = torch.device(device)
    module, batch = case.module.to(place).train(), case.batch.to(place)
    network = module.segmenter
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    optimizer = module.make_optimizer(trained)
    for group in optimizer.param_groups:
        group["lr"] = 0.0

    def step() -> None:
        module.loss_of(batch).backward()
        optimizer.step()
        optimizer.zero_grad()

    with computing_threads(threads):
        say("Counting operations and memory")
        flops = count_flops(step) / len(batch)
        inputs = (value for value in vars(batch).values() if isinstance(value, Tensor))
        there = [*chain(module.parameters(), module.buffers(), inputs)]
        optimizer.state.clear()
        memory = peak_memory(step, there, place)
        parts: list[Computation] = [partial(_see, module, batch), _fusion(module, batch)]
        clock = clock_of(threads, place)
        seconds = seconds_in_turns([step, *parts, case.load], rounds, place, clock, say)
    rows = [*zip(*seconds, strict=True)]
    return TrainingFigures(
        name=case.name,
        parameters=sum(weight.numel() for weight in network.parameters()),
        trained=sum(weight.numel() for weight in trained),
        flops=flops,
        memory=memory,
        per_second=Spread.of(len(batch) / whole for whole, *_ in rows),
        step=Spread.of(whole for whole, *_ in rows),
        loading=Spread.of(load for *_, load in rows),
        backbone_share=Spread.of(see / (whole + load) for whole, see, _, load in rows),
        fusion_share=Spread.of(fuse / (whole + load) for whole, _, fuse, load in rows),
        loading_share=Spread.of(load / (whole + load) for whole, _, _, load in rows),
        rest_share=Spread.of(
            (whole - see - fuse) / (whole + load) for whole, see, fuse, load in rows
        ),
        workers=Spread.of(load / whole for whole, *_, load in rows),
    )


def _see(module: ReferringSegmentation, batch: Batch) -> Maps:
    """What does not depend on the words, forward, and backward where it is trained."""
    maps = module.segmenter.see(batch)
    _backward(maps)
    module.zero_grad()
    return maps


def _fusion(module: ReferringSegmentation, batch: Batch) -> Callable[[], None]:
    """The fusion, forward and backward; of an early one, all that follows the first site."""
    network = module.segmenter
    with torch.no_grad():
        seen = network.see(batch)
        text = network.text_encoder(batch.tokens, batch.token_mask)
    is_wanted = any(weight.requires_grad for weight in network.backbone.parameters())
    given = tuple(each.detach().requires_grad_(is_wanted) for each in seen)
    if not network.fusion.sites:
        text.words.requires_grad_()
        text.sentence.requires_grad_()

    def compute() -> None:
        if network.fusion.sites:
            fused: Maps = (network.answer(given, batch, batch.image_index).logits,)
        else:
            fused = network.fusion(given, text, batch.image_index)
        _backward(fused)
        module.zero_grad()
        for tensor in (*given, text.words, text.sentence):
            tensor.grad = None

    return compute


def _backward(results: Sequence[Tensor]) -> None:
    """With a gradient of ones, where there is one."""
    reached = [each for each in results if each.requires_grad]
    if reached:
        torch.autograd.backward(reached, [torch.ones_like(each) for each in reached])

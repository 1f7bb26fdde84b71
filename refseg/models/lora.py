"""Low-rank adapters: training a frozen network by small matrices beside its own."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

from torch import nn

from refseg.errors import ConfigError
from refseg.models.freezing import Pretrained

_ATTENTION = ("*query", "*value", "*q_proj", "*v_proj", "*.q", "*.v")
"""Queries and values of attention, by the names that the transformers library gives them."""


class LoRA:
    """Trains frozen networks by low-rank adapters, which the library peft puts into their layers.

    A layer W x becomes W x + (alpha / rank) B A x. W stays as it is; A has `rank` rows and starts
    at random, B starts at 0, so that before training the network answers as without adapters. Only
    layers that the network's output depends on are adapted.

    Args:
        network: with frozen parts (`backbone.frozen`, `text_encoder.frozen`), into which the
            adapters go; supplied by the module.
        rank: rows of A and columns of B.
        alpha: scale of what the adapters add, times `rank`.
        targets: names of layers of the network, with `*` (`text_encoder.*query`): linear ones, and
            convolutions without groups and dilation; null: queries and values of attention, by the
            names of the transformers library.
        dropout: probability, of the input of the adapters.

    Raises:
        ConfigError: peft is not installed, or no frozen layer has such a name.

    References:
        Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, ICLR 2022,
        https://arxiv.org/abs/2106.09685, section 4.1; queries and values: section 7.1.
    """

    def __init__(
        self,
        network: nn.Module,
        rank: int = 8,
        alpha: float = 16.0,
        targets: Sequence[str] | None = None,
        dropout: float = 0.0,
    ) -> None:
        peft = _import_peft()
        if rank < 1 or not 0 <= dropout < 1:
            raise ConfigError(
                f"Expected a rank of at least 1 and a dropout of at least 0 and less than 1, got "
                f"{rank} and {dropout}."
            )
        self.parts = {
            name: part
            for name, part in network.named_modules()
            if isinstance(part, Pretrained) and part.frozen
        }
        known = [f"{n}.trunk.{layer}" for n, part in self.parts.items() for layer in _layers(part)]
        if targets is not None:
            _check_targets(targets, known)
        chosen = [name for name in known if _fits(name, _ATTENTION if targets is None else targets)]
        if not chosen:
            raise ConfigError(
                "No layer of a frozen part is called as queries and values of attention are in "
                f"the transformers library; name some in targets. {_listed(known)}"
            )
        for place, part in self.parts.items():
            prefix = f"{place}.trunk."
            layers = [name.removeprefix(prefix) for name in chosen if name.startswith(prefix)]
            if not layers:
                continue
            options = peft.LoraConfig(
                r=rank,
                lora_alpha=alpha,
                lora_dropout=dropout,
                target_modules="|".join(map(re.escape, layers)),  # no other of a similar name
            )
            peft.inject_adapter_in_model(options, part.trunk)
            part.adapt([part.trunk.get_submodule(layer) for layer in layers])
        self.layers = tuple(chosen)

    def merge(self) -> None:
        """Add the adapters to the layers that they are in, and take them out.

        The network answers as before, and its weights have the names of the pretrained ones again:
        for other programs.
        """
        for part in self.parts.values():
            for name, layer in [*part.trunk.named_modules()]:
                if layer in part.adapters:
                    adapted: Any = layer  # of peft
                    adapted.merge()
                    part.trunk.set_submodule(name, adapted.get_base_layer())
            part.adapt([])


LoRAFactory = Callable[[nn.Module], LoRA]  # the network


def _import_peft() -> ModuleType:
    try:
        import peft
    except ImportError as error:
        raise ConfigError(
            "LoRA needs the package peft; install it: pip install 'refseg[lora]'"
        ) from error
    return peft


def _layers(part: Pretrained) -> Iterator[str]:
    """Names of the layers of a trunk that can be adapted."""
    for name, layer in part.trunk.named_modules():
        is_used = f"{name}.weight" not in part.unused
        if is_used and (isinstance(layer, nn.Linear) or _is_plain_convolution(layer)):
            yield name


def _is_plain_convolution(layer: nn.Module) -> bool:
    """Whether it has neither groups nor dilation, of which peft (0.21) takes no notice."""
    return isinstance(layer, nn.Conv2d) and layer.groups == 1 and layer.dilation == (1, 1)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_targets(targets: Sequence[str], known: Sequence[str]) -> None:
    """Make sure that each pattern is of a layer.

    Raises:
        ConfigError: one is not.
    """
    for target in targets:
        if not _fits_any(target, known):
            raise ConfigError(
                f"'{target}' of lora.targets is the name of no layer of a frozen part. "
                f"{_listed(known, target)}"
            )


def _fits_any(pattern: str, names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _listed(known: Sequence[str], target: str = "") -> str:
    """What can be adapted, in words: names that are near to a target, else some."""
    if not known:
        return "No part is frozen: set model.backbone.frozen or model.text_encoder.frozen."
    plain = {_without_numbers(name): name for name in known}
    near = difflib.get_close_matches(target.replace("*", ""), plain, 5, 0.3) if target else []
    shown = near or [*plain][:8]
    return f"There are {', '.join(shown)}{', ...' if len(plain) > len(shown) else ''}."


def _without_numbers(name: str) -> str:
    """The name of a layer in every block: `layer.3.query` as `layer.*.query`."""
    return re.sub(r"\.\d+(?=\.|$)", ".*", name)

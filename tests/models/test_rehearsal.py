"""A network is made without memory first, and not at all if its weights are another's."""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest
import torch
from torch import nn

from refseg.errors import CheckpointError
from refseg.models.rehearsal import rehearse

WEIGHTS = nn.Linear(3, 2).state_dict()


def layers(count: int) -> nn.Module:
    network = nn.Sequential()
    for _ in range(count):
        network.append(nn.ReLU())
    return network


def test_a_network_with_its_weights_is_made() -> None:
    made = []

    def make() -> nn.Module:
        made.append(nn.Linear(3, 2))
        return made[0]

    rehearse(make, WEIGHTS, "x.ckpt")
    assert made[0].weight.is_meta


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: nn.Linear(10**9, 10**9), "larger than all its weights"),
        (lambda: nn.Linear(10**5, 10**5), "larger than all its weights"),
        (lambda: layers(10**9), "more layers than its 2"),
        (lambda: nn.Sequential(*[nn.PReLU() for _ in range(10**9)]), "more layers than its 2"),
        (lambda: nn.Embedding(-1, 3), "cannot be made"),
        (lambda: nn.Linear(4, 2), r"Other sizes: weight \(\(2, 3\) instead of \(2, 4\)\)"),
        (lambda: nn.Linear(3, 2, bias=False), "Unexpected keys: bias"),
        (lambda: nn.Sequential(nn.Linear(3, 2)), "Missing keys: 0.weight, 0.bias"),
        (lambda: nn.Conv2d(3, 2, 0), "cannot be made|Other sizes"),
    ],
)
def test_what_does_not_fit_is_said_at_once(make: Callable[[], nn.Module], expected: str) -> None:
    start = time.process_time()
    with pytest.raises(CheckpointError, match=expected) as caught:
        rehearse(make, WEIGHTS, "x.ckpt")
    assert "x.ckpt" in str(caught.value)
    assert time.process_time() - start < 10


def test_random_numbers_need_no_compiler() -> None:
    """Which takes seconds to import; in a process that has not done so yet."""
    code = (
        "import sys; from torch import nn; from refseg.models.rehearsal import rehearse\n"
        "def make():\n"
        "    parts = nn.Embedding(5, 4), nn.LSTM(4, 4), nn.Conv2d(1, 1, 1), nn.Linear(2, 2)\n"
        "    for part in parts: [nn.init.normal_(weight) for weight in part.parameters()]\n"
        "    return nn.Sequential(*parts)\n"
        "rehearse(make, make().state_dict(), 'x.ckpt')\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_is_counted_afterwards() -> None:
    with pytest.raises(CheckpointError):
        rehearse(lambda: nn.Linear(10**6, 10**6), {}, "x.ckpt")
    assert torch.ones(1).device.type == "cpu"
    assert not nn.Linear(3, 2).weight.is_meta
    layers(4000)

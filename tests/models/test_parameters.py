"""Weight decay against the papers' term of the loss, by autograd."""

import pytest
import torch
from torch import nn

from refseg.errors import ConfigError
from refseg.models.parameters import parameter_groups


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_decay_is_the_l2_term_of_the_loss(optimizer: type[torch.optim.Optimizer]) -> None:
    """Three steps with the optimiser's decay, and three with the term in the loss."""
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(5, 3)
    first = optimizer(parameter_groups(ours, ["weight"]), lr=0.01, weight_decay=0.5)
    second = optimizer(theirs.parameters(), lr=0.01)
    for _ in range(3):
        first.zero_grad()
        ours(inputs).square().mean().backward()
        first.step()
        second.zero_grad()
        term = 0.5 * theirs.weight.square().sum() / 2
        (theirs(inputs).square().mean() + term).backward()
        second.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_what_is_not_trained_is_in_no_group() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    network[0].requires_grad_(False)
    (every,) = parameter_groups(network, None)
    assert every["params"] == [*network[1].parameters()]
    decayed, others = parameter_groups(network, ["1.*"])
    assert decayed["params"] == [*network[1].parameters()]
    assert others["params"] == []
    with pytest.raises(ConfigError, match=r"'0.weight' .* no parameter that is trained"):
        parameter_groups(network, ["0.weight"])

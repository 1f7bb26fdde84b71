"""Weight decay against the papers' term of the loss, and rates by name, by autograd."""

import pytest
import torch
from torch import nn

from refseg.errors import ConfigError
from refseg.models.parameters import parameter_groups, scale_learning_rates


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


def test_learning_rates_by_name() -> None:
    """A step of SGD moves each weight by its own rate times its gradient."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 1))
    factors = {"0.weight": 0.5, "0.*": 0.1, "1.*": 0.0}
    groups = parameter_groups(network, ["*.weight"], factors)
    optimizer = torch.optim.SGD(groups, lr=0.1)
    scale_learning_rates(optimizer)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    network(torch.randn(5, 3)).square().mean().backward()
    optimizer.step()
    expected = {"0.weight": 0.05, "0.bias": 0.01, "1.weight": 0, "1.bias": 0}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        moved = before[name] - expected.get(name, 0.1) * parameter.grad
        torch.testing.assert_close(parameter.detach(), moved)
    schedule.step()
    rates = sorted(group["lr"] for group in optimizer.param_groups)
    assert rates == pytest.approx([0, 0, 0.005, 0.025, 0.05, 0.05])


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"9.*": 0.1}, r"'9\.\*' of `learning_rate_factors` is the name of no parameter"),
        ({"0.*": -0.1}, "at least 0, got"),
    ],
)
def test_rates_that_make_no_sense(factors: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parameter_groups(nn.Sequential(nn.Linear(3, 2)), None, factors)

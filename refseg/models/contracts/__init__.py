"""What every part of a network promises, as checks that any class can be put to, one's own too.

`check_fusion(partial(MyFusion, hidden_dim=8))` raises an `AssertionError` that lists the promises
which are broken; so do those of the other parts. `python -m refseg.models.contracts --fusion
mypackage.MyFusion` says the same of a class by its path. The tests of refseg run these very checks.
"""

from refseg.models.contracts.parts import (
    check_backbone,
    check_decoder,
    check_fusion,
    check_network,
    check_text_encoder,
)

__all__ = [
    "check_backbone",
    "check_decoder",
    "check_fusion",
    "check_network",
    "check_text_encoder",
]

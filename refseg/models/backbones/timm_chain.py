"""Networks of timm layer by layer, so that a fusion can speak between their maps."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn


class LayerChain(NamedTuple):
    """The layers of a network in the order of the data.

    Args:
        layers: each is given what the one before it gave.
        ends: of each map, from fine to coarse, how many of the layers it comes after.
    """

    layers: Sequence[nn.Module]
    ends: tuple[int, ...]


def chain_of(trunk: Any) -> LayerChain | None:  # noqa: ANN401 - timm's are of many types
    """The layers of a network that computes its maps one after the other; None: of no such one.

    They are those of the network's own forward pass. Most convolutional networks of timm are
    chains; vision transformers and networks whose maps count their channels last are not.

    Args:
        trunk: made with `features_only`.
    """
    from timm.models._features import FeatureListNet
    from timm.models.efficientnet import EfficientNetFeatures

    if isinstance(trunk, EfficientNetFeatures) and trunk.feature_hooks is None:
        stem: list[nn.Module] = [trunk.conv_stem, trunk.bn1]
        ends = sorted(len(stem) + block for block in trunk._stage_out_idx)
        return LayerChain([*stem, *trunk.blocks], tuple(ends))
    is_list = isinstance(trunk, FeatureListNet) and not trunk.concat
    if not is_list or str(trunk.output_fmt).endswith("NHWC"):
        return None
    ends = [end for end, name in enumerate(trunk, 1) if name in trunk.return_layers]
    return LayerChain([*trunk.values()], tuple(ends))

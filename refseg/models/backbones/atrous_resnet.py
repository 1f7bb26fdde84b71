"""The ResNet-101 of RMI: Caffe's, made dense as DeepLab does."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.ops import FrozenBatchNorm2d

from refseg.models.backbones.base import Classifier, Normalization
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.provenance import of_file


class SamePadding(nn.Module):
    """Zeros around a map so that a strided layer gives `ceil(size / stride)`, as TensorFlow's SAME.

    An odd zero goes below and to the right; torch would put it nowhere.

    Args:
        kernel: extent of the layer that follows.
        stride: of the layer that follows.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(
        self, maps: Float[Tensor, " images channels height width"]
    ) -> Float[Tensor, " images channels _ _"]:
        """Pad both axes as far as they need it."""
        (top, bottom), (left, right) = map(self._margins, maps.shape[-2:])
        return functional.pad(maps, (left, right, top, bottom))

    def _margins(self, size: int) -> tuple[int, int]:
        total = max((-(-size // self.stride) - 1) * self.stride + self.kernel - size, 0)
        return total // 2, total - total // 2


class AtrousResNet(TrunkBackbone):
    """ResNet-101 at stride 8, exactly as RMI's code has it, up to res5c.

    It differs from torchvision's network (`TorchvisionBackbone("resnet101", stride=8)`) in four
    ways, each of which weights from Caffe ask for: strides are in the first 1×1 convolution of a
    block, not in its 3×3; every block of group 4 has dilation 2 and every one of group 5 has 4, the
    first ones included; padding is TensorFlow's; batch normalisation adds 0.001 to the variance.
    So torchvision's weights belong to the latter, which is the practical default of the paper's
    configs, and the original's variables to this one: the names could be translated, but a kernel
    that learned to see every second pixel is not the same on every one.

    Statistics and factors of batch normalisation are constants, whether or not the rest is trained.

    Args:
        weights: an `.npz` of the original's variables (`ResNet/…` or `DeepLab/…`); none: random.
        frozen: leave the network as it is, as RMI does.
        blocks: of the four groups; (3, 4, 23, 3) is ResNet-101.
        width: channels of the narrow convolutions in the first group; 64 in the original.

    Raises:
        ConfigError: the weights do not exist, or do not fit.

    References:
        He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016,
        https://arxiv.org/abs/1512.03385, and Chen et al., *DeepLab*, TPAMI 2018,
        https://arxiv.org/abs/1606.00915, section 3.1.

    Example:
        >>> import torch
        >>> backbone = AtrousResNet(blocks=(1, 1, 1, 1), width=8)
        >>> backbone(torch.zeros(1, 3, 61, 83, dtype=torch.uint8))[-1].shape
        torch.Size([1, 2048, 8, 11])
    """

    dims = (2048,)
    strides = (8,)

    def __init__(
        self,
        weights: str | None = None,
        frozen: bool = True,
        blocks: Sequence[int] = (3, 4, 23, 3),
        width: int = 64,
    ) -> None:
        super().__init__()
        self.normalization = Normalization("ilsvrc_bgr")
        trunk = _trunk(blocks, width)
        self.hold(trunk, frozen)
        first = len(trunk) - sum(blocks)  # padding, convolution and pooling come before the blocks
        self.ends = tuple(accumulate(blocks, initial=first))
        self.taps = (len(blocks) - 1,)
        if weights is not None:
            # A finished model, which `refseg.load` opens, reads no variables of the original.
            from refseg.models.original.backbones import read_resnet

            state, classifier = read_resnet(weights, blocks, width)
            self.load_state_dict(state)
            self.classifier = None if classifier is None else Classifier(*classifier)
            self.origin = of_file(weights, is_original=True)

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images _ _ _"]:
        """The pooled map of the first convolution; the four stages are res2 to res5."""
        return self.entry(self.normalization(images))

    def trunk_settings(self) -> dict[str, Any]:
        """Nothing but the stride: the rest shows in the names and shapes of the weights."""
        return {"stride": self.strides[-1]}

    def portable_arguments(self) -> dict[str, Any]:
        """No weights: the checkpoint has them."""
        return {"weights": None}


def _trunk(blocks: Sequence[int], width: int) -> nn.Sequential:
    """Torchvision's layers, rearranged: padding, stem and pooling, then one block after another."""
    normalization = partial(FrozenBatchNorm2d, eps=1e-3)
    network = ResNet(
        Bottleneck, [*blocks], width_per_group=width, norm_layer=normalization, num_classes=1
    )
    network.conv1.padding, network.maxpool.padding = (0, 0), 0
    stem = [network.conv1, network.bn1, network.relu]
    groups = [network.layer1, network.layer2, network.layer3, network.layer4]
    for group, stride, dilation in zip(groups, (1, 2, 1, 1), (1, 1, 2, 4), strict=True):
        for block in group.children():
            block.conv2.stride = (1, 1)
            block.conv2.dilation = block.conv2.padding = (dilation, dilation)
        first = group[0]
        first.conv1.stride = first.downsample[0].stride = (stride, stride)
    chain = [block for group in groups for block in group.children()]
    return nn.Sequential(SamePadding(7, 2), *stem, SamePadding(3, 2), network.maxpool, *chain)

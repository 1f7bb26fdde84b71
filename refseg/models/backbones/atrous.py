"""Denser feature maps from the same weights: strides taken out, kernels dilated."""

from collections.abc import Iterator, Sequence

from torch import nn

_Layer = nn.Conv2d | nn.MaxPool2d


def strides(units: Sequence[nn.Module]) -> list[int]:
    """Pixels per cell after each unit of a network.

    Args:
        units: layers and blocks in the order of the data.

    Example:
        >>> strides([nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2)])
        [2, 2, 4]
    """
    reached = 1
    return [reached := reached * _step(unit) for unit in units]


def margin(units: Sequence[nn.Module], stride: int) -> int:
    """How many pixels more than `stride` × n an image needs for n cells at that stride.

    Negative where the network's own padding is generous. Layers that keep their input's size are
    left out, so that only the steps up to `stride` count.
    """
    pixels = 0
    for unit, after in reversed([*zip(units, strides(units), strict=True)]):
        if after <= stride and _step(unit) > 1:
            layer = max(_layers(unit), key=lambda layer: (_first(layer.stride), _extent(layer)))
            step = _first(layer.stride)
            pixels = step * pixels + _extent(layer) - 2 * _first(layer.padding) - step
    return pixels


def dilate(units: Sequence[nn.Module], stride: int) -> list[nn.Module]:
    """Take out every step beyond `stride` and dilate the kernels after it.

    Each value of the original map is found again in the denser one; the values between them are
    what the network would have said of a shifted image. The layers are changed in place; poolings
    are replaced.

    Args:
        units: layers and blocks in the order of the data, each halving the map at most once.
        stride: pixels per cell that are reached and not exceeded.

    References:
        Chen et al., *Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected
        CRFs*, ICLR 2015, https://arxiv.org/abs/1412.7062, section 3.1.
    """
    dilated: list[nn.Module] = []
    dilation = 1
    for unit, after in zip(units, strides(units), strict=True):
        if isinstance(unit, nn.MaxPool2d) and after > stride:
            dilated.append(_dense_pooling(unit, dilation))
            dilation *= _step(unit)
            continue
        widened = dilation
        for layer in _layers(unit):
            if _first(layer.stride) > 1 and after > stride:
                # The layer that made the step still reads its input as it was.
                widened = dilation * _first(layer.stride)
                layer.stride = (1, 1)
                _spread(layer, dilation)
            else:
                _spread(layer, widened)
        dilation = widened
        dilated.append(unit)
    return dilated


def _layers(unit: nn.Module) -> Iterator[_Layer]:
    return (layer for layer in unit.modules() if isinstance(layer, _Layer))


def _first(size: int | tuple[int, ...] | str) -> int:
    return size[0] if isinstance(size, tuple) else int(size)


def _step(unit: nn.Module) -> int:
    return max((_first(layer.stride) for layer in _layers(unit)), default=1)


def _extent(layer: _Layer) -> int:
    return _first(layer.kernel_size)


def _spread(layer: _Layer, dilation: int) -> None:
    if dilation > 1 and _extent(layer) > 1:
        padding = dilation * (_extent(layer) - 1) // 2
        layer.dilation, layer.padding = (dilation, dilation), (padding, padding)


def _dense_pooling(pooling: nn.MaxPool2d, dilation: int) -> nn.Sequential:
    """A pooling of stride 1 that keeps the size; zeros never win, as it follows a ReLU."""
    reach = dilation * (_first(pooling.kernel_size) - 1)
    before = dilation * ((_first(pooling.kernel_size) - 1) // 2)
    padding = nn.ZeroPad2d((before, reach - before, before, reach - before))
    return nn.Sequential(padding, nn.MaxPool2d(pooling.kernel_size, stride=1, dilation=dilation))

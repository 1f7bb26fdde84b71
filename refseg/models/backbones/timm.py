"""Backbones from timm: a thousand networks by name."""

import difflib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.backbones.base import Normalization, NormalizationName
from refseg.models.backbones.probing import unused_parameters
from refseg.models.backbones.pyramid import FeaturePyramid
from refseg.models.backbones.timm_chain import chain_of
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.files import check_names_and_shapes, loading_errors, read_weights
from refseg.models.weights.provenance import of_file, of_timm
from refseg.types import Maps

_NAME = re.compile(r"\w+(\.\w+)?")  # no `hf-hub:` and no path, from which timm would load


class TimmBackbone(TrunkBackbone):
    """A network of timm without its classifier (`features_only`).

    Images of any size are padded with the mean colour to whole cells of the coarsest map, and the
    cells beyond the image are cut off. A network that computes its maps one after the other, as
    most convolutional ones do (`chain_of`), has a stage for each stride from 4 to that of its
    coarsest map, and a fusion can speak between them; others are computed as a whole.

    Args:
        name: of timm, such as `convnext_tiny`; with the name of the weights behind a dot
            (`convnext_tiny.in12k_ft_in1k`), else the first that timm has of it.
        stride: pixels per cell of the output, one of those that the network has; none: its last.
        weights: none: random; `hub`: those that timm publishes under the name, downloaded; else the
            path of a state dict of the whole network with timm's names (`.pt`, `.pth`,
            `.safetensors`), with or without the classifier.
        frozen: leave the network as it is; train what comes after it only.
        pyramid_dim: channels of a trained pyramid that merges the maps of `stride` and coarser;
            none: the last map of that stride, as it is.
        every_stage: give the map of each stride from `stride` on, as it is; without a stride, of
            all from 4 on.
        normalization: how the weights want their pixels; none: as timm says of them.

    Raises:
        ConfigError: timm is not installed, has no such network or weights, they do not fit, or the
            network takes images of one size only.
    """

    def __init__(
        self,
        name: str,
        stride: int | None = None,
        weights: str | None = None,
        frozen: bool = False,
        pyramid_dim: int | None = None,
        every_stage: bool = False,
        normalization: NormalizationName | None = None,
    ) -> None:
        super().__init__()
        if every_stage and pyramid_dim:
            raise ConfigError(
                "Expected either every_stage or pyramid_dim, which merges the maps; got both."
            )
        self.name, self.every_stage = name, every_stage
        published = _published(name)
        options = _options(name)
        levels = _levels(name, options)
        if stride is None:
            stride = min((s for s in levels if s >= 4), default=1) if every_stage else max(levels)
        if stride not in levels:
            possible = ", ".join(map(str, levels))
            raise ConfigError(f"{name} has no stride {stride}; choose one of {possible}.")
        takes_more = every_stage or pyramid_dim is not None
        chosen = [s for s in levels if s == stride or (takes_more and s > stride)]
        self.stride, self.whole = stride, chosen[-1]
        finer = [s for s in levels if 4 <= s < stride]  # ends of stages whose maps are not taken
        options["out_indices"] = tuple(levels[s] for s in (*finer, *chosen))
        self.count = len(chosen)
        make = partial(_made, name, options)
        if weights is None:
            trunk = make()
        elif weights == "hub":
            trunk = _loaded(name, options, None, published)
            self.origin = of_timm(_full_name(published))
        else:
            found = _checked(name, published, weights)
            with torch.device("meta"):
                needed = make().state_dict()
            if set(needed) <= set(found):  # timm warns of what it does not need
                found = {parameter: found[parameter] for parameter in needed}
            trunk = _loaded(name, options, found, published)
            self.origin = of_file(weights)
        self.hold(trunk, frozen)
        chain = chain_of(trunk)
        if chain is not None:
            self.ends = (1, *chain.ends)
            self.taps = tuple(range(len(finer), len(chain.ends)))
        self.unused = frozenset(unused_parameters(make, self._compute, _probe(self.whole)))
        for parameter in self.unused:
            trunk.get_parameter(parameter).requires_grad_(False)
        dims = trunk.feature_info.channels()[-self.count :]
        self.pyramid = None if pyramid_dim is None else FeaturePyramid(dims, pyramid_dim)
        self.dims, self.strides = (pyramid_dim or dims[-1],), (stride,)
        if every_stage:
            self.dims, self.strides = tuple(dims), tuple(chosen)
        self.normalization = (
            Normalization.from_statistics(published.mean, published.std)
            if normalization is None
            else Normalization(normalization)
        )

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Those of a network that is a chain; none of others."""
        chain = chain_of(self.trunk)
        return () if chain is None else chain.layers

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images _ _ _"]:
        """The first layer; a stage for each stride follows."""
        return self.entry(self._pixels(images))

    def maps(
        self, images: UInt8[Tensor, " images 3 height width"], until: int | None = None
    ) -> Maps:
        """Compute the map of the chosen stride or, for several, of each stride."""
        if self.ends:
            return super().maps(images, until)
        with self.trunk_gradients():
            return self._compute(self.trunk, self._pixels(images))

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Merge the maps, where there is a pyramid, and cut off the cells beyond the image."""
        height, width = size
        if not self.every_stage:
            maps = (maps[-1] if self.pyramid is None else self.pyramid(maps),)
        return tuple(
            each[..., : -(-height // stride), : -(-width // stride)]
            for each, stride in zip(maps, self.strides, strict=True)
        )

    def trunk_settings(self) -> dict[str, Any]:
        """The network, where it is tapped, and how its images are padded."""
        return {"network": self.name, "stride": self.stride, "whole": self.whole}

    def portable_arguments(self) -> dict[str, Any]:
        """No weights: the checkpoint has them."""
        return {"weights": None}

    def _pixels(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images 3 _ _"]:
        height, width = images.shape[-2:]
        padding = 0, -width % self.whole, 0, -height % self.whole
        return functional.pad(self.normalization(images), padding)

    def _compute(self, trunk: Any, pixels: Tensor) -> Maps:  # noqa: ANN401 - timm's are of many types
        maps = trunk(pixels)[-self.count :]
        if str(getattr(trunk, "output_fmt", "")).endswith("NHWC"):
            maps = [each.movedim(-1, 1) for each in maps]
        return tuple(maps)


def import_timm() -> ModuleType:
    """The library timm, imported where it is used and not before.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise ConfigError(
            "TimmBackbone needs the package timm; install it: pip install 'refseg[timm]'"
        ) from error
    return timm


def _published(name: str) -> Any:  # noqa: ANN401 - timm's description of weights
    """What timm says of the weights of a name.

    Raises:
        ConfigError: it does not know them.
    """
    timm = import_timm()
    network, _, tag = name.partition(".")
    if not _NAME.fullmatch(name) or not timm.is_model(network):
        near = difflib.get_close_matches(network, timm.list_models(), 5)
        raise ConfigError(
            f"timm has no network '{name}'; "
            + (f"did you mean {', '.join(near)}?" if near else "see timm.list_models().")
        )
    known = timm.list_pretrained(f"{network}.*")
    if tag and name not in known:
        listed = ", ".join(known) or "none"
        raise ConfigError(f"timm has no weights '{tag}' of {network}; there are: {listed}.")
    return timm.models.get_pretrained_cfg(name) or timm.models.PretrainedCfg(architecture=network)


def _full_name(published: Any) -> str:  # noqa: ANN401 - timm's description of weights
    tag = getattr(published, "tag", None)
    return f"{published.architecture}.{tag}" if tag else str(published.architecture)


def _made(name: str, options: dict[str, Any]) -> Any:  # noqa: ANN401 - of timm
    """A network that gives maps, with random weights."""
    return import_timm().create_model(name, pretrained=False, features_only=True, **options)


def _loaded(
    name: str,
    options: dict[str, Any],
    weights: Mapping[str, Tensor] | None,
    published: Any,  # noqa: ANN401 - timm's description of weights
) -> Any:  # noqa: ANN401 - of timm
    """A network that gives maps, with weights that are known to fit, or those that are published.

    Raises:
        ConfigError: these cannot be downloaded.
    """
    given = {} if weights is None else {"pretrained_cfg_overlay": {"state_dict": weights}}
    try:
        network = import_timm().create_model(
            name, pretrained=True, features_only=True, **options, **given
        )
    except loading_errors() as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"Cannot load the weights of {name} ({reason}). Without a network, download them where "
            f"there is one (`hf download timm/{_full_name(published)}`), and name the file: "
            "--model.backbone.weights FILE"
        ) from error
    for described in (network.pretrained_cfg, network.default_cfg):
        described.pop("state_dict", None)  # has served
    return network


def _options(name: str) -> dict[str, Any]:
    """What makes a network take images of any size.

    Raises:
        ConfigError: nothing does.
    """
    reasons: list[str] = []
    for options in ({}, {"dynamic_img_size": True}, {"strict_img_size": False}):
        try:
            with torch.device("meta"), torch.no_grad():
                network = _made(name, options).eval()
                network(_probe(max(network.feature_info.reduction())))
        except ConfigError:
            raise
        except Exception as error:  # each network of timm has its own way to refuse
            reasons.append((str(error).strip().splitlines() or [type(error).__name__])[0])
        else:
            return options
    raise ConfigError(
        f"{name} cannot be used as a backbone: it gives no maps, or takes images of one size only "
        f"({reasons[0]}). Choose another network of timm, or TransformersBackbone."
    )


def _levels(name: str, options: dict[str, Any]) -> dict[int, int]:
    """Stride -> number of the last map that has it, from fine to coarse."""
    with torch.device("meta"):
        information = _made(name, options).feature_info
    strides: Sequence[int] = information.reduction()
    last = dict(zip(strides, information.out_indices, strict=True))
    return dict(sorted(last.items()))


def _checked(name: str, published: Any, path: str) -> dict[str, Tensor]:  # noqa: ANN401 - of timm
    """The weights of a file, once they are known to be those of the network.

    Raises:
        ConfigError: they are not.
    """
    found = read_weights(path)
    with torch.device("meta"):
        whole: nn.Module = import_timm().create_model(name, pretrained=False)
    heads = published.classifier or ()
    heads = tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads))
    expected = {n: w for n, w in whole.state_dict().items() if not n.startswith(heads)}
    given = {n: w for n, w in found.items() if not n.startswith(heads)}
    check_names_and_shapes(expected, given, path)
    return given


def _probe(whole: int) -> Tensor:
    """An image without memory, of no square."""
    return torch.empty(1, 3, 4 * whole, 6 * whole, device="meta")

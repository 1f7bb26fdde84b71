"""Models of the transformers library: their configuration, and what goes wrong on the way."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from refseg.checkpoint.packages import OPTION, is_own
from refseg.errors import ConfigError
from refseg.models.weights.files import loading_errors

if TYPE_CHECKING:
    from transformers import PreTrainedConfig as PreTrainedConfig
else:  # the library is imported where it is used, and not before
    PreTrainedConfig = object

_FOLDER = "a folder that save_pretrained wrote"
# `name` or `owner/name`, perhaps with a branch, tag or commit; anything else is a path.
_HUB_NAME = re.compile(r"([\w-][\w.-]*(?:/[\w-][\w.-]*)?)(?:@([\w./-]+))?")
_SUFFIXES = {".bin", ".ckpt", ".h5", ".json", ".npz", ".pt", ".pth", ".safetensors"}


_TEXTS = (
    "albert", "bert", "camembert", "chinese_clip_text_model", "clip", "clip_text_model",
    "clipseg_text_model", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "ernie",
    "esm", "flaubert", "funnel", "gpt2", "longformer", "megatron-bert", "metaclip_2_text_model",
    "mobilebert", "modernbert", "mpnet", "mt5", "nomic_bert", "owlv2_text_model", "roberta",
    "roberta-prelayernorm", "roformer", "siglip", "siglip_text_model", "siglip2_text_model",
    "squeezebert", "t5", "umt5", "xlm", "xlm-roberta", "xlm-roberta-xl", "xlnet",
)  # fmt: skip
_IMAGES = (
    "beit", "bit", "clip_vision_model", "clipseg", "convnext", "convnextv2", "dinov2",
    "dinov2_with_registers", "dinov3_convnext", "dinov3_vit", "focalnet", "hgnet_v2", "hiera",
    "maskformer-swin", "metaclip_2_vision_model", "pvt_v2", "resnet", "rt_detr_resnet",
    "sam2_mask_decoder", "sam2_vision_model", "sam_mask_decoder", "sam_vision_model",
    "siglip_vision_model", "siglip2_vision_model", "swin", "swinv2", "textnet", "vitdet",
    "vitpose_backbone",
)  # fmt: skip
SAM = "sam_vision_model"
"""The kind of the configuration of SAM's image side."""

# Options that make the library fetch code or weights, or choose them by a name.
_FETCHING = re.compile(
    r"_?(attn|experts)_implementation.*|auto_map|trust_remote_code|custom_\w+|quantization_config"
    r"|.*kernel_config|use_kernels|backbone\w*|use_pretrained_backbone|use_timm_backbone"
)
_LARGEST = 2**24
_LARGEST_IN_LIST = 2**13  # depths and widths of stages


class Architecture(dict[str, Any]):
    """A configuration of transformers as a checkpoint keeps it: plain numbers and texts.

    It is a type of its own so that no parser of configs looks for classes in it. It has no
    attributes: jsonargparse (4.53) copies those of a dictionary that can have any, in place of its
    items.
    """

    __slots__ = ()


def import_transformers() -> ModuleType:
    """The transformers library, imported where it is used and not before.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise ConfigError(
            "This part needs the package transformers; install it: pip install transformers"
        ) from error
    return transformers


def load_config(name: str, architecture: Mapping[str, Any] | None) -> PreTrainedConfig:
    """The configuration of a transformers model, from a checkpoint's copy or else from its name.

    Raises:
        ConfigError: there is no such model, no network to get it, or the copy is none.
    """
    transformers = import_transformers()
    if architecture is not None:
        check_architecture(architecture)
        return transformers.AutoConfig.for_model(**architecture)
    if is_absent(name):
        raise ConfigError(
            f"There is no folder '{name}'; expected {_FOLDER}, or the name of a model on the "
            "Hugging Face hub."
        )
    with explained(name):
        return transformers.AutoConfig.from_pretrained(**where(name), trust_remote_code=False)


def where(name: str) -> dict[str, str]:
    """The arguments by which `from_pretrained` finds a model.

    Args:
        name: a folder, or a name on the hub, behind which a revision may stand.

    Example:
        >>> where("ada/model@v1")
        {'pretrained_model_name_or_path': 'ada/model', 'revision': 'v1'}
        >>> where("ada/model")
        {'pretrained_model_name_or_path': 'ada/model'}
    """
    found = None if name and Path(name).exists() else _HUB_NAME.fullmatch(name)
    if found is None or found[2] is None:
        return {"pretrained_model_name_or_path": name}
    return {"pretrained_model_name_or_path": found[1], "revision": found[2]}


def check_architecture(architecture: Mapping[str, Any]) -> None:
    """Make sure that a checkpoint's copy of a configuration makes a network and nothing else.

    Raises:
        ConfigError: it is of a kind that is not known to load nothing by itself, has options that
            load something, or sizes that no network has.
    """
    kind = architecture.get("model_type")
    if kind not in {*_TEXTS, *_IMAGES} and not is_own("transformers"):
        raise ConfigError(
            f"The architecture of a checkpoint is of kind {kind!r}, which is not known to be made "
            f"without loading anything (known: {', '.join((*_TEXTS, *_IMAGES))}). If you trust "
            f"it: {OPTION} transformers (in Python: import_packages)."
        )
    for name, value in _entries(architecture):
        if _FETCHING.fullmatch(name):
            raise ConfigError(
                f"The architecture of a checkpoint sets {name}, which can load other files; "
                "`refseg fit` writes none of that kind."
            )
        numbers, most = ([value], _LARGEST) if isinstance(value, int) else (value, _LARGEST_IN_LIST)
        for number in numbers if isinstance(numbers, list) else ():
            if isinstance(number, int) and abs(number) > most:
                raise ConfigError(
                    f"The architecture of a checkpoint has {name} = {number:,}; expected at most "
                    f"{most:,}."
                )


def _entries(architecture: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in architecture.items():
        yield str(name), value
        if isinstance(value, Mapping):
            yield from _entries(value)


def plain_config(config: PreTrainedConfig) -> dict[str, Any]:
    """What `load_config` makes the configuration from again: plain numbers and texts."""
    return json.loads(json.dumps(config.to_diff_dict()))


def load_pretrained(
    kind: Any,  # noqa: ANN401 - the transformers library has no types
    name: str,
    config: PreTrainedConfig,
    *,
    is_part: bool = False,
) -> Any:  # noqa: ANN401 - as above
    """A network with its weights.

    Some tensors may be new (the norms that a backbone adds to its stages); where most are missing,
    the weights are of something else, and transformers would leave the network random.

    Args:
        kind: class of transformers with `from_pretrained`.
        name: on the hub, perhaps with a revision (`owner/name@v1`), or a folder.
        config: what of it to make.
        is_part: the weights are known to be of a larger network: the library's long report of what
            is left over is left out.

    Raises:
        ConfigError: there are no such weights, or they are of another network.
    """
    with explained(name), unreported() if is_part else nullcontext():
        network, found = kind.from_pretrained(
            **where(name), config=config, dtype=torch.float32, output_loading_info=True
        )
    expected, missing = network.state_dict(), sorted(found["missing_keys"])
    if 2 * len(missing) > len(expected):
        raise ConfigError(
            f"The weights of '{name}' do not fit; of {len(expected)} expected tensors "
            f"{len(missing)} are missing: {', '.join(missing[:3])}, ... {_expected(name)}"
        )
    return network


@contextmanager
def unreported() -> Iterator[None]:
    """Keep the library's report of an expected difference from the user's screen."""
    logging = import_transformers().logging
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what goes wrong while transformers loads `name` into one message with the remedy.

    Raises:
        ConfigError: anything of that kind.
    """
    try:
        yield
    except loading_errors() as error:
        reason = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        if not isinstance(
            error, OSError | ValueError
        ):  # `101` says nothing, `KeyError: 101` little
            reason = f"{type(error).__name__}: {reason}"
        if "ignore_mismatched_sizes" in reason:
            reason = "the weights have other shapes than the configuration says"
        raise ConfigError(
            f"Cannot load '{name}' with transformers: {reason}. {_expected(name)}"
        ) from error


def is_absent(name: str) -> bool:
    """Whether a name can only be that of a folder, and there is none."""
    path = Path(name).expanduser()
    if name and path.exists():
        return False
    found = _HUB_NAME.fullmatch(name)
    if found is None or Path(found[1]).suffix in _SUFFIXES:
        return True
    return "/" in found[1] and Path(found[1]).parent.is_dir()


def _expected(name: str) -> str:
    """What `name` should be; only what can be on the hub is to be downloaded from there."""
    path = Path(name).expanduser()
    if path.is_dir():
        return f"Expected {_FOLDER}: config.json and model.safetensors of one and the same model."
    if path.is_file():
        return f"Expected {_FOLDER}, not a file; files of weights are for other classes."
    asked = " --revision ".join(where(name).values())
    return (
        f"Expected the name of a model on the Hugging Face hub, or {_FOLDER}. Without a network, "
        f"run `hf download {asked} --local-dir FOLDER` where there is one, and name the folder."
    )

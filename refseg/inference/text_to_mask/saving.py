"""A CLIPSeg that refseg has trained on, as a folder of the transformers library."""

from pathlib import Path

from torch import Tensor, nn

from refseg.data.tokenizers import TransformersTokenizer
from refseg.errors import ConfigError
from refseg.files import making_folder
from refseg.inference.pipeline import Pipeline
from refseg.models.backbones.clipseg import ClipSegBackbone
from refseg.models.decoders.clipseg import ClipSegDecoder
from refseg.models.text_encoders.transformers import TransformersEncoder
from refseg.models.weights.huggingface import import_transformers


def save_clipseg(model: Pipeline, folder: str | Path) -> Path:
    """Write a model of `clipseg.yaml` so that transformers reads it, without any code of refseg.

    The folder holds the network and its processor, by the `save_pretrained` of both:
    `CLIPSegForImageSegmentation.from_pretrained(folder)` and `CLIPSegProcessor` open it, and so
    does `refseg.load`.

    Args:
        model: that `refseg.load` made of a checkpoint of `refseg fit --config clipseg.yaml`.
        folder: new or empty.

    Returns:
        The folder.

    Raises:
        ConfigError: the model is made of other parts or has adapters, its images are not squashed
            into the square as CLIPSeg's processor does it, or the folder has files.

    Example:
        >>> import refseg
        >>> model = refseg.load("runs/clipseg/checkpoints/best.ckpt")  # doctest: +SKIP
        >>> save_clipseg(model, "clipseg-of-mine")  # doctest: +SKIP
    """
    transformers, folder = import_transformers(), Path(folder)
    backbone, text, decoder = _parts(model)
    tokenizer = model.tokenizer
    if not isinstance(tokenizer, TransformersTokenizer) or model.geometry != "squash":
        raise ConfigError(
            "CLIPSeg's own processor squashes images and cuts words into pieces; train with "
            "--data.geometry squash and a TransformersTokenizer, as clipseg.yaml does."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"Expected a new or empty folder, got {folder}; name another one.")
    network = transformers.CLIPSegForImageSegmentation(backbone.config)
    _fill(
        network,
        {
            "clip": backbone.trunk,
            "clip.text_model": text.trunk,
            "clip.text_projection": text.projection,
            "decoder": decoder.network,
        },
    )
    side = {"height": model.image_size, "width": model.image_size}
    normalization = backbone.normalization
    images = transformers.ViTImageProcessor(
        size=side,
        image_mean=normalization.mean.flatten().tolist(),
        image_std=normalization.std.flatten().tolist(),
    )
    with making_folder(folder) as temporary:
        network.save_pretrained(temporary)
        transformers.CLIPSegProcessor(images, tokenizer.loaded).save_pretrained(temporary)
    return folder


def _parts(model: Pipeline) -> tuple[ClipSegBackbone, TransformersEncoder, ClipSegDecoder]:
    network = model.segmenter
    backbone, text, decoder = network.backbone, network.text_encoder, network.decoder
    if (
        isinstance(backbone, ClipSegBackbone)
        and isinstance(text, TransformersEncoder)
        and isinstance(decoder, ClipSegDecoder)
    ):
        return backbone, text, decoder
    found = ", ".join(type(part).__name__ for part in (backbone, text, decoder))
    raise ConfigError(
        "Expected a CLIPSeg (ClipSegBackbone, TransformersEncoder, ClipSegDecoder), got "
        f"{found}; transformers has no such network: use `model.save_pretrained`."
    )


def _fill(network: nn.Module, parts: dict[str, nn.Module | None]) -> None:
    """Put the weights of the parts into the library's network, all of them and nothing else."""
    weights: dict[str, Tensor] = {
        f"{prefix}.{name}": weight.detach().float().cpu()
        for prefix, part in parts.items()
        for name, weight in (part.state_dict() if part is not None else {}).items()
    }
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[1:2] or [str(error)]
        raise ConfigError(
            f"The weights are not those of a CLIPSeg alone ({reason[0].strip()}); models with "
            "adapters (--model.lora) or with parts of several models cannot be written so."
        ) from error

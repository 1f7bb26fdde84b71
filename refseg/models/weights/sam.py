"""Configurations of SAM and of SAM 2, the promptable segmenters, in the transformers library."""

from refseg.errors import ConfigError
from refseg.models.weights.huggingface import (
    PreTrainedConfig,
    explained,
    import_transformers,
    load_config,
    unreported,
)

EXAMPLES = {"sam": "facebook/sam-vit-base", "sam2": "facebook/sam2.1-hiera-base-plus"}
"""Names on the Hugging Face hub, by the kind of the model."""


def load_sam_config(name: str, kinds: tuple[str, ...] = ("sam", "sam2")) -> PreTrainedConfig:
    """The configuration of a whole model for images; SAM 2 is published as one for videos.

    Args:
        name: on the Hugging Face hub, or a folder.
        kinds: which models will do.

    Raises:
        ConfigError: there is no such model, no network to get it, or it is of another kind.
    """
    found = load_config(name, None)
    if found.model_type == "sam2_video" and "sam2" in kinds:
        with explained(name), unreported():
            return import_transformers().Sam2Config.from_pretrained(name)
    if found.model_type not in kinds:
        examples = " or ".join(EXAMPLES[kind] for kind in kinds)
        raise ConfigError(
            f"Expected a model such as {examples}, got '{name}' of the kind {found.model_type}."
        )
    return found

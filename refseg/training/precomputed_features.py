"""Features on disk in place of a frozen backbone: are they what this run would compute?"""

from typing import Any

from lightning.pytorch import Trainer

from refseg.data import ReferringDataModule
from refseg.errors import ConfigError
from refseg.models.backbones import Backbone, TrunkBackbone
from refseg.models.segmenter import Segmenter


def feature_key(
    backbone: Backbone, data: ReferringDataModule, precision: str, until: int | None = None
) -> dict[str, Any]:
    """All that the features of an image depend on but for the image.

    Args:
        backbone: with its weights.
        data: with the transform.
        precision: of the trainer, such as `32-true`.
        until: the stage after which a fusion first speaks, if it does so early.

    Raises:
        ConfigError: the backbone has no frozen part.
    """
    if not isinstance(backbone, TrunkBackbone):
        raise ConfigError(
            f"Features can be kept of a backbone that starts with a frozen network, but all of "
            f"{type(backbone).__name__} is trained; choose another backbone, or do without "
            "data.features."
        )
    if backbone.adapters:
        raise ConfigError(
            f"Features can be kept of a frozen backbone only, but the {type(backbone).__name__} "
            "has adapters (model.lora) that are trained; leave them out of the backbone with "
            "--model.lora.targets '[text_encoder*query]', say, or do without data.features."
        )
    if not backbone.frozen:
        raise ConfigError(
            f"Features can be kept of a frozen backbone only, but the {type(backbone).__name__} is "
            "trained and would make others with every step; freeze it with "
            "--model.backbone.frozen, or do without data.features."
        )
    reach = {} if until is None else {"until": until}
    fitted = data.transform.state_dict()
    if fitted["geometry"] == "letterbox":
        del fitted["geometry"]  # so that folders from before there was a choice remain good
    return {**backbone.trunk_identity(), **fitted, "precision": precision, **reach}


def check_features(
    segmenter: Segmenter, data: ReferringDataModule, trainer: Trainer, of_regions: bool
) -> None:
    """Make sure that features that are read stand for what the backbone would make of the images.

    Args:
        segmenter: whose backbone has its weights.
        data: says whether features are read.
        trainer: what the run is.
        of_regions: boxes are trained on, and not whole images.

    Raises:
        ConfigError: they were computed otherwise.
        DataError: an image has none.
    """
    if data.features is None:
        return
    stage = str(trainer.state.fn.value) if trainer.state.fn else "fit"
    if of_regions and stage == "fit":
        raise ConfigError(
            "Training on boxes (model.regions) looks at parts of images, and data.features has "
            "features of whole images only; leave data.features out."
        )
    backbone, until = segmenter.backbone, segmenter.first_site
    data.features.expect(feature_key(backbone, data, str(trainer.precision), until))
    data.check_features(stage)

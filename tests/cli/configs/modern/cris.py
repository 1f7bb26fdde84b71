"""CRIS: CLIP's ResNet and text tower, a cross-modal transformer, a kernel for each sentence."""

from pathlib import Path

from .system import System, write_tokenizer

_PIECES = 49408


def _options(tokenizer: Path) -> list[str]:
    """The file of CLIP's weights is one that the user has."""
    return [
        f"--data.tokenizer.name={tokenizer}",
        "--model.backbone.weights=null",
        "--model.text_encoder.weights=null",
    ]


def small(folder: Path) -> list[str]:
    """A ResNet of four blocks, and a text tower of one layer."""
    return [
        *_options(write_tokenizer(folder, 50)),
        "--data.image_size=64",
        "--model.backbone.layers=[1,1,1,1]",
        "--model.backbone.width=4",
        "--model.backbone.heads=2",
        "--model.backbone.embed_dim=12",
        "--model.text_encoder.width=16",
        "--model.text_encoder.layers=1",
        "--model.text_encoder.heads=2",
        "--model.text_encoder.projection_dim=12",
        "--model.fusion.hidden_dim=8",
        "--model.fusion.heads=2",
        "--model.fusion.layers=1",
    ]


def full(folder: Path) -> list[str]:
    """Sizes stand in the recipe, but for the number of pieces."""
    return _options(write_tokenizer(folder, _PIECES))


SYSTEM = System(
    small,
    full,
    published={"CRIS with RN50": 146_849_122},
    differences={"CLIP's logit_scale, which nothing depends on": -1},
)

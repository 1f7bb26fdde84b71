"""From files to batches. Knows no networks.

Names are imported when they are asked for: `refseg data list` needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refseg.data.cache import open_references
    from refseg.data.collation import Collate, collate
    from refseg.data.datamodule import ReferringDataModule
    from refseg.data.dataset import ReferringDataset
    from refseg.data.flips import swap_left_right
    from refseg.data.images import image_exists, image_size, read_image
    from refseg.data.mixtures import DataSource
    from refseg.data.readers import (
        OnBadRecord,
        load_python2_pickle,
        read_folder,
        read_grefcoco,
        read_hub,
        read_phrasecut,
        read_refer,
        read_references,
        read_referit,
    )
    from refseg.data.references import References
    from refseg.data.shapes import ShapesOptions, prepare_shapes
    from refseg.data.streaming.shards import open_shards
    from refseg.data.streaming.writer import write_shards
    from refseg.data.tokenizers import (
        OriginalTokenizer,
        Tokenizer,
        TransformersTokenizer,
        WordTokenizer,
        tokenizer_from_state,
    )
    from refseg.data.transforms import Augmentation, Transform
    from refseg.data.worker_errors import original_message

__all__ = [
    "Augmentation",
    "Collate",
    "DataSource",
    "OnBadRecord",
    "OriginalTokenizer",
    "References",
    "ReferringDataModule",
    "ReferringDataset",
    "ShapesOptions",
    "Tokenizer",
    "Transform",
    "TransformersTokenizer",
    "WordTokenizer",
    "collate",
    "image_exists",
    "image_size",
    "load_python2_pickle",
    "open_references",
    "open_shards",
    "original_message",
    "prepare_shapes",
    "read_folder",
    "read_grefcoco",
    "read_hub",
    "read_image",
    "read_phrasecut",
    "read_refer",
    "read_references",
    "read_referit",
    "swap_left_right",
    "tokenizer_from_state",
    "write_shards",
]

_PLACES = {
    "cache": ("open_references",),
    "collation": ("Collate", "collate"),
    "datamodule": ("ReferringDataModule",),
    "dataset": ("ReferringDataset",),
    "flips": ("swap_left_right",),
    "images": ("image_exists", "image_size", "read_image"),
    "mixtures": ("DataSource",),
    "readers": (
        "OnBadRecord",
        "load_python2_pickle",
        "read_folder",
        "read_grefcoco",
        "read_hub",
        "read_phrasecut",
        "read_refer",
        "read_references",
        "read_referit",
    ),
    "references": ("References",),
    "shapes": ("ShapesOptions", "prepare_shapes"),
    "streaming.shards": ("open_shards",),
    "streaming.writer": ("write_shards",),
    "tokenizers": (
        "OriginalTokenizer",
        "Tokenizer",
        "TransformersTokenizer",
        "WordTokenizer",
        "tokenizer_from_state",
    ),
    "transforms": ("Augmentation", "Transform"),
    "worker_errors": ("original_message",),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

if not TYPE_CHECKING:  # mypy would believe that every name is here

    def __getattr__(name: str) -> object:
        """Import the module that has the name, once."""
        if name not in _PLACE_OF:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        found = getattr(import_module(f"{__name__}.{_PLACE_OF[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    """All public names, imported or not."""
    return sorted({*globals(), *__all__})

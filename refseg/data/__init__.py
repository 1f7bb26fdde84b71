"""From files to batches. Knows no networks."""

from refseg.data.cache import open_references
from refseg.data.collate import Collate, collate
from refseg.data.datamodule import ReferringDataModule
from refseg.data.dataset import ReferringDataset
from refseg.data.flips import swap_left_right
from refseg.data.images import image_exists, image_size, read_image
from refseg.data.masks import decode, encode, encode_segmentation
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
from refseg.data.streaming.index import open_shards
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
    "decode",
    "encode",
    "encode_segmentation",
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

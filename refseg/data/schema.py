"""The columns of a table of references, and how its splits are written."""

import pyarrow as pa

_NAMES = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        ("source", _NAMES),  # for messages: "refcoco (unc)"
        ("expression_id", pa.int64()),
        ("reference_id", pa.int64()),
        ("annotation_ids", pa.list_(pa.int64())),
        ("category_ids", pa.list_(pa.int64())),
        ("image_id", pa.int64()),
        ("split", _NAMES),  # "testA|testB" where a reference belongs to both
        ("expression", pa.string()),  # cleaned and in lower case, where the data set has it so
        ("raw", pa.string()),  # as typed
        ("image_path", _NAMES),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("rle", pa.dictionary(pa.int32(), pa.binary())),  # several expressions share a mask
        ("mask_kind", _NAMES),  # "mask", or "box" where only a box was published: it is filled
        ("category", _NAMES),  # where the set names classes instead of numbering them, else null
    ]
)
"""The columns. Ids of objects and classes are lists, as an expression may name several objects or
none; columns with few different values are dictionaries, so that a value is stored once."""

SPLIT_SEPARATOR = "|"
"""Between the names in the column `split` of a row that belongs to several splits."""

SPLIT_ORDER = ("train", "val", "test", "testA", "testB", "testC")

SPLIT_UNIONS = {"trainval": ("train", "val"), "val_miniv": ("val", "miniv")}
"""Names that stand for several splits, unless a data set has a split of that very name: ReferIt is
trained on `trainval`, and `val_miniv` is all of PhraseCut's validation set."""

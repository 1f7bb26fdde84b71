"""Any model by its path or name: of refseg, or a text-to-mask model of transformers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.errors import CheckpointError, ConfigError
from refseg.files import as_path
from refseg.inference.pipeline import Pipeline
from refseg.inference.pipeline import load as load_checkpoint

if TYPE_CHECKING:  # its library is imported for such a model, and not before
    from refseg.inference.text_to_mask.base import TextToMaskModel

KINDS = ("clipseg", "grounding-dino", "mm-grounding-dino", "sam3", "sam3_video")
"""The `model_type`s of transformers that make masks from text here."""

_CONFIG_FILE = "config.json"
_LARGEST = 2**24  # bytes of a config; the largest have some thousand


def load(
    path: str | Path,
    device: str = "cpu",
    import_packages: Sequence[str] = (),
    revision: str | None = None,
    sam: str | None = None,
) -> "Pipeline | TextToMaskModel":
    """Open a model by its path or name; nothing that lies beside its weights is executed.

    It is a checkpoint of refseg, or a text-to-mask model of transformers: CLIPSeg, SAM 3, or
    Grounding DINO, whose boxes a SAM makes masks of.

    Args:
        path: of a checkpoint that `refseg fit` wrote, or of a folder that `save_pretrained` wrote,
            ours or that of transformers; or the name of a model on the Hugging Face hub,
            `owner/name` or `owner/name@revision`, which is downloaded once.
        device: where to compute, `cpu` or `cuda`, say.
        import_packages: packages of your own that are imported, and whose classes checkpoints may
            name from then on.
        revision: of a model on the hub: a branch, tag or commit; None: that behind the name, else
            the newest one.
        sam: name or folder of the SAM beside Grounding DINO; None: `facebook/sam-vit-huge`.

    Raises:
        CheckpointError: there is no such model, it is no complete checkpoint of refseg, names
            foreign classes, or is a model of transformers that makes no masks from text.
        ConfigError: there is no such package, the files of a model of transformers do not fit
            together, or a SAM is named for a model that takes none.

    Example:
        >>> model = load("CIDAS/clipseg-rd64-refined")  # doctest: +SKIP
        >>> mask, score = model.segment("photo.jpg", "the man in the pink shirt")  # doctest: +SKIP
    """
    name = _with_revision(str(as_path(path)), revision)
    kind = None if name is None else model_type(name)
    if name is None or kind is None:
        _check_no_sam(sam, path)
        return load_checkpoint(path, device, import_packages, revision)
    if kind in ("grounding-dino", "mm-grounding-dino"):
        from refseg.inference.text_to_mask.grounded_sam import SAM, GroundedSam

        return GroundedSam(name, device, sam or SAM)
    _check_no_sam(sam, path)
    if kind == "clipseg":
        from refseg.inference.text_to_mask.clipseg import ClipSeg

        return ClipSeg(name, device)
    if kind in ("sam3", "sam3_video"):  # the published files have the parts for videos, too
        from refseg.inference.text_to_mask.sam3 import Sam3

        return Sam3(name, device)
    raise CheckpointError(
        f"Expected a model that makes masks from text, got {path} of model_type {kind!r}; name "
        f"a checkpoint of refseg, or a model of transformers of {', '.join(KINDS)}."
    )


def _with_revision(name: str, revision: str | None) -> str | None:
    """The name of a model with its revision behind it; None where there cannot be one."""
    if revision is None:
        return name
    from refseg.checkpoint.hub import hub_name  # no need of those who have a file

    model = hub_name(name)
    if model is None or model.revision not in (None, revision):
        return None  # who reads a checkpoint there says so
    return f"{model.name}@{revision}"


def _check_no_sam(sam: str | None, path: str | Path) -> None:
    if sam is not None:
        raise ConfigError(
            f"The SAM {sam} makes masks of the boxes of Grounding DINO, and {path} is none; leave "
            "--sam (in Python: sam) out."
        )


def model_type(name: str) -> str | None:
    """The kind of a model of transformers, by its `config.json`; None for all else.

    Nobody is told here what is wrong with a name or a folder: who reads a checkpoint there says it.

    Args:
        name: of a file, a folder, or a model on the hub, perhaps with a revision behind it.
    """
    path = Path(name)
    if path.is_file():
        return None
    if path.is_dir():
        path = path / _CONFIG_FILE
    else:
        from refseg.checkpoint.hub import hub_name

        model = hub_name(name)
        if model is None:
            return None
        from huggingface_hub import hf_hub_download

        try:
            found = hf_hub_download(
                model.name, _CONFIG_FILE, revision=model.revision, library_name="refseg"
            )
        except (OSError, ValueError, RuntimeError):
            return None
        path = Path(found)
    try:
        if path.stat().st_size > _LARGEST:
            return None
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    kind = config.get("model_type") if isinstance(config, dict) else None
    return kind if isinstance(kind, str) and config.get("library_name") != "refseg" else None

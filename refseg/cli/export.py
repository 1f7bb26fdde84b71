"""`refseg export`: a checkpoint as two graphs for programs without refseg."""

from pathlib import Path
from typing import Annotated, Literal

from refseg.cli.parsing.argument_types import Folder, Option, Packages


def export(
    checkpoint: Annotated[Path, Option(metavar="CKPT")],
    /,
    *,
    format: Literal["onnx", "torch"] = "onnx",
    output: Folder | None = None,
    packages: Packages = (),
) -> None:
    """Write a checkpoint as two graphs: image to features, features and words to logits.

    Ten sentences about one picture cost one backbone. Any number of images, sentences and words
    goes in, in 32 bit. Beside the graphs lie export.json, which says how pictures and sentences
    become their inputs, and for ONNX segment.py, a program that needs numpy, Pillow and
    onnxruntime alone.

    Args:
        checkpoint: what `refseg fit` wrote
        format: onnx; torch: programs of torch.export (.pt2)
        output: folder that is made; default: beside the checkpoint, NAME-onnx or NAME-torch
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated

    Examples:
        refseg export best.ckpt --output exported
        refseg export best.ckpt --format torch --output exported
        python exported/segment.py photo.jpg "the large red star"
    """
    from refseg.inference.export import export as export_to
    from refseg.inference.pipeline import load

    folder = output or checkpoint.parent / f"{checkpoint.stem}-{format}"
    described = export_to(load(checkpoint, import_packages=packages), folder, format)
    for path in sorted(folder.iterdir()):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    if described["script"] is not None:
        print(f'try: python {folder / described["script"]} PHOTO "SENTENCE"')
    elif format == "onnx":
        print("no segment.py: its text or its scaling needs more than numpy and Pillow")

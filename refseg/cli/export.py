"""`refseg export`: a checkpoint for programs without refseg."""

from pathlib import Path
from typing import Annotated, Literal

from refseg.cli.parsing.argument_types import Folder, Option, Packages


def export(
    checkpoint: Annotated[Path | None, Option(metavar="CKPT")] = None,
    /,
    *,
    format: Literal["onnx", "torch", "transformers"] = "onnx",
    output: Folder | None = None,
    packages: Packages = (),
) -> None:
    """Write a checkpoint as two graphs: image to features, features and words to logits.

    Ten sentences about one picture cost one backbone. Any number of images, sentences and words
    goes in, in 32 bit. Two small graphs fit a photograph into the network's square and bring
    masks back to its size. Beside them lie export.json, which says what goes in and comes out,
    with the tokenizer, and for ONNX segment.py, a program that needs numpy, Pillow and onnxruntime
    alone.

    A CLIPSeg that was trained with clipseg.yaml is also written as transformers has it.

    Args:
        checkpoint: what `refseg fit` wrote; default: that of the newest finished run in runs/
        format: onnx; torch: programs of torch.export (.pt2); transformers: a folder of
            `save_pretrained`, for a CLIPSeg
        output: folder that is made; default: beside the checkpoint, NAME-FORMAT
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated

    Examples:
        refseg export best.ckpt --output exported
        refseg export best.ckpt --format torch --output exported
        refseg export runs/clipseg/checkpoints/best.ckpt --format transformers
        python exported/segment.py photo.jpg "the large red star"
    """
    from refseg.cli.newest_run import default_checkpoint
    from refseg.inference.export import export as export_to
    from refseg.inference.pipeline import load

    checkpoint = checkpoint or default_checkpoint()
    folder = output or checkpoint.parent / f"{checkpoint.stem}-{format}"
    model = load(checkpoint, import_packages=packages)
    if format == "transformers":
        from refseg.inference.text_to_mask.saving import save_clipseg

        print(f"transformers: {save_clipseg(model, folder)}")
        return
    described = export_to(model, folder, format)
    for path in sorted(folder.iterdir()):
        print(f"{path}  {path.stat().st_size / 1e3:,.0f} kB")
    if described["script"] is not None:
        print(f'try: python {folder / described["script"]} PHOTO "SENTENCE"')
    elif format == "onnx":
        print("no segment.py: its text or its scaling needs more than numpy and Pillow")

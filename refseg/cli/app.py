"""`refseg app`: a page on which a model segments pictures by sentences."""

from pathlib import Path
from typing import Annotated

from refseg.cli.parsing.argument_types import Checkpoint, Option, Packages
from refseg.errors import ConfigError, DataError


def app(
    *,
    checkpoint: Checkpoint | None = None,
    examples: Path | None = None,
    host: str = "127.0.0.1",
    port: Annotated[int, Option(least=1)] = 7860,
    open: bool = False,
    sam: str | None = None,
    packages: Packages = (),
    device: str = "cpu",
) -> None:
    """Show a page: drop a picture, write sentences, see their masks.

    The page shows the masks of several sentences in colours, their areas and scores, and gives them
    as PNG files; of models that read word by word, also what they believe after each word. It needs
    `pip install "refseg[app]"`. It listens on this machine only, unless --host says otherwise, asks
    no other host for anything, and forgets pictures after an hour.

    Args:
        checkpoint: what `refseg segment` takes: a checkpoint, a folder, a name on the Hugging Face
            hub; default: that of the newest finished run in runs/
        examples: a CSV with the columns image (a path beside it) and expression, to click on;
            default: drawings of the built-in set
        host: address to listen on; 0.0.0.0: all of this machine, for everybody who reaches it
        port: to listen on
        open: show the page in this machine's browser
        sam: the SAM that makes masks of the boxes of Grounding DINO, by its name or as a folder
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated
        device: cpu, cuda, …

    Examples:
        refseg app
        refseg app --checkpoint runs/rmi/checkpoints/best.ckpt --open
        refseg app --checkpoint CIDAS/clipseg-rd64-refined --examples mine.csv --port 8000
    """
    from refseg.inference import web

    web.import_gradio()  # before a model is opened
    from refseg.inference.loading import load
    from refseg.inference.page import Page

    if checkpoint is None:
        from refseg.cli.newest_run import default_checkpoint

        checkpoint = default_checkpoint()
    model = load(checkpoint, device, packages, sam=sam)
    with web.new_folder() as folder:
        page = Page(model, Path(folder))
        shown = _drawn(Path(folder)) if examples is None else _listed(examples)
        if shown:  # the first answer of a model takes longer than those that follow
            model.segment(*next((path, text.splitlines()[0]) for path, text in shown))
        try:
            web.serve(page, _name(checkpoint), shown, host, port, open)
        except OSError as error:
            raise ConfigError(
                f"Cannot listen on {host}, port {port} ({error}); choose another --port, or an "
                "address of this machine as --host."
            ) from None


def _name(checkpoint: Path) -> str:
    """Of the model, for a heading: of the file only what tells runs apart."""
    parts = [part for part in checkpoint.parts if part not in ("checkpoints", "best.ckpt", "/")]
    return "/".join(parts[-2:])


def _drawn(folder: Path) -> list[tuple[Path, str]]:
    """Drawings of the built-in set with sentences about them."""
    import numpy as np
    from PIL import Image

    from refseg.data.shapes.drawing import draw
    from refseg.data.shapes.options import ShapesOptions
    from refseg.data.shapes.writer import compose

    shown = []
    for index in range(4):
        scene, _, expressions = compose(ShapesOptions(), "val", index)
        path = folder / f"drawing-{index + 1}.png"
        Image.fromarray(draw(scene, np.random.default_rng(index))).save(path)
        texts = [*dict.fromkeys(one.text for one in expressions)]
        shown.append((path, "\n".join(texts[: index % 2 + 1])))
    return shown


def _listed(table: Path) -> list[tuple[Path, str]]:
    """The examples of a table, one sentence in each line for the same image."""
    from refseg.data.readers.records import BadRecords
    from refseg.data.readers.tables import read_csv

    sentences: dict[Path, list[str]] = {}
    for line in read_csv(table, ("image", "expression"), BadRecords("error")):
        image, sentence = (str(line.values[name] or "").strip() for name in ("image", "expression"))
        path = table.parent / image
        if not (image and sentence and path.is_file()):
            raise DataError(
                f"{line.record}: expected an image beside {table.name} and an expression, got "
                f"{image!r} and {sentence!r}."
            )
        sentences.setdefault(path, []).append(sentence)
    return [(path, "\n".join(texts)) for path, texts in sentences.items()]

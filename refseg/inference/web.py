"""The page of `refseg app`: a picture and sentences go in, masks over the picture come out."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from refseg.errors import ConfigError, RefsegError
from refseg.inference.page import Page, ShownReading, heat, sentences_of, spoken

MAX_BYTES = 32 * 2**20
"""Of an uploaded file."""
COLOURS = (
    *("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4"),
    *("#f032e6", "#bfef45", "#469990", "#9a6324", "#808000", "#000075"),
)
_Asked = TypeVar("_Asked")
_HEADS = ["sentence", "area, %", "score", "unknown words"]


def serve(
    page: Page,
    name: str,
    examples: Sequence[tuple[Path, str]],
    host: str,
    port: int,
    open_browser: bool,
) -> None:
    """Show the page until the program is stopped.

    Args:
        page: that answers.
        name: of the model, in the heading.
        examples: pictures and sentences to click on.
        host: address to listen on.
        port: to listen on.
        open_browser: show the page in the browser of this machine.

    Raises:
        OSError: the port is in use.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(page.folder)
    blocks = build(page, name, examples)
    blocks.queue(default_concurrency_limit=1, max_size=64)
    blocks.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        enable_monitoring=False,
        max_file_size=MAX_BYTES,
        footer_links=[],
        theme=_theme(),
        css=_CSS,
    )
    print(f"The page: http://{host}:{port}   (Ctrl+C ends it)", flush=True)
    try:
        blocks.block_thread()
    finally:
        blocks.close()


def import_gradio() -> ModuleType:
    """The library that draws the page, told to report nothing to its makers.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read while gradio is imported
    try:
        import gradio
    except ImportError as error:
        if (error.name or "").split(".")[0] != "gradio":
            raise
        raise ConfigError(
            'The page needs gradio, which is not installed; `pip install "refseg[app]"`.'
        ) from None
    return gradio


def build(page: Page, name: str, examples: Sequence[tuple[Path, str]]) -> Any:  # noqa: ANN401 - blocks of gradio, which need not be there
    """Lay out the page.

    Args:
        page: that answers.
        name: of the model, in the heading.
        examples: pictures and sentences to click on.
    """
    gradio = import_gradio()
    with gradio.Blocks(title="refseg", delete_cache=(600, 3600)) as blocks:
        gradio.Markdown(f"# refseg\nThe masks of what sentences name, by `{name}`.")
        with gradio.Row():
            with gradio.Column():
                picture = gradio.Image(
                    type="filepath", label="Picture", sources=["upload", "clipboard"], height=340
                )
                # opened by our own gate, so that what is no image gets our message
                picture.preprocess = _path_of
                text = gradio.Textbox(
                    label="Sentences, one in each line",
                    placeholder="the red star",
                    lines=2,
                    elem_id="sentences",
                )
                button = gradio.Button("Segment", variant="primary")
            with gradio.Column():
                shown = gradio.AnnotatedImage(label="Masks", height=340, elem_id="masks")
                took = gradio.Markdown("", elem_id="took")
        table = gradio.Dataframe(
            headers=_HEADS,
            column_widths=["40%", "17%", "18%", "25%"],
            interactive=False,
            visible=False,
            wrap=True,
            label="",
        )
        files = gradio.Files(label="Masks to download (PNG, size of the picture)", visible=False)
        outputs: list[Any] = [shown, took, table, files]
        asked = _answering(page)
        event = gradio.on([button.click, text.submit], asked, [picture, text], outputs)
        if page.reads_word_by_word:
            _words(page, picture, text, event)
        if examples:  # last: on a phone, masks stand right below the button
            gradio.Examples(
                [[str(path), sentence] for path, sentence in examples],
                [picture, text],
                label="Examples",
                elem_id="examples",
            )
    return blocks


def _answering(page: Page) -> Callable[[str | None, str], tuple[Any, ...]]:
    gradio = import_gradio()

    def answer(picture: str | None, text: str) -> tuple[Any, ...]:
        pixels, found, seconds = _told(lambda: page.answer(_path(picture), text or ""))
        names = [f"{number} {one.sentence}" for number, one in enumerate(found, start=1)]
        colours = dict(zip(names, COLOURS, strict=False))
        masks = [(one.mask.astype(float), name) for one, name in zip(found, names, strict=True)]
        rows = [
            [one.sentence, f"{100 * one.area:.1f}", f"{one.score:.2f}", ", ".join(one.unknown)]
            for one in found
        ]
        return (
            gradio.AnnotatedImage((pixels, masks), color_map=colours),
            f"{len(found)} {'sentence' if len(found) == 1 else 'sentences'} in {seconds:.2f} s",
            gradio.Dataframe(rows, visible=True),
            gradio.Files([str(one.file) for one in found], visible=True),
        )

    return answer


def _words(page: Page, picture: Any, text: Any, event: Any) -> None:  # noqa: ANN401 - gradio's parts
    """The slider through the words of one sentence."""
    gradio = import_gradio()
    heading = "Word by word: what the model believes after each word"
    with gradio.Accordion(heading, open=True), gradio.Row():
        with gradio.Column():
            choice = gradio.Dropdown([], label="Sentence", visible=False, elem_id="sentence")
            slider = gradio.Slider(
                1, 2, 1, step=1, label="Words read", visible=False, elem_id="word"
            )
            said = gradio.Markdown("Segment first; then move through the words here.")
        with gradio.Column():
            view = gradio.AnnotatedImage(
                label="Belief", height=340, show_legend=False, visible=False, elem_id="belief"
            )
    reading = gradio.State(None, time_to_live=1800)

    def chosen(path: str | None, sentence: str | None) -> tuple[Any, ...]:
        kept = _told(lambda: page.read(_path(path), sentence or ""))
        count = len(kept.words)
        # a slider needs two ends
        bar = gradio.Slider(1, max(count, 2), count, step=1, visible=count > 1)
        return (kept, bar, *at(kept, count))

    def at(kept: ShownReading | None, count: float) -> tuple[Any, ...]:
        if kept is None:
            return "", gradio.skip()
        number = min(max(int(count), 1), len(kept.words))
        mask = (heat(kept.probabilities[number - 1]), "believed")
        shown = gradio.AnnotatedImage(
            (kept.pixels, [mask]), color_map={"believed": COLOURS[0]}, visible=True
        )
        return spoken(kept.words, number), shown

    def first(path: str | None, written: str) -> tuple[Any, ...]:
        sentences = _told(lambda: sentences_of(written))
        several = gradio.Dropdown(sentences, value=sentences[0], visible=len(sentences) > 1)
        return (several, *chosen(path, sentences[0]))

    outputs: list[Any] = [reading, slider, said, view]
    event.success(first, [picture, text], [choice, *outputs])
    choice.input(chosen, [picture, choice], outputs)
    slider.input(at, [reading, slider], [said, view], show_progress="hidden")


def _told(ask: Callable[[], _Asked]) -> _Asked:
    """What is asked, or our message as a note on the page."""
    try:
        return ask()
    except RefsegError as error:
        raise import_gradio().Error(str(error), duration=15, print_exception=False) from None


def _path_of(payload: Any) -> str | None:  # noqa: ANN401 - gradio has no public type
    return None if payload is None else payload.path


def _path(picture: str | None) -> Path | None:
    return None if picture is None else Path(picture)


def _theme() -> Any:  # noqa: ANN401 - of gradio
    """Letters that every machine has: a page asks no other host for anything."""
    return import_gradio().themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )


_CSS = """
.gradio-container {max-width: 1100px !important; margin: auto}
th {white-space: normal !important; word-break: normal !important}
#examples td {white-space: pre-line}
"""


def new_folder() -> tempfile.TemporaryDirectory[str]:
    """Where uploads and masks lie while the page is open."""
    return tempfile.TemporaryDirectory(prefix="refseg-app-")

"""The parser that a function makes, against what its signature says by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from refseg.cli.parsing.argument_types import Checkpoint, Count, Folder, Natural, Option, Packages
from refseg.cli.parsing.verb import VerbParser, call
from refseg.errors import ConfigError

CALLS: list[dict[str, Any]] = []


@dataclass(frozen=True)
class Brush:
    """How it is drawn.

    Args:
        width: of a line
        colour: of it
    """

    width: Count = 2
    colour: Literal["red", "blue"] = "red"


def draw(
    photo: Path,
    titles: Sequence[str],
    /,
    *,
    checkpoint: Checkpoint,
    output: Folder | None = None,
    by: Sequence[Literal["size", "length"]] = (),
    splits: Sequence[str] | None = None,
    columns: Natural = 3,
    share: float = 0.5,
    size: Annotated[tuple[int, int], Option(metavar=("HEIGHT", "WIDTH"))] = (48, 64),
    brush: Brush = Brush(),
    words: bool = False,
    packages: Packages = (),
) -> int | None:
    """Draw a photograph.

    It takes a photograph and draws it, in so many words that they do not stand in one line of a
    terminal: 100 % of it.

    Args:
        photo: the file
        titles: one or more
        checkpoint: what `refseg fit` wrote
        output: folder of the pictures
        by: breakdowns
        splits: default: all
        columns: panels in a row
        share: 10 % or more
        size: in pixels
        brush: how it is drawn
        words: also write words
        packages: imported first

    Examples:
        refseg draw photo.jpg "a title"
    """
    CALLS.append(dict(locals()))
    return None if not words else 1


def arguments(words: str) -> dict[str, Any]:
    CALLS.clear()
    call(draw, "refseg draw", words.split())
    return CALLS.pop()


def refused(words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        arguments(words)
    return str(caught.value)


def test_every_kind_of_argument() -> None:
    assert arguments("a.jpg one two --checkpoint b.ckpt") == {
        "photo": Path("a.jpg"),
        "titles": ["one", "two"],
        "checkpoint": Path("b.ckpt"),
        "output": None,
        "by": [],
        "splits": None,
        "columns": 3,
        "share": 0.5,
        "size": (48, 64),
        "brush": Brush(2, "red"),
        "words": False,
        "packages": [],
    }
    found = arguments(
        "a.jpg one --ckpt_path=b.ckpt --by length size --by size --splits val --columns 0 "
        "--share 2 --size 1 2 --width 5 --colour=blue --words --import x.y --import z --output d"
    )
    assert found["by"] == ["length", "size", "size"]
    assert found["size"] == (1, 2)
    assert found["brush"] == Brush(5, "blue")
    assert found["packages"] == ["x.y", "z"]
    assert (found["output"], found["splits"], found["columns"]) == (Path("d"), ["val"], 0)
    assert (found["share"], found["words"]) == (2.0, True)


def test_an_option_of_one_word_each_leaves_the_next_word_alone() -> None:
    assert arguments("--import x a.jpg one --checkpoint=b")["photo"] == Path("a.jpg")


def test_words_behind_two_dashes_are_no_options() -> None:
    assert arguments("--checkpoint b a.jpg -- --one")["titles"] == ["--one"]


def test_the_exit_code_is_what_the_function_returns() -> None:
    assert call(draw, "refseg draw", ["a", "b", "--checkpoint", "c"]) == 0
    assert call(draw, "refseg draw", ["a", "b", "--checkpoint", "c", "--words"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a.jpg", "`refseg draw` needs: TITLE, --checkpoint; see `refseg draw --help`."),
        ("a b --checkpoint c --columns -1", "--columns: expected a whole number from 0, got -1;"),
        ("a b --checkpoint c --width x", "--width: expected a whole number from 1, got 'x';"),
        ("a b --checkpoint c --share x", "--share: expected a number, got 'x';"),
        ("a b --checkpoint", "--checkpoint: expected one argument;"),
        ("a b --checkpoint c --by sze", "of size, length, got 'sze'. Did you mean size?"),
        ("a b --checkpoint c --size 1", "--size: expected 2 arguments;"),
        ("a b --chekpoint c", "Unknown option --chekpoint of `refseg draw`. Did you mean --check"),
        ("a b --columms=c", "Unknown option --columms of `refseg draw`. Did you mean --columns?"),
        ("a b --nine", "Unknown option --nine of `refseg draw`. `refseg draw --help` lists all."),
        ("a b --column 1", "Did you mean --columns?"),
    ],
)
def test_mistakes(words: str, message: str) -> None:
    assert message in refused(words)


def test_help_is_made_of_the_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = VerbParser(draw, "refseg draw").format_help()
    assert text.splitlines()[0] == "usage: refseg draw PHOTO TITLE ... --checkpoint FILE [options]"
    assert "\nDraw a photograph.\n\nIt takes a photograph and draws it" in text
    assert text.rstrip().endswith('examples:\n  refseg draw photo.jpg "a title"')
    assert max(map(len, text.splitlines())) <= 80
    for line in (
        "  --checkpoint, --ckpt_path FILE\n",
        "  --output DIR            folder of the pictures\n",
        "  --by {size,length} ...  breakdowns\n",
        "  --splits SPLIT ...      default: all\n",
        "  --columns N             panels in a row (default: 3)\n",
        "  --share X               10 % or more (default: 0.5)\n",
        "  --size HEIGHT WIDTH     in pixels (default: 48 64)\n",
        "  --colour {red,blue}     of it (default: red)\n",
        "  --words                 also write words\n",
        "  --import PACKAGE        imported first\n",
    ):
        assert line in text
    assert "type:" not in text
    assert "null" not in text


def test_what_is_handed_on() -> None:
    seen: list[Sequence[str]] = []

    def judge(
        names: Sequence[str] = (),
        /,
        *,
        fast: bool = False,
        options: Annotated[Sequence[str], Option(rest=("--data.", "--trainer."))] = (),
    ) -> None:
        """Judge.

        Args:
            names: of things
            fast: quickly
            options: of another verb
        """
        seen.extend([names, options])

    words = "a b --data.root DIR --fast --trainer.x=1 --data.flag --data.y -1"
    assert call(judge, "refseg judge", words.split()) == 0
    assert seen == [
        ["a", "b"],
        ["--data.root", "DIR", "--trainer.x=1", "--data.flag", "--data.y", "-1"],
    ]
    with pytest.raises(ConfigError, match="Unknown option --model"):
        call(judge, "refseg judge", ["a", "--model.x=1"])


def test_what_stands_behind_two_dashes() -> None:
    seen: list[Sequence[str]] = []

    def repeat(
        name: str,
        /,
        *,
        jobs: Count = 1,
        overrides: Annotated[Sequence[str], Option(behind="--")] = (),
    ) -> None:
        """Repeat.

        Args:
            name: of it
            jobs: at a time
            overrides: behind `--`
        """
        seen.append(overrides)

    call(repeat, "refseg repeat", ["x", "--jobs", "2", "--", "--a=1", "--", "b"])
    call(repeat, "refseg repeat", ["x"])
    assert seen == [["--a=1", "--", "b"], []]
    with pytest.raises(ConfigError, match="Options of what is run stand behind `--`"):
        call(repeat, "refseg repeat", ["x", "--trainer.max_steps=1"])


def test_a_parameter_that_the_docstring_does_not_tell() -> None:
    def silent(name: str, /) -> None:
        """Say nothing."""

    with pytest.raises(KeyError, match="name"):
        VerbParser(silent, "refseg silent")


def test_a_flag_that_nobody_could_turn_off() -> None:
    def loud(*, noise: bool = True) -> None:
        """Be loud.

        Args:
            noise: of it
        """

    with pytest.raises(TypeError, match="noise, which is a flag, to be off by default"):
        VerbParser(loud, "refseg loud")


def test_a_type_that_no_word_can_be_read_as() -> None:
    def odd(name: bytes, /) -> None:
        """Be odd.

        Args:
            name: of it
        """

    with pytest.raises(TypeError, match="a type that a word can be read as, got <class 'bytes'>"):
        VerbParser(odd, "refseg odd")

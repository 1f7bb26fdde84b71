"""The way out of the program when the reader of its output has gone: code 141, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from refseg import __main__ as command_line

CODE = "import sys, time; time.sleep(0.3); from refseg.__main__ import main; sys.exit(main())"


def run_until(lines: int, *words: str, code: str = CODE, together: bool = False) -> tuple[int, str]:
    """As `refseg WORDS | head -LINES`: the exit code, and what went to stderr besides."""
    ours, theirs = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=theirs,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as reader:
            for _ in range(lines):
                while reader.read(1) not in (b"\n", b""):
                    pass
        _, errors = process.communicate(timeout=300)
    return process.returncode, errors or ""


@pytest.mark.parametrize(
    "words", ["--help", "data", "data list", "data list --root .", "--version"]
)
def test_a_reader_that_goes_away_ends_the_program(words: str) -> None:
    assert run_until(0, *words.split()) == (141, "")


def test_where_nobody_hears_the_message_of_an_error() -> None:
    assert run_until(0, "data", "list", "nine", together=True) == (141, "")


@pytest.mark.parametrize("in_thread", [False, True])
def test_output_by_rich(in_thread: bool) -> None:
    """Rich lets a thread end silently, and the output go to the null device from then on."""
    code = f"""
import sys, threading, time
from rich.console import Console
from refseg import __main__ as command_line
def show():
    for number in range(300):
        Console(width=100).print(f"line {{number}}" * 9)
        time.sleep(0.001)
def run(verb, words):
    if not {in_thread}:
        show()
    else:
        thread = threading.Thread(target=show)
        thread.start()
        thread.join()
    return 0
command_line._run = run
sys.exit(command_line.main())
"""
    assert run_until(1, code=code) == (141, "")


def test_other_pipes_that_break_are_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to a server, for one: this is a fault, and it is told."""

    def broken(verb: str, words: list[str]) -> NoReturn:
        raise BrokenPipeError(32, "the server has gone")

    monkeypatch.setattr(command_line, "_run", broken)
    with pytest.raises(BrokenPipeError, match="the server has gone"):
        command_line.main(["fit"])


def test_output_that_was_nowhere_from_the_beginning_is_in_order(tmp_path: Path) -> None:
    for place in (subprocess.DEVNULL, None):
        done = subprocess.run(
            [sys.executable, "-c", CODE, "data", "list"],
            stdout=place,
            stderr=subprocess.DEVNULL,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0


@pytest.mark.slow
def test_the_reader_of_an_evaluation_goes_away(run: Path, tmp_path: Path) -> None:
    words = ["test", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]
    returned, errors = run_until(1, *words, "--output", str(tmp_path / "out"))
    assert returned == 141
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


BARS = """
import sys
from refseg import __main__ as command_line
def run(verb, words):
    from tqdm import tqdm
    from tqdm.auto import tqdm as notebook
    for bar in (tqdm, notebook):
        list(bar(range(3)))
    if words:
        from transformers import AutoModel
        AutoModel.from_pretrained(words[0])
    print("done", file=sys.stderr)
    return 0
command_line._run = run
sys.exit(command_line.main())
"""


def test_bars_of_other_libraries_stay_out_of_a_file() -> None:
    done = subprocess.run([sys.executable, "-c", BARS, "fit"], capture_output=True, check=True)
    assert done.stderr == b"done\n"
    shown = {**os.environ, "TQDM_DISABLE": ""}
    done = subprocess.run([sys.executable, "-c", BARS], capture_output=True, check=True, env=shown)
    assert done.stderr.count(b"100%") == 2, "who asks for them has them"


def test_bars_are_drawn_on_a_terminal() -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_BARS")}
    plain = {**plain, "TERM": "xterm"}
    plain.pop("TQDM_DISABLE", None)
    subprocess.run([sys.executable, "-c", BARS], stderr=theirs, check=True, env=plain)
    os.close(theirs)
    assert os.read(ours, 10_000).count(b"100%") == 2
    os.close(ours)


@pytest.mark.slow
def test_transformers_draws_no_bar_in_a_file(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    words = [sys.executable, "-c", BARS, "fit", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, check=True)
    assert done.stderr == b"done\n"

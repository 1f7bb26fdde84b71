"""The command line: finds the verb and hands over to it.

Torch takes seconds to import, so nothing here does: `refseg --help` and the verbs' own parsers
answer at once.
"""

import contextlib
import importlib
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from refseg.cli import EXAMPLES, GROUPS, TRAINER_VERBS, VERBS, Verb
from refseg.cli.suggestions import did_you_mean

if TYPE_CHECKING:
    from refseg.errors import RefsegError

_BARS = ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS")
"""Variables that the libraries read when they are imported: tqdm's is torch's and lightning's, too;
transformers follows that of the hub."""


def overview() -> str:
    """The text of `refseg --help`."""
    return _page(
        "refseg VERB [options]",
        "Referring image segmentation: a picture and a sentence go in, a mask comes out.",
        {**TRAINER_VERBS, **{name: verb.meaning for name, verb in VERBS.items()}, **GROUPS},
        EXAMPLES,
    )


def _page(usage: str, purpose: str, verbs: Mapping[str, str], examples: str) -> str:
    width = max(map(len, verbs)) + 2
    lines = [f"  {verb:<{width}}{meaning}" for verb, meaning in verbs.items()]
    return "\n".join([f"usage: {usage}", "", purpose, "", "verbs:", *lines, "", examples])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code.

    0: done. 1: partly failed. 2: wrong input. 128 and more: ended by a signal, which is 141 where
    whoever read the output has gone (`refseg ... | head`).
    """
    nowhere = _going_nowhere()
    _turn_off_bars()
    try:
        try:
            code = _run_and_tell(arguments)
        finally:  # here, as Python itself would complain of it at the very end
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
    except (BrokenPipeError, SystemExit) as error:
        if _is_broken_pipe(error):
            for stream in (sys.stdout, sys.stderr):
                _stop_writing(stream)
            if _going_nowhere() != nowhere:
                return 141
        raise
    return 141 if _going_nowhere() != nowhere else code


def _turn_off_bars() -> None:
    """No bars of other libraries in a log: they are for a terminal, which can go back in a line.

    Who sets one of these variables, to 0 say, has the last word.
    """
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return
    for name in _BARS:
        os.environ.setdefault(name, "1")


def _is_broken_pipe(error: BaseException | None) -> bool:
    """Whether it is one, or came of one: rich makes a `SystemExit` with the code 1 of it."""
    while error is not None:
        if isinstance(error, BrokenPipeError):
            return True
        error = error.__context__
    return False


def _stop_writing(stream: TextIO | None) -> None:
    """Let what is written from now on go nowhere, if the stream's reader has gone.

    If it has not, then another connection broke: to a server, say.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):  # no stream, no file, no poll
        number = stream.fileno()  # type: ignore[union-attr]  # see above
        poll = select.poll()
        poll.register(number, 0)
        if poll.poll(0):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _going_nowhere() -> list[bool]:
    """Whether our output and our errors go to the null device, as rich lets them without a reader.

    It does so in the thread of a progress bar, too, which the rest of the program does not notice.
    """
    found = []
    for stream in (sys.stdout, sys.stderr):
        try:
            status = os.fstat(stream.fileno())
        except (AttributeError, OSError, ValueError):
            found.append(False)
        else:
            found.append(os.path.samestat(status, Path(os.devnull).stat()))
    return found


def _run_and_tell(arguments: Sequence[str] | None) -> int:
    """Run one verb, and say why where it cannot be done."""
    from refseg.errors import Stopped

    words = with_home_in_words(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words[0] if words else "", words[1:])
    except BrokenPipeError:
        raise
    except Exception as error:
        from refseg.cli.messages import explained

        message = explained(error)
        if message is None:
            raise
        print(f"refseg: error: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("refseg: interrupted", file=sys.stderr)
        return 130
    except Stopped as stopped:
        if stopped.code:
            print(f"refseg: stopped by {signal.Signals(stopped.number).name}", file=sys.stderr)
        return int(stopped.code or 0)


def with_home_in_words(words: Sequence[str]) -> list[str]:
    """Words with the home folder for `~`, also where a shell leaves it: `--data.root=~/data`."""
    from refseg.files import with_home

    parts = (word.partition("=") if word.startswith("-") else ("", "", word) for word in words)
    return [f"{name}{equals}{with_home(value)}" for name, equals, value in parts]


def _run(verb: str, words: list[str]) -> int:
    if verb in {"", "-h", "--help"}:
        print(overview(), flush=True)
        return 0 if verb else 2
    if verb == "--version":
        from importlib.metadata import version

        print(f"refseg {version('refseg')}")
        return 0
    if verb in TRAINER_VERBS:
        return _run_trainer(verb, words)
    if verb in VERBS:
        return _call(VERBS[verb], f"refseg {verb}", words)
    if verb in GROUPS:
        return _run_group(verb, words)
    raise _unknown(verb, [*TRAINER_VERBS, *VERBS, *GROUPS])


def _run_trainer(verb: str, words: list[str]) -> int:
    from refseg.cli.trainer.help import asked_for, first_screen

    asked = asked_for(words)
    if asked is not None:
        print(first_screen(verb), flush=True)
    if asked == "first":
        return 0
    from refseg.cli.trainer.run import run_trainer

    if asked == "all":
        print("\nall options:\n", flush=True)
        words = ["--help"]
    return run_trainer(verb, words)


def _run_group(group: str, words: list[str]) -> int:
    package = importlib.import_module(f"refseg.cli.{group}")
    verb = words[0] if words else ""
    if verb in {"", "-h", "--help"}:
        usage = f"refseg {group} VERB [options]"
        meanings = {name: known.meaning for name, known in package.VERBS.items()}
        print(_page(usage, f"{GROUPS[group].capitalize()}.", meanings, package.EXAMPLES))
        return 0 if verb else 2
    if verb not in package.VERBS:
        raise _unknown(verb, [*package.VERBS], f" of `refseg {group}`")
    return _call(package.VERBS[verb], f"refseg {group} {verb}", words[1:])


def _call(verb: Verb, prog: str, words: list[str]) -> int:
    module, _, name = verb.place.partition(":")
    command = importlib.import_module(module)
    from refseg.cli.parsing.verb import call

    return call(getattr(command, name), prog, words)


def _unknown(verb: str, known: Sequence[str], where: str = "") -> "RefsegError":
    from refseg.errors import ConfigError

    meant = did_you_mean(verb, known)
    remedy = f".{meant}" if meant else f"; choose one of {', '.join(known)}."
    return ConfigError(f"Unknown verb '{verb}'{where}{remedy}")


if __name__ == "__main__":
    sys.exit(main())

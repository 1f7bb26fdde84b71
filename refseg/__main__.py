"""The command line: finds the verb and hands over to it.

Torch takes seconds to import, so nothing here does: `refseg --help` and the verbs' own parsers
answer at once.
"""

import importlib
import os
import sys
from collections.abc import Sequence

TRAINER_VERBS = {
    "fit": "train a model, evaluate it, and leave a checkpoint, its config and example pictures",
    "validate": "evaluate a checkpoint on the validation split",
    "test": "evaluate a checkpoint on all evaluation splits",
    "predict": "write the masks that a checkpoint predicts for the evaluation splits",
}
COMMANDS = {
    "segment": "segment what an expression names in a photograph of yours",
    "sweep": "run a sweep file (fusion × seed, say) on this machine, and compare",
}
EXAMPLES = """\
examples:
  refseg fit --config rmi.yaml
  refseg test --ckpt_path runs/rmi/checkpoints/best.ckpt
  refseg segment photo.jpg "the large red star" --checkpoint best.ckpt
  refseg sweep sweeps/fusion.yaml

`refseg VERB --help` has the options and more examples."""


def overview() -> str:
    """The text of `refseg --help`."""
    verbs = {**TRAINER_VERBS, **COMMANDS}
    lines = [f"  {verb:<10}{meaning}" for verb, meaning in verbs.items()]
    return "\n".join(
        [
            "usage: refseg VERB [options]",
            "",
            "Referring image segmentation: a picture and a sentence go in, a mask comes out.",
            "",
            "verbs:",
            *lines,
            "",
            EXAMPLES,
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 1 partly failed, 2 wrong input."""
    from refseg.errors import RefsegError

    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words[0] if words else "", words[1:])
    except RefsegError as error:
        message = str(error)
        if message.startswith("Caught "):  # from a data loader's worker, with its traceback
            from refseg.data.worker_errors import original_message

            message = original_message(error)
        print(f"refseg: error: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("refseg: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: `refseg ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(verb: str, words: list[str]) -> int:
    if verb in {"", "-h", "--help"}:
        print(overview(), flush=True)
        return 0 if verb else 2
    if verb == "--version":
        from importlib.metadata import version

        print(f"refseg {version('refseg')}")
        return 0
    if verb in TRAINER_VERBS:
        from refseg.cli import run_trainer

        return run_trainer(verb, words)
    if verb in COMMANDS:
        command = importlib.import_module(f"refseg.commands.{verb}")
        return int(command.run(command.parser().parse_args(words)))
    from refseg.errors import ConfigError

    known = ", ".join([*TRAINER_VERBS, *COMMANDS])
    raise ConfigError(f"Unknown verb '{verb}'; choose one of {known}.")


if __name__ == "__main__":
    sys.exit(main())

"""Trainings of several stages, each of which starts with the weights of the one before."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from refseg.cli.configs.bases import YAML, read_yaml
from refseg.cli.configs.files import find_config
from refseg.cli.trainer.command_line import value_of
from refseg.errors import ConfigError
from refseg.files import write_text
from refseg.training.going_on import RESUME_FILE, entered_anywhere, newest_checkpoint
from refseg.training.run_lock import locked


def stages_of(words: Sequence[str]) -> list[str] | None:
    """The configs of the stages, if the config on the command line is a list of them.

    Args:
        words: after `refseg fit`.

    Raises:
        ConfigError: the config has other options beside its stages.
    """
    config = value_of("--config", words)
    if config is None or not config.endswith(YAML):
        return None
    path = find_config(config)
    content = read_yaml(path)
    stages = content.get("stages")
    if stages is None:
        return None
    if len(content) > 1 or not isinstance(stages, list) or not stages:
        raise ConfigError(f"Expected a list of configs as `stages` and nothing else in {path}.")
    return [str(stage) for stage in stages]


def run_stages(
    stages: Sequence[str], words: Sequence[str], fit: Callable[[list[str], str], int]
) -> int:
    """Train one stage after the other, in a folder each; go on where an earlier call was stopped.

    A finished stage is not repeated, and one that was broken off goes on with its newest
    checkpoint: the same command with the same `--output` ends up with the same stages.

    Args:
        stages: their configs.
        words: after `refseg fit`; options apply to every stage.
        fit: runs `refseg fit` with other words; told the command that goes on with all stages.

    Raises:
        ConfigError: a checkpoint is named, which each stage finds for itself; or stages are at work
            in the folder.
    """
    for option in ("--ckpt_path", "--model.start_from", "--print_config"):
        if value_of(option, words) is not None or option in words:
            raise ConfigError(
                f"{option} does not go with several stages, which find their own checkpoints; name "
                f"the config of one stage ({', '.join(stages)}), or leave it out."
            )
    config = Path(str(value_of("--config", words)))
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    output = Path(value_of("--output", words) or Path("runs", f"{config.stem}-{stamp}"))
    if any(word.partition("=")[0] == "--overwrite" for word in words):
        raise ConfigError(
            f"--overwrite does not go with several stages; remove {output}, or choose another "
            "--output."
        )
    with locked(output, "fit"):
        return _run_stages(stages, words, output, fit)


def _run_stages(
    stages: Sequence[str], words: Sequence[str], output: Path, fit: Callable[[list[str], str], int]
) -> int:
    config = Path(str(value_of("--config", words)))
    options = _without(words, ("--config", "--output"))
    again = _again(words, output)
    before: Path | None = None
    for number, stage in enumerate(stages, start=1):
        name = Path(stage).stem.removeprefix(config.stem).strip("_-") or str(number)
        folder = output / name
        if not (folder / "metrics.json").is_file():
            stands = f"Stage {number} of {len(stages)}, {name}: {folder}"
            print(stands, flush=True)
            write_text(output / RESUME_FILE, f"# {stands}. This goes on:\n{again}\n")
            try:
                code = fit([*_words(stage, folder, before), *options], again)
            except (KeyboardInterrupt, SystemExit):
                if not (folder / RESUME_FILE).is_file():  # else it has just been said
                    print(f"To go on with this stage and those after it: {again}", flush=True)
                raise
            if code:
                return code
        before = folder / "checkpoints" / "best.ckpt"
    (output / RESUME_FILE).unlink(missing_ok=True)
    return 0


def _words(stage: str, folder: Path, before: Path | None) -> list[str]:
    words = ["--config", stage, "--output", str(folder)]
    newest = newest_checkpoint(folder)
    if newest is not None:
        words += ["--ckpt_path", str(newest)]
    if before is not None:
        words += [f"--model.start_from={before}", f"--data.vocabulary_from={before}"]
    return words


def _again(words: Sequence[str], output: Path) -> str:
    """The command of the user, with the folder in which it goes on."""
    folder = [] if value_of("--output", words) else ["--output", str(output)]
    return entered_anywhere(["fit", *words, *folder])


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """The words without some options and their values."""
    kept: list[str] = []
    is_value = False
    for word in words:
        if not is_value and word not in options and word.partition("=")[0] not in options:
            kept.append(word)
        is_value = word in options
    return kept

"""The errors of refseg. Each message says what was expected, what came, and what to do about it.

The command line prints the message alone, without a traceback, and exits with code 2.
"""


class RefsegError(Exception):
    """Something a user can put right. The message names the remedy."""


class DataError(RefsegError):
    r"""A file or a record of a data set is missing, broken, or not what its format promises.

    It prints as one line, whatever the file has in it: a name or a text that came from it may hold
    line ends, or letters that command a terminal. These are shown as their escapes.

    Example:
        >>> print(DataError("images.csv, line 2: expected a split, got 'a\x1b[1m\nb'."))
        images.csv, line 2: expected a split, got 'a\x1b[1m\nb'.
    """

    def __str__(self) -> str:
        """The message, with an escape for each letter that cannot be printed."""
        return "".join(x if x.isprintable() else repr(x)[1:-1] for x in super().__str__())


class DownloadError(RefsegError):
    """No mirror gave a file; the message has a line for each step to get it by hand."""


class ConfigError(RefsegError):
    """An option has a value that cannot work."""


class CheckpointError(RefsegError):
    """A file is not a checkpoint of refseg, or lacks a part that is needed."""


class TrainingError(RefsegError):
    """Training cannot go on (a loss that is not finite, for one)."""


class PredictionError(RefsegError):
    """What a network answers is not a number."""


class Stopped(SystemExit):
    """A signal asked the program to end; no error, and nothing to put right.

    Args:
        number: of the signal; the exit code is 128 more, as shells have it.
        is_failure: whether the exit code says so; without, it is 0.
    """

    def __init__(self, number: int, is_failure: bool = True) -> None:
        super().__init__(128 + number if is_failure else 0)
        self.number = number

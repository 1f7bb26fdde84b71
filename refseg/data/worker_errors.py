"""The message of an error that was raised in a worker process of a data loader."""

import re

from refseg.errors import RefsegError

_LAST_RAISED = re.compile(r"^(?:refseg\.errors\.)\w+Error: ", re.MULTILINE)


def original_message(error: RefsegError) -> str:
    r"""What the error says, without the traceback that a data loader puts around it.

    An error of a worker process reaches the main process as a new error of the same class whose
    message is "Caught DataError in DataLoader worker process 0", the worker's traceback and, at its
    end, the message that is for the user.

    Args:
        error: as caught in the main process, from a worker or not.

    Example:
        >>> from refseg.errors import DataError
        >>> original_message(DataError("cat.jpg is absent."))
        'cat.jpg is absent.'
        >>> original_message(DataError(
        ...     "Caught DataError in DataLoader worker process 0.\nOriginal Traceback …\n"
        ...     "refseg.errors.DataError: cat.jpg is absent.\n"))
        'cat.jpg is absent.'
    """
    traceback = str(error.args[0]) if error.args else ""
    found = list(_LAST_RAISED.finditer(traceback)) if traceback.startswith("Caught ") else []
    return traceback[found[-1].end() :].strip() if found else str(error)

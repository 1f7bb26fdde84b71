"""Python-2 pickles of plain data, read without running anything that they contain."""

import pickle
from pathlib import Path
from typing import NoReturn

from refseg.errors import DataError


class _ForbiddenGlobalError(pickle.UnpicklingError):
    """The pickle names a class or a function."""


class _PlainUnpickler(pickle.Unpickler):
    """Builds lists, tuples, dictionaries, numbers and texts; refuses to look up anything by name.

    Every way in which a pickle can call something (reduce, inst, obj, newobj, build) begins with a
    class or a function that is found by name, so that refusing the names refuses the calls.
    """

    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise _ForbiddenGlobalError(f"{module}.{name}")


def load_python2_pickle(path: Path) -> object:
    """Read a pickle of plain data, as Python 2 wrote it, and run nothing that it contains.

    The annotations of the REFER data sets are published as pickles, and a pickle can call any
    function of the machine that opens it. These are lists of dictionaries of numbers and texts, so
    nothing is lost by refusing the rest. Python 2's byte strings become texts in Latin-1, one
    character per byte: that never fails, and UTF-8 can be recovered from it.

    Args:
        path: the pickle file.

    Raises:
        DataError: the file is missing, is no pickle, is cut short, or would call something.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="latin1").load()
    except OSError as error:
        raise DataError(
            f"Cannot read {path}: {error.strerror or error}; check the path and its permissions."
        ) from None
    except _ForbiddenGlobalError as error:
        raise DataError(
            f"{path} is not a pickle of plain data: it asks for {error}, which could run code, and "
            "was refused. Do not open it with pickle.load; download the annotations again from a "
            "source that you trust."
        ) from None
    except Exception as error:  # whatever a broken stream makes the unpickler stumble over
        raise DataError(
            f"{path} is not a complete pickle ({type(error).__name__}: {error}); the file may have "
            "been cut short: download or unpack it again."
        ) from None

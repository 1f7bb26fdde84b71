"""What the system refuses or ends (disks, permissions, memory, processes), in one message each."""

import errno
import re
from collections.abc import Callable

_REMEDIES = {
    errno.EROFS: "choose a folder that can be written to",
    errno.EACCES: "change its permissions, or choose another",
    errno.EPERM: "change its permissions, or choose another",
    errno.ENOSPC: "make room, or choose a folder on another disk",
    errno.EDQUOT: "make room, or choose a folder on another disk",
    errno.EMFILE: "allow more open files (`ulimit -n 65536`)",
    errno.ENFILE: "allow more open files (`sysctl fs.file-max`)",
    errno.ENOMEM: "free some memory",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "check the path, or choose a folder that can be written to",
    errno.ENOTDIR: "a file stands in the way; choose a folder",
    errno.EEXIST: "a file stands in the way; choose a folder of another name",
    errno.EISDIR: "a folder stands in the way; choose a file of another name",
}
_OPTIONS = "(--output; REFSEG_CACHE for what refseg keeps, TMPDIR for temporary files)"
_MEMORY = "Lower --data.batch_size, --data.image_size or --data.max_expressions."


def explain_system_error(error: BaseException) -> str | None:
    """What happened and what to do, where the system is to blame; None for all else.

    Args:
        error: as it was raised: by the system, or by torch about its processes and memory.

    Example:
        >>> explain_system_error(OSError(30, "Read-only file system", "/cdrom/run"))[:51]
        '/cdrom/run: Read-only file system; choose a folder '
        >>> explain_system_error(ValueError("x")) is None
        True
    """
    if isinstance(error, OSError) and error.strerror:
        return _of_files(error)
    message = " ".join(str(error).split())
    for pattern, explanation in _EXPLANATIONS:
        found = re.search(pattern, message)
        if found:
            return explanation(found)
    if isinstance(error, MemoryError):
        return f"There is not enough memory. {_MEMORY}"
    return None


def _of_files(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0)
    where = f" {_OPTIONS}" if remedy is not None and "choose a" in remedy else ""
    return f"{place}{error.strerror}{f'; {remedy}{where}' if remedy else ''}."


def _killed_worker(found: re.Match[str]) -> str:
    pid, signal = found["pid"], found["signal"]
    if "Bus error" in signal:
        return (
            f"A process that reads images (process {pid}) found no shared memory (/dev/shm). Give "
            "it more (`docker run --shm-size 8g`), or take --data.num_workers 0."
        )
    cause = f"was ended ({signal}){', as when memory runs out' if signal == 'Killed' else ''}"
    return (
        f"A process that reads images (process {pid}) {cause}. Take fewer of them "
        "(--data.num_workers), or smaller batches (--data.batch_size)."
    )


def _vanished_workers(found: re.Match[str]) -> str:
    return (
        f"A process that reads images (process {found['pids']}) ended unexpectedly, as when memory "
        "runs out. Take fewer of them (--data.num_workers), or smaller batches (--data.batch_size)."
    )


def _port_in_use(found: re.Match[str]) -> str:
    return (
        f"Expected the port {found['port']} for the processes of this run, but another program "
        "uses it. Set MASTER_PORT to another one, or leave it unset: then a free one is taken."
    )


def _lost_connection(found: re.Match[str]) -> str:
    return (
        f"The connection to another process of this run is lost ({found[0].strip()}): it has "
        "ended, and its own output says why; or the network between the machines has failed."
    )


def _no_memory(found: re.Match[str]) -> str:
    device = "graphics" if "CUDA" in found[0] else "main"
    return f"There is not enough {device} memory ({found[0]}). {_MEMORY}"


_WORKER = r"DataLoader worker \(pid (?P<pid>\d+)\) is killed by signal: (?P<signal>[^.]+)\."
_WORKERS = r"DataLoader worker \(pid\(s\) (?P<pids>[\d, ]+)\) exited unexpectedly"
_CONNECTION = (
    r"Connection (was likely )?(closed|reset)[^.\[]*|ncclRemoteError|remote process exited|"
    r"NCCL communicator was aborted"
)
_ALLOCATION = r"(can't allocate memory|not enough memory): you tried to allocate \d+ bytes"
_EXPLANATIONS: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (_WORKER, _killed_worker),
    (_WORKERS, _vanished_workers),
    (r"port: (?P<port>\d+),.*EADDRINUSE", _port_in_use),
    (r"CUDA out of memory\. Tried to allocate [\d.]+ \w+", _no_memory),
    (_ALLOCATION, _no_memory),
    (_CONNECTION, _lost_connection),
]

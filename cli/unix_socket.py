"""Unix sockets for their owner alone, at paths of any length."""

import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .output import Fault, os_fault

MAX_PATH = 100  # bytes of a path that every Unix takes for a socket: Linux has 108, macOS 104


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for `path` that is short enough, for as long as the block lasts. Raises `Fault`."""
    if not hasattr(socket, "AF_UNIX"):
        raise Fault("this platform has no Unix sockets", "use Linux or macOS for this")
    if len(os.fsencode(path)) <= MAX_PATH:
        yield str(path)
        return
    if sys.platform != "linux" or len(os.fsencode(path.name)) > MAX_PATH // 2:
        raise Fault(f"{path} is too long a path for a socket, at most {MAX_PATH} bytes", "choose a shorter one")
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        raise os_fault(error, path.parent) from None
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path, *, backlog: int, taken: str) -> socket.socket:
    """A socket that its owner alone may open (0600). One that was left behind is replaced, nothing else is.

    It listens before it is to be seen: whoever finds the file is answered. Raises `Fault`, with `taken` as the next
    step where something lies there or somebody listens.
    """
    with reachable(path) as name:
        if not _is_free(path, name):
            raise Fault(f"{path} exists already", taken)
        new = Path(f"{name}~")
        mask = os.umask(0o177)  # before it can be opened, not after
        listener = socket.socket(socket.AF_UNIX)
        try:
            new.unlink(missing_ok=True)
            listener.bind(str(new))
            listener.listen(backlog)
            new.rename(name)
        except OSError as error:
            listener.close()
            raise os_fault(error, path) from None
        finally:
            os.umask(mask)
    return listener


def _is_free(path: Path, name: str) -> bool:
    """Whether nothing lies there, or a socket to which nobody listens."""
    try:
        kind = path.lstat().st_mode
    except OSError:  # if it is for another reason than that nothing is there, to bind says so
        return True
    return stat.S_ISSOCK(kind) and not _is_served(name)


def _is_served(name: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(name)
        except OSError as error:
            return not isinstance(error, ConnectionRefusedError)
        return True

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

    Raises `Fault`, with `taken` as the next step where something lies there or somebody listens.
    """
    with reachable(path) as name:
        listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)  # before it can be opened, not after
        try:
            if path.exists() and stat.S_ISSOCK(path.lstat().st_mode) and not _is_served(name):
                path.unlink()
            listener.bind(name)
            listener.listen(backlog)
        except OSError as error:
            listener.close()
            if path.exists():
                raise Fault(f"{path} exists already", taken) from None
            raise os_fault(error, path) from None
        finally:
            os.umask(mask)
    return listener


def _is_served(name: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(name)
        except ConnectionRefusedError:
            return False
        return True

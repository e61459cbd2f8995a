"""Reading: files read whole within a limit, and a folder held for one process, or for one change."""

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cards.findings import MALFORMED

from .fault import Fault, os_fault

__all__ = ["check", "lines", "lock", "only_one", "read", "tables", "utf8"]


def read(path: Path, *, limit: int, what: str) -> bytes:
    """All bytes of a file; more than `limit`, and none, are refused. Raises `Fault`."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = b"" if size > limit else file.read(limit + 1)  # devices and pipes have no size
    except OSError as error:
        raise os_fault(error, path) from None
    return check(data, str(path), limit=limit, what=what, size=size)


def check(data: bytes, name: str, *, limit: int, what: str, size: int = 0) -> bytes:
    """`data`, where it is neither empty nor more than `limit`. Raises `Fault` that calls it `name`."""
    if max(size, len(data)) > limit:
        raise Fault(f"{name} has more than {limit} bytes: no {what}", f"check that it is a {what}", code=MALFORMED)
    if not data:
        raise Fault(f"{name} is empty, a {what} expected", "copy it again, whole", code=MALFORMED)
    return data


def lines(path: Path, *, limit: int, what: str) -> str:
    """The text of a file of lines, of which there may be none; each ends with one newline. Raises `Fault`."""
    try:
        empty = not path.stat().st_size  # which `read` would take for one that was cut
    except OSError as error:
        raise os_fault(error, path) from None
    text = "" if empty else utf8(read(path, limit=limit, what=what), path).replace("\r\n", "\n")
    return text if text.endswith("\n") or not text else text + "\n"


def tables(path: Path, text: str, fix: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The lines of a TOML file that each say something by themselves: where each is, the line, and what it says.

    Raises `Fault`, with `fix` as the next step.
    """
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}: line {number}"
        try:
            # Line by line: then each has its place, and none can be part of another.
            table = tomllib.loads(line)
        except (ValueError, RecursionError) as error:
            reason = str(error).replace("at line 1, ", "at ")
            raise Fault(f"{where} is not TOML: {reason}", fix, code=MALFORMED) from None
        if table:
            yield where, line, table


def utf8(data: bytes, path: Path) -> str:
    """The text in a file. Raises `Fault`."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Fault(f"{path}: byte {error.start} is not UTF-8", "save the file as UTF-8", code=MALFORMED) from None


@contextmanager
def only_one(folder: Path, what: str) -> Iterator[None]:
    """Hold the folder for one `what`; a second is refused at once: two nodes would fork their sequence numbers."""
    with ExitStack() as held:
        try:
            held.enter_context(_flock(folder, f".{what}.lock", wait=False))
        except BlockingIOError:
            raise Fault(f"a {what} runs on {folder} already", "stop that one first, or use another folder") from None
        yield


@contextmanager
def lock(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """One change of this folder at a time; the lock ends with the process, however that ends.

    Raises BlockingIOError where another changes it and we do not `wait`, and `Fault`.
    """
    with _flock(folder, ".lock", wait=wait):
        yield


@contextmanager
def _flock(folder: Path, name: str, *, wait: bool) -> Iterator[None]:
    if sys.platform == "win32":  # no flock there; commands of one person seldom meet
        yield
        return
    import fcntl  # noqa: PLC0415 - not on every platform

    try:
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise os_fault(error, folder) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)

"""The control socket of a running node, from the side of whoever asks: its words, and one call at a time.

    asked      one line of JSON: {"verb": ..., "arguments": {...}}, at most 4 MiB
    answered   lines of JSON: {"item": {...}} any number of times, then {"answer": {...}} or {"fault": {...}}

A connection carries one call; whoever hangs up has called it off. The file is the owner's alone.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cards.findings import Finding

from . import unix_socket
from .folders import NodeFolder
from .output import Fault, os_fault

__all__ = ["MAX_DATA", "MAX_LINE", "NotRunning", "ask", "call", "path_of"]

MAX_LINE = 4 * 1024 * 1024  # bytes; a table of 10,000 peers has about 3 MB
MAX_DATA = 1024 * 1024  # bytes of a message, a request and an answer; as requests have unless an application says else
_GONE = "see its log; if it runs no more, start it: p2pnoise run"


class NotRunning(Fault):
    """No node runs on the folder. Nothing was changed."""


def path_of(home: NodeFolder) -> Path:
    """Where the node of this folder listens."""
    return home.path / "control.sock"


def ask(home: NodeFolder, verb: str, **arguments: Any) -> dict[str, Any]:
    """What the node of this folder answers. Raises `NotRunning`, and `Fault` for what it refuses."""
    with call(home, verb, **arguments) as items:
        while True:
            try:
                next(items)
            except StopIteration as end:
                answer: dict[str, Any] = end.value
                return answer


@contextmanager
def call(home: NodeFolder, verb: str, **arguments: Any) -> Iterator["Items"]:
    """The items that come of a call, one by one as they come; leaving the block calls off what is still going on.

    Raises `NotRunning`, and `Fault` for what the node refuses, also while items are taken.
    """
    path = path_of(home)
    with unix_socket.reachable(path) as name, socket.socket(socket.AF_UNIX) as connection:
        question = json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n"
        try:
            connection.connect(name)
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why before it hung up
                connection.sendall(question)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunning(f"no node runs on {home.path}", "start it: p2pnoise run, or name the folder") from None
        except OSError as error:
            raise os_fault(error, path) from None
        with connection.makefile("rb") as lines:
            yield _items(lines, path)


Items = Iterator[dict[str, Any]]


def _items(lines: Any, path: Path) -> Any:
    """A generator of items, whose return value is the answer."""
    while True:
        try:
            line = lines.readline(MAX_LINE + 1)
        except ConnectionResetError:
            line = b""
        except OSError as error:
            raise os_fault(error, path) from None
        if not line.endswith(b"\n"):
            raise Fault(f"the node of {path.parent} went away", _GONE)
        said = json.loads(line)
        if "item" in said:
            yield said["item"]
        elif "fault" in said:
            raise _fault(said["fault"])
        else:
            return said["answer"]


def _fault(said: dict[str, Any]) -> Fault:
    findings = [Finding(one["code"], one["message"], one["severity"]) for one in said["findings"]]
    return Fault(said["error"], said["fix"] or "", code=said["exit"], findings=findings)

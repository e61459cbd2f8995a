"""The control socket of a running node, from the node's side: verbs by name, each call in a task of its own.

cli/control.py has the words. It is the owner's alone: the file by its mode, and where the system tells who connects,
by that too.
"""

import json
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import trio

from cards import CardError
from cards.findings import UNTRUSTED
from cli import unix_socket
from cli.control import MAX_LINE
from cli.output import UNEXPECTED, USAGE, Fault, fault_json
from p2pnoise.errors import P2PNoiseError
from p2pnoise.node.driver.errors import PeerNotTrusted, StreamNotOpened

__all__ = ["Call", "Verb", "serve"]

MAX_CALLS = 64  # at once; a guess: a person, a monitor and what they forward
PATIENCE = 10.0  # seconds for a whole question, and for an item to be taken


@dataclass(frozen=True, slots=True)
class Call:
    """One question: its `arguments`, as the asker gave them, and a way to answer before the answer."""

    arguments: Mapping[str, Any]
    _stream: trio.SocketStream

    async def send(self, item: Mapping[str, Any]) -> None:
        """An item, ahead of the answer. Ends the call where the asker does not take it within `PATIENCE`."""
        await _send(self._stream, {"item": item})

    def text(self, name: str, default: str | None = None) -> str:
        """The argument of this name, which must be a text. Raises `Fault`."""
        value = self.arguments.get(name, default)
        if not isinstance(value, str):
            raise Fault(f"{name} is missing, or no text", "see --help", code=USAGE)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """The argument of this name, a list of texts; none where it is not there. Raises `Fault`."""
        value = self.arguments.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise Fault(f"{name} is no list of texts", "see --help", code=USAGE)
        return tuple(value)

    def number(self, name: str, *, most: float) -> float:
        """The argument of this name, a number from 0 to `most`. Raises `Fault`."""
        value = self.arguments.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
            raise Fault(f"{name} is missing, or no number from 0 to {most:g}", "see --help", code=USAGE)
        return value


Verb: TypeAlias = Callable[[Call], Awaitable[Mapping[str, Any]]]
"""What answers a call. It is cancelled when the asker hangs up. Errors of this library become faults for the asker."""


async def serve(
    path: Path, verbs: Mapping[str, Verb], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer calls at `path` until cancelled. Raises `Fault` where it cannot listen."""
    listener = unix_socket.listen(path, backlog=MAX_CALLS, taken="stop what listens there, or move the file away")
    slots = trio.CapacityLimiter(MAX_CALLS)

    async def talk(stream: trio.SocketStream) -> None:
        async with stream:
            if not _is_owner(stream):
                return
            said = await _outcome(stream, verbs, slots)
            if said is not None:
                with suppress(trio.BrokenResourceError):  # the asker went away
                    await _send(stream, said)

    try:
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(listener))]
        await trio.serve_listeners(talk, listeners, task_status=cast("trio.TaskStatus[Any]", task_status))
    finally:
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - a name, gone at once


def _is_owner(stream: trio.SocketStream) -> bool:
    if sys.platform != "linux":
        return True
    _, uid, _ = struct.unpack("3i", stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid in (0, os.getuid())


async def _outcome(
    stream: trio.SocketStream, verbs: Mapping[str, Verb], slots: trio.CapacityLimiter
) -> dict[str, Any] | None:
    """What to say to whoever asks; None where nobody listens any more."""
    try:
        verb, call = await _question(stream, verbs)
        with _place(slots):
            return await _call(stream, verb, call)
    except Fault as fault:
        return {"fault": fault_json(fault)}


@contextmanager
def _place(slots: trio.CapacityLimiter) -> Iterator[None]:
    try:
        slots.acquire_nowait()
    except trio.WouldBlock:
        raise Fault(f"{MAX_CALLS} calls are going on already", "end one of them, and ask again") from None
    try:
        yield
    finally:
        slots.release()


async def _call(stream: trio.SocketStream, verb: Verb, call: Call) -> dict[str, Any] | None:
    said = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_hang_up, stream, nursery.cancel_scope)
        try:
            said = {"answer": await verb(call)}
        except trio.BrokenResourceError:
            pass
        except Exception as error:  # noqa: BLE001 - a call that fails is no reason for the node to end
            said = {"fault": fault_json(as_fault(error))}
        nursery.cancel_scope.cancel()
    return said


async def _hang_up(stream: trio.SocketStream, scope: trio.CancelScope) -> None:
    """Call it off when the asker goes away; it has nothing more to say."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while await stream.receive_some(1024):
            pass
    scope.cancel()


async def _question(stream: trio.SocketStream, verbs: Mapping[str, Verb]) -> tuple[Verb, Call]:
    line = bytearray()
    with trio.move_on_after(PATIENCE):
        while not line.endswith(b"\n") and len(line) <= MAX_LINE:
            try:
                more = await stream.receive_some(65536)
            except trio.BrokenResourceError:
                more = b""
            if not more:
                break
            line += more
    if not line.endswith(b"\n"):
        raise Fault(f"{len(line)} bytes without an end, one line of at most {MAX_LINE} expected", "ask again")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    match said:
        case {"verb": str(name), "arguments": dict(arguments)} if name in verbs:
            return verbs[name], Call(arguments, stream)
        case {"verb": str(name), "arguments": dict()}:
            text = f"this node knows no {name[:40]!r}, but {' '.join(sorted(verbs))}"
            raise Fault(text, "it may run another version than this command: restart it", code=USAGE)
        case _:
            raise Fault("no question: a JSON object with verb and arguments expected", "ask again", code=USAGE)


async def _send(stream: trio.SocketStream, said: Mapping[str, Any]) -> None:
    """Raises `trio.BrokenResourceError` where it is not taken."""
    line = json.dumps(said).encode() + b"\n"
    if len(line) > MAX_LINE:
        too_long = Fault(f"the answer has {len(line)} bytes, at most {MAX_LINE}", "ask for less")
        line = json.dumps({"fault": fault_json(too_long)}).encode() + b"\n"
    with trio.move_on_after(PATIENCE) as late:
        await stream.send_all(line)
    if late.cancelled_caught:
        raise trio.BrokenResourceError("the asker does not read")


def as_fault(error: Exception) -> Fault:
    """What is wrong, for the asker."""
    match error:
        case Fault():
            return error
        case CardError():
            return Fault(str(error), error.finding.hint, code=error.finding.exit, findings=(error.finding,))
        case StreamNotOpened():
            return Fault(str(error), error.hint, code=UNTRUSTED if isinstance(error, PeerNotTrusted) else UNEXPECTED)
        case P2PNoiseError():
            return Fault(str(error), "p2pnoise explain PEER may say more")
        case _:
            return Fault(f"unexpected: {type(error).__name__}: {error}", "see the log of the node, and report it")

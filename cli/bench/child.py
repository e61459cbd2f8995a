"""One end of a bench in a process of its own: commands on stdin, answers on stdout, a JSON object a line each.

It ends with its stdin, so that none outlives the process that asked for it. As `work`, it knows nothing of ours but
the sides that it is given.
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import trio

from cli.bench import work

__all__ = ["Handler", "Side", "main"]

Handler = Callable[[trio.abc.Stream], Awaitable[None]]

_OPEN_FILES = 10_240  # what macOS lets a process have without asking


class Side(Protocol):
    """One way to be on a socket. What must go on beside it does so in `nursery`, until the process ends."""

    async def listen(self, nursery: trio.Nursery, handler: Handler) -> int:
        """Serve on a free port of the loopback interface; the port."""

    async def connect(self, nursery: trio.Nursery, port: int) -> trio.abc.Stream:
        """A connection to it."""

    def peer(self, stream: Any) -> str:
        """Whom the other end has proven to be, after the first byte; empty for nobody."""


MakeSide = Callable[[str, Mapping[str, Any]], Side]
"""The side of this name, with the secrets of the run."""


class _Child:
    """Carries out commands, after a first line that names the sides and brings their keys."""

    def __init__(self, nursery: trio.Nursery, make_side: MakeSide, first: Mapping[str, Any]) -> None:
        self._sides = {name: make_side(name, first["secrets"]) for name in first["sides"]}
        self._nursery = nursery
        self._held: list[trio.abc.Stream] = []

    async def do(self, command: str, side: str = "", port: int = 0, **arguments: Any) -> Any:
        """The answer to a command."""
        match command:
            case "listen":
                one = self._sides[side]
                return await one.listen(self._nursery, partial(work.serve, peer=one.peer))
            case "memory":
                return _memory()
            case "cpu":
                return time.process_time()
            case _:
                return await self._load(command, self._sides[side], port, **arguments)

    async def _load(self, command: str, side: Side, port: int, **arguments: Any) -> Any:
        connect = partial(side.connect, self._nursery, port)
        match command:
            case "who":
                return {"client": await work.ask_who(connect), "server": await self._who_serves(side, connect)}
            case "hold":
                self._held += [await work.hold(connect) for _ in range(arguments["count"])]
                return None
            case _:
                return await _LOADS[command](connect, **arguments)

    @staticmethod
    async def _who_serves(side: Side, connect: work.Connect) -> str:
        async with await work.hold(connect) as stream:
            return side.peer(stream)


_LOADS: Mapping[str, Callable[..., Awaitable[Any]]] = {
    "connects": work.connects,
    "echoes": work.echoes,
    "meet": work.meet,
    "requests": work.requests,
    "transfer": work.transfer,
}


def _memory() -> int:
    """Bytes of memory that this process holds: resident, without what only waits to be collected."""
    gc.collect()
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024
    found = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, check=True)  # noqa: S603, S607
    return int(found.stdout) * 1024


async def _main(make_side: MakeSide) -> None:
    async with trio.open_nursery() as nursery:
        child = _Child(nursery, make_side, json.loads(sys.stdin.readline()))
        # A thread, since trio waits for no pipe on every platform.
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            answer = await child.do(**json.loads(line))
            print(json.dumps({"answer": answer}), flush=True)
        nursery.cancel_scope.cancel()


def _allow_many_files() -> None:
    """Each idle connection is an open file."""
    try:
        import resource  # noqa: PLC0415 - Unix alone has it
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _OPEN_FILES:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES), hard)
        )


def main(make_side: MakeSide) -> None:
    """Serve the commands on stdin. What goes wrong is one line on stderr."""
    _allow_many_files()
    try:
        trio.run(_main, make_side)
    except Exception as error:  # noqa: BLE001 - the process ends, and the one that asked says why
        cause = _innermost(error)
        sys.exit(f"{type(cause).__name__}: {cause}")


def _innermost(error: BaseException) -> BaseException:
    if isinstance(error, BaseExceptionGroup):
        return _innermost(error.exceptions[0])
    return _innermost(error.__cause__) if error.__cause__ else error

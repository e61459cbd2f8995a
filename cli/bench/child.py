"""One end of a bench in a process of its own: commands on stdin, answers on stdout, a JSON object a line each.

It ends with its stdin, so that none outlives the process that asked for it.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import trio

from cli.bench import work
from cli.bench.sides import Secrets, Side, make_side

_OPEN_FILES = 10_240  # what macOS lets a process have without asking


class _Child:
    """Carries out commands, after a first line that names the sides and brings their keys."""

    def __init__(self, nursery: trio.Nursery, first: Mapping[str, Any]) -> None:
        secrets = Secrets.from_json(first["secrets"])
        self._sides: Mapping[str, Side] = {name: make_side(name, secrets) for name in first["sides"]}
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
            case _:
                return await self._load(command, self._sides[side], port, **arguments)

    async def _load(self, command: str, side: Side, port: int, **arguments: Any) -> Any:
        connect = partial(side.connect, port)
        match command:
            case "who":
                return {"client": await work.ask_who(connect), "server": await self._who_serves(side, connect)}
            case "requests":
                return await work.requests(connect, **arguments)
            case "transfer":
                return await work.transfer(connect, **arguments)
            case "hold":
                self._held += [await work.hold(connect) for _ in range(arguments["count"])]
                return None
            case _:
                raise ValueError(f"no command {command!r}")

    @staticmethod
    async def _who_serves(side: Side, connect: work.Connect) -> str:
        async with await work.hold(connect) as stream:
            return side.peer(stream)


def _memory() -> int:
    """Bytes of memory that this process holds: resident, without what only waits to be collected."""
    gc.collect()
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024
    found = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, check=True)  # noqa: S603, S607
    return int(found.stdout) * 1024


async def _main() -> None:
    async with trio.open_nursery() as nursery:
        child = _Child(nursery, json.loads(sys.stdin.readline()))
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


def main() -> None:
    """Serve the commands on stdin. What goes wrong is one line on stderr."""
    _allow_many_files()
    try:
        trio.run(_main)
    except Exception as error:  # noqa: BLE001 - the process ends, and the one that asked says why
        cause = _innermost(error)
        sys.exit(f"{type(cause).__name__}: {cause}")


def _innermost(error: BaseException) -> BaseException:
    if isinstance(error, BaseExceptionGroup):
        return _innermost(error.exceptions[0])
    return _innermost(error.__cause__) if error.__cause__ else error


if __name__ == "__main__":
    main()

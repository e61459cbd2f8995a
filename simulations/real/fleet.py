"""Fleet: as many processes as a network has nodes, forked from one that has loaded everything, and led in time.

    python -m simulations.real.fleet < order.json

What forks must have no threads, so that this is a program of its own: one order in, JSON lines out. All of it ends when
its standard input does, or whoever started it: nothing is left behind, by whatever it was ended.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from cards import Address
from simulations.scenario import find

from . import netns, tun_relay
from .node import live
from .plan import Plan, loopback, make_plan

__all__ = ["main"]

HEAD_START = 0.3  # seconds from the word to begin to the beginning
PING_BEFORE = 2.0  # seconds before the killing at which all measure round trips
LOOK_BEFORE = 0.3  # seconds before the killing at which all say what they have counted
SAMPLE = 0.05  # seconds between two looks at what the processors do
URGENT = -19  # nice(1)
PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass
class _Child:
    """One process, and what it has said."""

    number: int
    pid: int
    control: socket.socket
    said: dict[str, Any] = field(default_factory=dict)
    news: trio.Event | None = None


def main() -> None:
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # They are meant for whoever started us, too, whose end is the end of our input: nobody else would tidy up.
        signal.signal(one, signal.SIG_IGN)
    order = json.loads(sys.stdin.readline())
    with suppress(OSError):  # where it may: what else this machine does is no part of the network
        os.setpriority(os.PRIO_PROCESS, 0, URGENT)
    conductor = _Conductor(order)
    try:
        conductor.fork()
        trio.run(conductor.lead)
    except Exception as error:  # noqa: BLE001 - said to whoever ordered it
        print(_reason(error), file=sys.stderr, flush=True)  # noqa: T201
    finally:
        conductor.kill_all()
        shutil.rmtree(order["folder"], ignore_errors=True)  # whoever gave it may be no more


class _Conductor:
    def __init__(self, order: dict[str, Any]) -> None:
        self._relay: tun_relay.RelayLaw | None = tun_relay.RelayLaw(**order["relay"]) if order["relay"] else None
        nodes, seed = order["nodes"], order["seed"]
        addresses = netns.addresses(nodes) if self._relay else loopback(nodes)
        self._plan: Plan = make_plan(
            find(order["scenario"]).with_parameters(order["parameters"]), nodes, seed, addresses
        )
        self._seed = seed
        self._folder = Path(order["folder"])
        self._children: list[_Child] = []
        self._others: list[int] = []
        self._busy: list[tuple[float, float]] = []  # (seconds since the beginning, share of the time not idle)

    # Before trio runs

    def fork(self) -> None:
        """Make all processes. Each has its control socket and no other's."""
        tuns: list[int] = []
        for inhabitant in self._plan.inhabitants:
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                ours.close()
                for other in self._children:
                    other.control.close()
                with _last_act():
                    if self._relay is not None:
                        netns.enter(inhabitant.address, theirs)
                    live(self._plan, inhabitant, theirs, self._folder)
            theirs.close()
            self._children.append(_Child(inhabitant.number, pid, ours))
            if self._relay is not None:
                tuns.append(netns.receive_tun(ours))
        if self._relay is not None:
            pid = os.fork()
            if pid == 0:
                for child in self._children:
                    child.control.close()
                with _last_act():
                    tun_relay.run(tuns, self._addresses(), self._relay, seed=self._seed)
            self._others.append(pid)
            for tun in tuns:
                os.close(tun)

    def _addresses(self) -> list[Address]:
        return [one.address for one in self._plan.inhabitants]

    def kill_all(self) -> None:
        """Whatever happened: none of them is left."""
        for pid in [*(child.pid for child in self._children), *self._others]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in [*(child.pid for child in self._children), *self._others]:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)

    # While it runs

    async def lead(self) -> None:
        """Lead them through one run, and print what came of it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_with_input, nursery.cancel_scope)
            streams = []
            for child in self._children:
                child.control.setblocking(False)  # noqa: FBT003
                stream = trio.SocketStream(trio.socket.from_stdlib_socket(child.control))
                streams.append(stream)
                nursery.start_soon(self._listen, child, stream)
            await self._until(lambda child: "ready" in child.said, 60)
            begun = time.monotonic() + HEAD_START
            nursery.start_soon(self._watch_processors, begun)
            await self._tell(streams, f"begin {begun}")
            kill_at = self._plan.kill_at or self._plan.seconds
            await _sleep_until(begun + kill_at - PING_BEFORE)
            await self._tell(streams, "ping")
            await _sleep_until(begun + kill_at - LOOK_BEFORE)
            await self._tell(streams, "look")
            await self._until(lambda child: "figures" in child.said, 10)
            await _sleep_until(begun + kill_at)
            killed_at = self._kill()
            await _sleep_until(begun + self._plan.seconds)
            rest = [stream for number, stream in enumerate(streams) if number != self._plan.killed]
            await self._tell(rest, "end")
            await self._until(lambda child: "lost_at" in child.said or child.number == self._plan.killed, 10)
            self._print(killed_at - begun if killed_at is not None else None)
            nursery.cancel_scope.cancel()

    def _kill(self) -> float | None:
        if self._plan.killed is None:
            return None
        killed_at = time.monotonic()  # first: others may have noticed before we run again
        os.kill(self._children[self._plan.killed].pid, signal.SIGKILL)
        return killed_at

    async def _listen(self, child: _Child, stream: trio.SocketStream) -> None:
        unread = b""
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                *lines, unread = (unread + data).split(b"\n")
                for line in lines:
                    child.said |= json.loads(line)
        child.said["gone"] = "yes"

    async def _tell(self, streams: list[trio.SocketStream], word: str) -> None:
        for stream in streams:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(word.encode() + b"\n")

    async def _until(self, condition: Callable[[_Child], bool], seconds: float) -> None:
        """Wait until all fulfil this, or are gone, or time is up: whoever has not said a thing will be missed later."""
        with trio.move_on_after(seconds):
            while not all(condition(child) or "gone" in child.said for child in self._children):  # noqa: ASYNC110 - no hurry
                await trio.sleep(0.01)

    async def _end_with_input(self, scope: trio.CancelScope) -> None:
        """Whoever started us is gone: so are we."""
        await trio.lowlevel.wait_readable(0)
        scope.cancel()

    async def _watch_processors(self, begun: float) -> None:
        before = _processor_time()
        while True:
            await trio.sleep(SAMPLE)
            now = _processor_time()
            if now is not None and before is not None and now[1] > before[1]:
                share = (now[0] - before[0]) / (now[1] - before[1])
                self._busy.append((round(time.monotonic() - begun, 3), round(share, 3)))
                before = now

    def _print(self, killed_after: float | None) -> None:
        figures = []
        for child in self._children:
            one = child.said.get("figures")
            if one is None:
                continue
            lost_at = child.said.get("lost_at")
            if lost_at is not None and killed_after is not None and lost_at >= killed_after:  # or it was a visit's end
                one["noticed_after"] = lost_at - killed_after
            figures.append(one)
        missing = [child.number for child in self._children if child.said.get("figures") is None]
        found = {
            "figures": figures,
            "missing": missing,
            "busy": self._busy,
            "cpu_seconds": sum(child.said.get("cpu", 0.0) for child in self._children),
            "round_trips": [one for child in self._children for one in child.said.get("pings", ())],
        }
        print(json.dumps(found), flush=True)  # noqa: T201


@contextmanager
def _last_act() -> Iterator[None]:
    """A child does this and is no more, whatever happens: it has nothing of its parent's to clean up."""
    _die_with_parent()
    code = 1
    try:
        yield
        code = 0
    except BaseException as error:  # noqa: BLE001 - said by whoever has nobody to raise it to
        print(_reason(error), file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(code)


def _reason(error: BaseException) -> str:
    """In one line; of several errors the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def _sleep_until(moment: float) -> None:
    """Until a second of the system's monotonic clock, which a busy machine may have missed."""
    await trio.sleep(max(0.0, moment - time.monotonic()))


def _die_with_parent() -> None:
    """Where the system knows how; elsewhere the end of a socket or of the standard input does it, a little later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _processor_time() -> tuple[float, float] | None:
    """What all processors did since the start of the machine: ticks at work, and ticks altogether. proc(5)."""
    try:
        ticks = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)


if __name__ == "__main__":
    main()

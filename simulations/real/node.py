"""Node: one real process of a network: `open_node` with sockets and a database, measured, and led by a control socket.

It says one JSON object a line, and is told one word a line: `begin SECONDS` (of the system's monotonic clock), `ping`,
`look`, `end`. When the control socket ends, so does the process.
"""

import json
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from p2pnoise.errors import P2PNoiseError
from p2pnoise.events import Event, PeerLost
from p2pnoise.node.driver.node import Node
from p2pnoise.node.driver.opening import open_node

from .measuring import Meter
from .plan import Inhabitant, Plan

__all__ = ["live"]

PINGS, PAUSE = 3, 0.02  # to each peer, and seconds between two
PING_FOR = 1.5  # seconds


def live(plan: Plan, inhabitant: Inhabitant, control: socket.socket, folder: Path) -> None:
    """Be this node until the control socket says or ends."""
    control.setblocking(False)  # noqa: FBT003
    trio.run(_Process(plan, inhabitant, folder).run, trio.SocketStream(trio.socket.from_stdlib_socket(control)))


class _Process:
    def __init__(self, plan: Plan, inhabitant: Inhabitant, folder: Path) -> None:
        self._plan = plan
        self._inhabitant = inhabitant
        self._folder = folder
        self._victim = plan.inhabitants[plan.killed].key.public if plan.killed is not None else None
        self._begun = 0.0
        self._lost_at: float | None = None
        self._node: Node | None = None
        self._meter: Meter | None = None

    async def run(self, control: trio.SocketStream) -> None:
        await self._say(control, ready=self._inhabitant.number)
        async with trio.open_nursery() as nursery:
            unread = b""
            async for data in control:
                *lines, unread = (unread + data).split(b"\n")
                for line in lines:
                    match line.decode().split():
                        case ["begin", moment]:
                            self._begun = float(moment)
                            nursery.start_soon(self._live)
                        case ["ping"]:
                            nursery.start_soon(self._ping, control)
                        case ["look"]:
                            await self._say(control, figures=self._look(), cpu=time.process_time())
                        case _:  # end
                            await self._say(control, lost_at=self._lost_at)
            nursery.cancel_scope.cancel()

    async def _say(self, control: trio.SocketStream, **what: Any) -> None:
        await control.send_all(json.dumps(what).encode() + b"\n")

    async def _ping(self, control: trio.SocketStream) -> None:
        """How long a round trip to each linked peer takes."""
        times: list[float] = []
        # Some may be lost, and whoever waits for too many of them is overtaken by what comes next.
        with trio.move_on_after(PING_FOR):
            await self._ping_all(times)
        await self._say(control, pings=times)

    async def _ping_all(self, times: list[float]) -> None:
        node = self._node
        if node is None:
            return
        for peer in [peer for peer in node.peers if peer.linked] * PINGS:
            with suppress(P2PNoiseError):
                times.append(round(await node.ping(peer), 6))
            await trio.sleep(PAUSE)

    def _look(self) -> dict[str, Any] | None:
        if self._meter is None:
            return None
        self._meter.look_at_links()
        return self._meter.figures.to_json()

    def _now(self) -> float:
        return time.monotonic() - self._begun

    async def _live(self) -> None:
        inhabitant = self._inhabitant
        await trio.sleep(max(0.0, inhabitant.at - self._now()))  # a busy machine may be late
        async with open_node(
            key=inhabitant.key,
            card=inhabitant.card,
            policy=self._plan.policy,
            database=self._folder / f"{inhabitant.number}.db",
            listen=[inhabitant.address],
            facts=[self._plan.revocations],
            config=inhabitant.config,
            on_event=self._hear,
        ) as self._node:
            self._meter = Meter(self._node.core, inhabitant.number, len(self._plan.inhabitants), self._now)
            await trio.sleep_forever()

    def _hear(self, event: Event) -> None:
        if isinstance(event, PeerLost) and event.node_id == self._victim:
            self._lost_at = self._now()

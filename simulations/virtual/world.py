"""VirtualWorld: a world whose nodes are the daemon's: `open_node_in`, its tasks, queues and deadlines, under trio.

What the bytes world does with a core alone, here the daemon's driver does; lines, faults, disks, wall clocks and the
oracle are the same. Drift of clocks is of the bytes world alone: all tasks of a trio run share one clock.
"""

from collections.abc import Callable
from heapq import heappop
from math import ceil, inf
from typing import Any, NamedTuple, cast

from p2pnoise.events import Event
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore
from p2pnoise.node.driver.opening import open_node_in
from p2pnoise.store import StoreError
from simulations.carriers import Carriers
from simulations.disks import DiskError
from simulations.nodes import SimulatedNode, honest
from simulations.world import World, _Alarm

from .carriers import VirtualCarrier
from .lives import Life, Surroundings
from .network import Network
from .ordering import Ordering
from .stepping import Stepper

__all__ = ["VirtualWorld"]


class _Passage(NamedTuple):
    """Something on its way. No alarm of the world: it still comes when nothing more is to go wrong."""

    ring: Callable[[], None]


class VirtualWorld(World):
    """As `World`, and to be closed. Raises TrioVersionError."""

    def __init__(self, seed: int, **given: Any) -> None:
        super().__init__(seed, **given)
        self._network = Network(self)
        self.carriers = _Ends(self._network, self, push=self._push, hand=self._hand)
        self._lives: dict[int, Life] = {}
        self._ends: dict[int, list[VirtualCarrier]] = {}
        self._trio = Stepper(Ordering(self.chance("scheduling").getrandbits(64)))

    def close(self) -> None:
        """End all nodes at once."""
        with self._trio.in_force():
            for node in self.nodes:
                self.kill(node, silent=True)
        self._trio.close()

    def __enter__(self) -> "VirtualWorld":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Living here

    def start(self, node: SimulatedNode) -> None:
        if node.number in self._lives:
            return
        if node.make is not honest:
            raise ValueError(f"node {node.number} is a {node.kind}, and the fidelity virtual runs the daemon's nodes")
        node.boot += 1
        node.failure = ""
        node.dark = False
        life = self._lives[node.number] = Life(node)
        self._trio.nursery.start_soon(self._live, life)

    async def _live(self, life: Life) -> None:
        node = life.node
        try:
            async with open_node_in(
                Surroundings(self, self._network, life),
                key=node.citizen.key,
                card=node.citizen.card,
                policy=self.oracle.policy,
                listen=[node.address],
                facts=[self.oracle.lists[0]],
                config=node.config,
                on_event=lambda event: self._hear(life, event),
                memo=self.memo,
            ) as life.running:
                if not life.killed:
                    node.core = self._watch(life, life.running.core)
                await life.ending.wait()
        except StoreError as error:
            if not life.killed:
                self.fail(node, DiskError(str(error)))
        except Exception as error:  # noqa: BLE001 - a node that ends by itself is what a simulation is to find
            if not life.killed:
                self.fail(node, error)
        if not life.killed:
            self.kill(node)

    def _watch(self, life: Life, core: NodeCore) -> NodeCore:
        """Count what a core is given and wants sent."""
        handle, node = core.handle, life.node

        def watched(given: io.Input, now: Instant) -> list[io.Effect]:
            effects = handle(given, now)
            if not life.killed:
                node.inputs += 1
                sent = [effect for effect in effects if isinstance(effect, io.SendBytes)]
                node.messages_sent += len(sent)
                node.bytes_sent += sum(len(effect.data) for effect in sent)
                if isinstance(given, io.Accepted | io.Connected):
                    self._number(life)
            return effects

        core.handle = watched  # type: ignore[method-assign]
        return core

    def _hear(self, life: Life, event: Event) -> None:
        if life.killed:
            return
        life.node.census[event.kind] += 1
        self.census[event.kind] += 1
        self.note(f"{life.node.number} {event.kind}")
        for hear in self.on_event:
            hear(life.node, event)

    def kill(self, node: SimulatedNode, *, silent: bool = False) -> None:
        life = self._lives.pop(node.number, None)
        with self._trio.in_force():
            super().kill(node, silent=silent)
            if life is not None:
                life.killed = True
                self._network.listeners.unlisten([node.address])
                if life.running is not None:
                    life.running.hurry()
                life.ending.set()

    # What happens

    def run(self, until: int, *, stop: Callable[[], bool] | None = None) -> bool:
        with self._trio.in_force():
            while True:
                if self._trio.idle and not self._pass_time(until):
                    self.now = max(self.now, until)
                    self._trio.pass_to(until / SECOND)
                    return stop is not None and stop()
                self._trio.turn()
                if stop is not None and stop():
                    return True

    def _pass_time(self, until: int) -> bool:
        """Go to the next moment at which something happens, and have it happen; whether there is one by `until`."""
        wakes = self._trio.due
        moments = [self._queue[0][0]] if self._queue else []
        moment = min([*moments, ceil(wakes * SECOND)] if wakes < inf else moments, default=until + 1)
        if moment > until:
            return False
        self.now = max(self.now, moment)
        # As a float the moment may be a little before the one at which a sleeper wakes.
        self._trio.pass_to(max(wakes, self.now / SECOND) if wakes * SECOND <= self.now else self.now / SECOND)
        while self._queue and self._queue[0][0] <= self.now:
            _, _, number, boot, given = heappop(self._queue)
            if isinstance(given, _Alarm | _Passage):
                given.ring()
            else:
                self._happen(self.nodes[number], boot, given)
        return True

    def _hand(self, node: SimulatedNode, given: io.Input) -> None:
        life = self._lives.get(node.number)
        if life is None or life.running is None:
            return
        if isinstance(given, io.Stop):
            life.ending.set()
        else:
            self._trio.nursery.start_soon(life.running.offer, given)

    # What the network asks

    def at(self, moment: int, happen: Callable[[], None]) -> None:
        passage = cast("Any", _Passage(happen))
        self._push(max(moment - self.now, 0), -1, -1, passage)

    def hears(self, target: int, source: int) -> bool:
        node = self.nodes[target]
        return node.dialable and not node.dark and not self.carriers.is_cut(source, target)

    def is_dark(self, node: int) -> bool:
        return self.nodes[node].dark

    def delivered(self, source: int, target: int, data: bytes) -> None:
        self.deliveries += 1
        self._trace.update(b"%d %d %d %d " % (self.now, source, target, len(data)))
        self._trace.update(data)

    def joined(self, ours: VirtualCarrier, theirs: VirtualCarrier) -> None:
        for end in (ours, theirs):
            ends = self._ends.setdefault(end.outgoing.source, [])
            ends[:] = [one for one in ends if not one.closed]
            ends.append(end)

    def ends_of(self, node: SimulatedNode) -> list[VirtualCarrier]:
        """Its ends of all connections, those of which it knows nothing yet among them."""
        return self._ends.setdefault(node.number, [])

    def _number(self, life: Life) -> None:
        """Let the node's connections be known by the numbers that its core has for them, as in the bytes world."""
        assert life.running is not None  # noqa: S101 - whoever has connections runs
        driven = life.running._driver.carriers._connections  # noqa: SLF001 - a world looks inside
        carriers = _carriers(life.node)
        carriers.clear()
        for number, connection in driven.items():
            end = cast("VirtualCarrier", connection.carrier)
            end.number = number
            if not end.closed:
                carriers[number] = end


class _Ends(Carriers):
    """The connections of this world, for those who ask a world for them."""

    def __init__(self, network: Network, world: "VirtualWorld", **given: Any) -> None:
        super().__init__(world, **given)
        self._network = network
        self._virtual = world

    def held(self, source: int, target: int) -> int:
        return self._network.held(source, target)

    def end_all(self, node: SimulatedNode, *, silent: bool) -> None:
        for end in self._virtual.ends_of(node):
            if silent:
                end.vanish()
            else:
                end.close()
        node.carriers.clear()
        if silent:
            self._network.forget(node.number)

    def release(self) -> None:
        self._network.release()

    def reset(self, node: SimulatedNode, connection: io.ConnectionId) -> None:
        _carriers(node).pop(connection).break_off()


def _carriers(node: SimulatedNode) -> dict[io.ConnectionId, VirtualCarrier]:
    return cast("dict[io.ConnectionId, VirtualCarrier]", node.carriers)

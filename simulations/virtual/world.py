"""VirtualWorld: a world whose nodes are the daemon's: `open_node_in`, its tasks, queues and deadlines, under trio.

What the bytes world does with a core alone, here the daemon's driver does; lines, faults, disks, wall clocks and the
oracle are the same. Drift of clocks is of the bytes world alone: all tasks of a trio run share one clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop
from math import ceil, inf
from typing import Any, NamedTuple, cast

import trio

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.events import Event
from p2pnoise.gossip.effects import Store
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore
from p2pnoise.node.driver.node import Node
from p2pnoise.node.driver.opening import open_node_in
from p2pnoise.node.driver.surroundings import Carrier, Keeper, Listening
from p2pnoise.noise import Entropy
from p2pnoise.store import StoreError
from simulations.carriers import Carriers
from simulations.clocks import START
from simulations.disks import DiskError
from simulations.nodes import SimulatedNode, honest
from simulations.world import World, _Alarm

from .network import Network, VirtualCarrier
from .ordering import Ordering
from .stepping import Stepper

__all__ = ["VirtualWorld"]


class _Passage(NamedTuple):
    """Something on its way. No alarm of the world: it still comes when nothing more is to go wrong."""

    ring: Callable[[], None]


@dataclass(eq=False)
class _Life:
    """One start of a node, until it ends."""

    node: SimulatedNode
    ending: trio.Event = field(default_factory=trio.Event)  # it is to leave
    running: Node | None = None
    killed: bool = False
    """What it does from now on, nobody hears: it has not noticed yet that it is no more."""


class VirtualWorld(World):
    """As `World`, and to be closed. Raises TrioVersionError."""

    def __init__(self, seed: int, **given: Any) -> None:
        super().__init__(seed, **given)
        self._network = Network(self)
        self.carriers = _Ends(self._network, self, push=self._push, hand=self._hand)
        self._lives: dict[int, _Life] = {}
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
        life = self._lives[node.number] = _Life(node)
        self._trio.nursery.start_soon(self._live, life)

    async def _live(self, life: _Life) -> None:
        node = life.node
        try:
            async with open_node_in(
                _Surroundings(self, self._network, life),
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

    def _watch(self, life: _Life, core: NodeCore) -> NodeCore:
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

    def _hear(self, life: _Life, event: Event) -> None:
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
                self._network.unlisten([node.address])
                if life.running is not None:
                    life.running.hurry()
                life.ending.set()

    # What happens

    def run(self, until: int, *, stop: Callable[[], bool] = lambda: False) -> bool:
        with self._trio.in_force():
            while True:
                if self._trio.idle and not self._pass_time(until):
                    self.now = max(self.now, until)
                    self._trio.pass_to(until / SECOND)
                    return stop()
                self._trio.turn()
                if stop():
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

    def _number(self, life: _Life) -> None:
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


class _Surroundings:
    """What one start of a node stands in."""

    def __init__(self, world: VirtualWorld, network: Network, life: _Life) -> None:
        node = life.node
        self.random: Chance = world.chance("choices", node.number, node.boot)
        self.entropy: Entropy = world.entropy(node.number, node.boot)
        self._world = world
        self._network = network
        self._life = life

    def unix(self) -> int:
        return START + self._world.now // SECOND + self._life.node.clock.skew

    async def listen(self, addresses: Sequence[Address]) -> Listening:
        await trio.lowlevel.checkpoint()
        return self._network.listen(addresses)

    async def dial(self, address: Address) -> Carrier:
        await trio.lowlevel.checkpoint()
        node, there = self._life.node, self._world.whereabouts(address)
        if there is None or there == node.number:
            await trio.sleep(2 * self._world.lines.law.most)
            raise OSError("no route to host")
        return await self._network.dial(node.number, there, address, node.address)

    async def open_keeper(self, *, network: str, node_id: NodeId) -> Keeper:
        del network, node_id
        await trio.lowlevel.checkpoint()
        return _Kept(self._world, self._life)


class _Kept:
    """The disk of a node, for as long as it lives."""

    def __init__(self, world: VirtualWorld, life: _Life) -> None:
        self._world = world
        self._life = life

    async def load(self) -> tuple[io.TrustRestored, Sequence[io.StoredPeer]]:
        await trio.lowlevel.checkpoint()
        try:
            return self._life.node.disk.load()
        except DiskError as error:
            raise StoreError(str(error), "mend the disk") from None

    async def keep(self, changes: Sequence[Store]) -> None:
        await trio.lowlevel.checkpoint()
        if self._life.killed:
            return
        try:
            self._life.node.disk.keep(changes)
        except DiskError as error:
            raise StoreError(str(error), "mend the disk") from None
        for change in changes:
            for hear in self._world.on_store:
                hear(self._life.node, change)

    def close(self) -> None:
        pass

"""Lives: one start of a node of a virtual world, and what it stands in: chance, a clock, a network, a disk."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.gossip.effects import Store
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.driver.node import Node
from p2pnoise.node.driver.surroundings import Carrier, Keeper, Listening
from p2pnoise.noise import Entropy
from p2pnoise.store import StoreError
from simulations.clocks import START
from simulations.disks import DiskError
from simulations.nodes import SimulatedNode

from .network import Network

if TYPE_CHECKING:
    from .world import VirtualWorld

__all__ = ["Life", "Surroundings"]


@dataclass(eq=False)
class Life:
    """One start of a node, until it ends."""

    node: SimulatedNode
    ending: trio.Event = field(default_factory=trio.Event)  # it is to leave
    running: Node | None = None
    killed: bool = False
    """What it does from now on, nobody hears: it has not noticed yet that it is no more."""


class Surroundings:
    """What one start of a node stands in."""

    def __init__(self, world: "VirtualWorld", network: Network, life: Life) -> None:
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
        return self._network.listeners.listen(addresses)

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

    def __init__(self, world: "VirtualWorld", life: Life) -> None:
        self._world = world
        self._life = life

    async def load(self) -> tuple[io.TrustRestored, io.PeersRestored]:
        await trio.lowlevel.checkpoint()
        try:
            return self._life.node.disk.load()
        except DiskError as error:
            raise StoreError(str(error), "mend the disk") from None

    async def more(self) -> None:
        await trio.lowlevel.checkpoint()

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

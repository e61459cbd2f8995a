"""Eclipser: one of many members that link to one victim alone, and tell it of one another alone."""

from dataclasses import replace

from p2pnoise.chance import Chance
from p2pnoise.config import Bootstrap
from p2pnoise.gossip import PeerTable
from p2pnoise.gossip.effects import Effect, SendMessage
from p2pnoise.gossip.messages import Announce, CardItem, Item, Items, Push, Ranges, RecordItem
from p2pnoise.node import effects as io
from simulations.nodes import SimulatedNode, honest
from simulations.world import World

from .around import Around, HostileOverlay


def the_victim(world: World) -> SimulatedNode:
    """The one victim of all eclipsers: the last honest node."""
    return [node for node in world.nodes if node.honest][-1]


class OfUsAlone(HostileOverlay):
    """Passes on what is of an eclipser, and nothing else."""

    def __init__(self, world: World, node: SimulatedNode, table: PeerTable, *, random: Chance) -> None:
        super().__init__(world, node, table, random=random)
        self._gang = {bytes(one.citizen.key.public) for one in world.nodes if one.kind == node.kind}

    def says(self, effect: Effect) -> list[Effect]:
        match effect:
            case SendMessage(link, Announce(ids)):
                ours = frozenset(one for one in ids if self._is_ours(one))
                return [SendMessage(link, Announce(ours))] if ours else []
            case SendMessage(_, Ranges()):
                return []
            case SendMessage(link, Items(items, last)):
                return [SendMessage(link, Items(tuple(item for item in items if self._names_us(item)), last))]
            case SendMessage(link, Push(items)):
                of_us = tuple(item for item in items if self._names_us(item))
                return [SendMessage(link, Push(of_us))] if of_us else []
        return [effect]

    def _is_ours(self, item: bytes) -> bool:
        peer = self.table.by_item(item)
        return peer is not None and bytes(peer.node_id) in self._gang

    def _names_us(self, item: Item) -> bool:
        ours = [peer for peer in self.table if bytes(peer.node_id) in self._gang]
        match item:
            case CardItem(raw):
                return any(peer.card.raw == raw for peer in ours)
            case RecordItem(raw):
                return any(peer.record is not None and peer.record.raw == raw for peer in ours)
        return False


class Eclipser(Around):
    """Dials the victim, whoever else it hears of."""

    def __init__(self, world: World, node: SimulatedNode) -> None:
        victim = the_victim(world)
        config = replace(node.config, bootstrap=(Bootstrap(victim.address, victim.citizen.key.public),))
        core = honest(
            world, node, config=config, overlay=lambda table, *, random: OfUsAlone(world, node, table, random=random)
        )
        super().__init__(world, node, core)
        self._victim = victim.address

    def changed(self, effect: io.Effect) -> list[io.Effect]:
        if isinstance(effect, io.Dial) and effect.address != self._victim:
            self.world.schedule(self.node.number, io.ConnectFailed(effect.connection, "not of interest"))
            return []
        return [effect]

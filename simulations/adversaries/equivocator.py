"""Equivocator: a member that signs two cards of one number, and shows each to half of the others.

Its issuer granted both: where it had not, the second one would count for nothing.
"""

from dataclasses import replace

from cards import Address, Card, Verdict, make_card
from p2pnoise.chance import Chance
from p2pnoise.gossip import PeerTable
from p2pnoise.gossip.effects import Effect, SendMessage
from p2pnoise.gossip.items import body_id
from p2pnoise.gossip.messages import Announce, CardItem, Items, Message, Unknown, Want
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from simulations.nodes import SimulatedNode, honest
from simulations.oracle import NETWORK
from simulations.world import World

from .around import Around, HostileOverlay

BEGIN, REPENT = 3, 25  # seconds after its start


def sign_twice(world: World, node: SimulatedNode) -> None:
    """Make the other card, which the oracle knows, too: it is no forgery."""
    citizen = node.citizen
    body = make_card(
        citizen.identity,
        citizen.key,
        network=NETWORK,
        now=world.unix,
        name=f"twin-{citizen.number}",
        sequence=citizen.card.sequence,
    )
    first = citizen.card
    world.oracle.remember(citizen, world.oracle.endorse(body, citizen, world.entropy("twin", citizen.number)))
    citizen.cards.append(first)


class TwoFaces(HostileOverlay):
    """Offers the card that the peer of a link is to see, and gives that one."""

    def __init__(self, world: World, node: SimulatedNode, table: PeerTable, *, random: Chance) -> None:
        super().__init__(world, node, table, random=random)
        self._faces: tuple[Card, Card] = (node.citizen.cards[-1], node.citizen.cards[-2])
        self._ids = [body_id(card.card_id) for card in self._faces]

    def _face(self, link: int) -> int:
        carrier = self.node.carriers.get(link)
        return carrier.peer % 2 if carrier is not None else 0

    def peer_up(self, link: int, verdict: Verdict | None, now: Instant, *, visit: bool = False) -> list[Effect]:
        return [
            *super().peer_up(link, verdict, now, visit=visit),
            SendMessage(link, Announce(frozenset((self._ids[self._face(link)],)))),
        ]

    def message(self, link: int, message: Message | Unknown, now: Instant) -> list[Effect]:
        effects = super().message(link, message, now)
        face = self._face(link)
        if isinstance(message, Want) and self._ids[face] in message.ids and self.has(link):
            effects.insert(0, SendMessage(link, Items((CardItem(self._faces[face].raw),), last=False)))
            self.lied(link, "second card", plain=False)
        return effects


class Equivocator(Around):
    """Dials everybody at once, and shows one card in the handshakes of the even ones, the other in those of the odd.

    In the end it signs a third of a higher number, and is as honest as all.
    """

    pause = SECOND

    def __init__(self, world: World, node: SimulatedNode) -> None:
        core = honest(
            world,
            node,
            config=replace(node.config, bootstrap=()),
            overlay=lambda table, *, random: TwoFaces(world, node, table, random=random),
        )
        super().__init__(world, node, core)
        self._dialled: dict[io.ConnectionId, Address] = {}
        self._seconds = 0
        self._repents = False

    def act(self) -> None:
        self._seconds += 1
        if self._seconds == BEGIN:
            others = [one for one in self.world.nodes if one.honest and one.online]
            for number, one in enumerate(others):
                wanted = io.ConnectWanted(number, one.citizen.key.public, one.address)
                self.world.schedule(self.node.number, wanted)
        if self._seconds == REPENT:
            self._repents = True
            self.world.schedule(self.node.number, io.OwnCardChanged(self.world.oracle.issue(self.node.citizen)))

    def takes(self, given: io.Input) -> bool:
        match given:
            case io.Accepted(_, address):
                self._show(address)
            case io.Connected(connection) if connection in self._dialled:
                self._show(self._dialled.pop(connection))
            case _:
                pass
        return False

    def _show(self, address: Address) -> None:
        if self._repents:
            return
        number = next((node.number for node in self.world.nodes if node.address == address), 0)
        self.core.table.own_card = self.node.citizen.cards[-1 - number % 2]

    def changed(self, effect: io.Effect) -> list[io.Effect]:
        if isinstance(effect, io.Dial):
            self._dialled[effect.connection] = effect.address
        return [effect]

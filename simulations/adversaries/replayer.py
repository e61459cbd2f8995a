"""Replayer: a member that offers old cards and old addresses again, and plays recorded handshakes to whoever answers.

It stands on the path of all others, too: of every connection it keeps the first bytes.
"""

from cards import Verdict
from p2pnoise.chance import Chance
from p2pnoise.gossip import PeerTable
from p2pnoise.gossip.effects import Effect, SendMessage
from p2pnoise.gossip.items import body_id, record_id
from p2pnoise.gossip.messages import Announce, CardItem, Item, Items, Message, Push, RecordItem, Unknown, Want
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from simulations.nodes import SimulatedNode, honest
from simulations.world import World

from .around import Around, HostileOverlay, tell

MAX_OFFERED = 1_000  # ids in one message
MAX_PUSHED = 20  # old items beside each push of news
MAX_RECORDED = 50  # connections; the latest ones
MAX_SAID = 3  # what is played of each: a first message alone, or with what came after it


class OldNews(HostileOverlay):
    """Keeps all cards and records that it ever saw, and offers those that are out of date on every link."""

    def __init__(self, world: World, node: SimulatedNode, table: PeerTable, *, random: Chance) -> None:
        super().__init__(world, node, table, random=random)
        self._seen: dict[bytes, Item] = {}

    def peer_up(self, link: int, verdict: Verdict | None, now: Instant, *, visit: bool = False) -> list[Effect]:
        return [*super().peer_up(link, verdict, now, visit=visit), *self._offer([link])]

    def message(self, link: int, message: Message | Unknown, now: Instant) -> list[Effect]:
        effects = super().message(link, message, now)
        for peer in self.table if isinstance(message, Items) else ():
            self._seen.setdefault(body_id(peer.card.card_id), CardItem(peer.card.raw))
            if peer.record is not None:
                self._seen.setdefault(record_id(peer.record), RecordItem(peer.record.raw))
        if isinstance(message, Want) and self.has(link):
            old = [one for one in sorted(message.ids) if one in self._seen and one not in self.table.items]
            for one in old:
                self.lied(link, "replay", plain=False, what=one)
            if old:
                effects.insert(0, SendMessage(link, Items(tuple(self._seen[one] for one in old), last=False)))
        return effects

    def tick(self, now: Instant) -> list[Effect]:
        return [*super().tick(now), *self._offer(list(self.questions))]

    def says(self, effect: Effect) -> list[Effect]:
        """Beside each push it pushes again what is out of date."""
        match effect:
            case SendMessage(link, Push()):
                old = [one for one in self._seen if one not in self.table.items][-MAX_PUSHED:]
                for one in old:
                    self.lied(link, "pushed replay", plain=False, what=one)
                return [effect, SendMessage(link, Push(tuple(self._seen[one] for one in old)))] if old else [effect]
        return [effect]

    def _offer(self, links: list[int]) -> list[Effect]:
        old = [one for one in self._seen if one not in self.table.items][-MAX_OFFERED:]
        return [SendMessage(link, Announce(frozenset(old))) for link in links if old and self.has(link)]


class Replayer(Around):
    """Dials those whom it has heard somebody dial, and says what was said then."""

    pause = SECOND

    def __init__(self, world: World, node: SimulatedNode) -> None:
        core = honest(world, node, overlay=lambda table, *, random: OldNews(world, node, table, random=random))
        super().__init__(world, node, core)
        self._recorded: dict[tuple[int, io.ConnectionId], tuple[int, list[bytes]]] = {}  # by dialler: to whom, and what
        self._playing: dict[io.ConnectionId, list[bytes]] = {}
        world.on_bytes.append(self._overhear)

    def _overhear(self, source: SimulatedNode, connection: io.ConnectionId, target: int, data: bytes) -> None:
        link = source.node.links.all.get(connection) if source.honest and target != self.node.number else None
        if link is None or not link.initiator:
            return
        _, said = self._recorded.setdefault((source.number, connection), (target, []))
        if len(said) < MAX_SAID:
            said.append(data)
        if len(self._recorded) > MAX_RECORDED:
            del self._recorded[next(iter(self._recorded))]

    def act(self) -> None:
        if self._recorded:
            target, said = self.chance.choice(list(self._recorded.values()))
            connection = self.core.new_connection()
            self._playing[connection] = said[: self.chance.randrange(1, MAX_SAID + 1)]
            self.out.append(io.Dial(connection, self.world.nodes[target].address))

    def takes(self, given: io.Input) -> bool:
        match given:
            case io.Connected(connection) if connection in self._playing:
                tell(self.world, self.node, connection, "replayed handshake", plain=False)
                self.out += [io.SendBytes(connection, data) for data in self._playing[connection]]
            case io.BytesReceived(connection, data) if connection in self._playing:
                if not data:
                    del self._playing[connection]
                    self.out.append(io.Disconnect(connection))
            case io.ConnectFailed(connection) if connection in self._playing:
                del self._playing[connection]
            case _:
                return False
        return True

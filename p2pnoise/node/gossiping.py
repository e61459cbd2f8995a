"""Gossiping: between the overlay, which knows no links, and the links, which know no gossip.

What comes by a link is handed to the overlay, and what the overlay wants is carried out. Whoever says what no honest
node says is sent away, and banned if that happens often.
"""

from typing import TYPE_CHECKING, assert_never

from cards import NodeId
from p2pnoise import events
from p2pnoise.gossip import Overlay
from p2pnoise.gossip import effects as gossip
from p2pnoise.gossip.encoding import decode, encode
from p2pnoise.gossip.messages import Message, MessageError
from p2pnoise.instant import SECOND, Instant

from . import effects as io
from . import telling
from .bans import Bans
from .dials import Dialler
from .frames import Code
from .link import Link, Stage
from .scores import Scores, ban_for

if TYPE_CHECKING:
    from .links import Links

MAX_ANSWERS = 1024 * 1024  # bytes that one input may draw on one link; an honest question draws half of it
MAX_HELD = 16  # gossip messages of a link that is being contested; an honest peer sends one or two


class Gossiping:
    """The gossip of `links` with one overlay. Leaves what is to be kept in `out`."""

    def __init__(self, links: "Links", *, overlay: Overlay, dialler: Dialler, bans: Bans, out: list[io.Effect]) -> None:
        self._links = links
        self._overlay = overlay
        self._table = overlay.table
        self._dialler = dialler
        self._bans = bans
        self._out = out
        self.scores = Scores()

    def came(self, connection: io.ConnectionId, link: Link, data: bytes, now: Instant) -> None:
        """A link brought a message, any bytes; while it is contested they wait."""
        if link.stage is not Stage.CONTESTED:
            self.take(connection, data, now)
            return
        link.held.append(data)
        if len(link.held) > MAX_HELD:
            self._links.drop(connection, f"more than {MAX_HELD} messages before it was admitted", now)

    def take(self, connection: io.ConnectionId, data: bytes, now: Instant) -> None:
        """Have the overlay take a message in these bytes, any bytes, unless its link is gone or only empties."""
        if not self._overlay.has(connection):
            return
        try:
            message = decode(data)
        except MessageError as error:
            self._offended(connection, str(error), now)
        else:
            self.apply(self._overlay.message(connection, message, now), now)

    def apply(self, effects: list[gossip.Effect], now: Instant, source: str = "") -> None:  # noqa: C901, PLR0912 - a table
        """Carry out what the overlay wants. `source` says where a fact came from that no peer gave us."""
        for effect in effects:
            match effect:
                case gossip.SendMessage(connection, message):
                    self._send(connection, message, now)
                case gossip.StorePeer(peer):
                    self._out.append(effect)
                    self._links.admission.follow(peer.content.card, now)
                case gossip.Learned(peer, teller):
                    self._links.emit(telling.card_learned(peer, teller, len(self._table)))
                case gossip.RecordLearned(record, _):
                    self._address_learned(record.node_id, now)
                    self._links.emit(events.AddressLearned(node_id=record.node_id, addresses=record.addresses))
                case gossip.PageCame(connection):
                    self._links.admission.page_came(connection, now)
                case gossip.ListsCompared(connection):
                    self._links.admission.lists_compared(connection, now)
                case gossip.Silent(connection):
                    self._silent(connection, now)
                case gossip.LeaveLink(connection):
                    self._leave(connection, now)
                case gossip.Misbehaved(connection, reason):
                    if connection in self._links.all:
                        self._offended(connection, reason, now)
                case gossip.OwnCardLearned() | gossip.Refused() | gossip.FactRefused() | gossip.Pinned():
                    self._links.emit(telling.gossiped(effect, self._table, source))
                case gossip.FactApplied():
                    self._links.emit(telling.gossiped(effect, self._table, source))
                    self._links.admission.recheck(now)
                case _ if isinstance(effect, gossip.Store):
                    self._out.append(effect)
                case _:
                    assert_never(effect)

    def _send(self, connection: io.ConnectionId, message: Message, now: Instant) -> None:
        link = self._links.all.get(connection)
        if link is not None and link.greeted:
            link.send_gossip(encode(message))
            self._links.agenda.touch(connection)
            if link.unsent > MAX_ANSWERS:
                self._links.drop(connection, f"it asked for more than {MAX_ANSWERS} bytes at once", now)

    def _address_learned(self, node_id: NodeId, now: Instant) -> None:
        peer = self._table.by_node(node_id)
        if peer is not None:
            self._dialler.learned(peer, now.monotonic)

    def _silent(self, connection: io.ConnectionId, now: Instant) -> None:
        """A neighbour is taken for dead."""
        link = self._links.all.get(connection)
        if link is not None:
            self._links.drop(connection, f"silent for {(now.monotonic - link.heard_at) / SECOND:.0f} s", now)

    def _leave(self, connection: io.ConnectionId, now: Instant) -> None:
        """Let go of a link that is none to a neighbour, unless an application has a use for it."""
        link = self._links.all.get(connection)
        if link is None or link.node_id is None:
            return
        if link.on_demand or len(link.streams):
            link.on_demand, link.visit = True, False
            link.counted_up = True
            self._links.agenda.touch(connection)  # no probe finds out any more whether its peer lives
        else:
            if not link.visit:
                self._put_off(link, link.node_id, now)
            code = Code.GOODBYE if link.initiator else Code.BUSY  # whoever came is to come again less and less
            self._links.close(connection, code, now, reason="no neighbour of ours")

    def _offended(self, connection: io.ConnectionId, why: str, now: Instant) -> None:
        """A peer said what no honest node says: its link ends, and we dial it less and less."""
        link = self._links.all[connection]
        if link.node_id is not None:
            self._put_off(link, link.node_id, now)
        self._links.drop(connection, f"it broke the protocol: {why}", now)
        if link.node_id is None:
            return
        too_many = self.scores.blame(link.node_id, now.monotonic)
        self._out.append(gossip.StoreScore(link.node_id, self.scores.of(link.node_id, now.monotonic), now.unix))
        if too_many:
            ban = ban_for(link.node_id, self._links.name(link), why, now.unix)
            self._bans.make(ban, now.unix)
            self.scores.throttle(link.address, now.monotonic)
            self._links.emit(telling.banned(ban))
            self._links.admission.recheck(now)

    def _put_off(self, link: Link, node_id: NodeId, now: Instant) -> None:
        self._dialler.pauses.put_off(node_id, link.address if link.initiator else None, now.monotonic)

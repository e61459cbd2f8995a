"""NodeCore: one node without I/O. Links, dials, gossip and our own card joined; `handle(input, now) -> effects`.

Whoever drives it decides nothing: the trio driver and the simulator are two small drivers of the same object.
"""

from collections.abc import Callable
from typing import assert_never

from cards import (
    Address,
    Card,
    Memo,
    NodeId,
    NodeKey,
    Policy,
    SignatureCache,
)
from p2pnoise import events
from p2pnoise.chance import Chance
from p2pnoise.config import NodeConfig
from p2pnoise.gossip import Overlay, PeerTable
from p2pnoise.gossip import effects as gossip
from p2pnoise.instant import SECOND, Instant
from p2pnoise.noise import Entropy, KeyPair

from . import effects as io
from .agenda import NEVER
from .anchors import Anchors
from .bans import Bans
from .dials import Dialler, Target
from .links import Links
from .presence import Presence
from .restoring import restore


class NodeCore:
    """One node. Every input returns what is to be done, in order; store effects come before what depends on them.

    `random` serves choices and jitter, `entropy` keys and ids. The core never raises for what a peer does.
    `overlay` makes its gossip; simulations have some that means no good.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        key: NodeKey,
        card: Card,
        policy: Policy,
        random: Chance,
        entropy: Entropy,
        signatures: SignatureCache | None = None,
        memo: Memo | None = None,
        overlay: Callable[..., Overlay] = Overlay,
    ) -> None:
        self.config = config
        self.node_id: NodeId = key.public
        self.table = PeerTable(policy, own=key.public, own_card=card, signatures=signatures, memo=memo)
        self.bans = Bans(self.table)
        self._effects: list[io.Effect] = []
        self._overlay = overlay(self.table, random=random)
        self._dialler = Dialler(config, own=key.public, random=random, bans=self.bans)
        self.links = Links(
            config,
            static=KeyPair.from_private(key.static),
            entropy=entropy,
            overlay=self._overlay,
            dialler=self._dialler,
            bans=self.bans,
            out=self._effects,
        )
        self._presence = Presence(config, key=key, overlay=self._overlay, links=self.links)
        self._connections = 0
        self._dial_at: int | None = None
        self._lift_at: int | None = None  # the ban that ends first
        self._due = 0  # when a `Tick` is wanted
        self._stored = 0  # rows on our disk that are not verified yet
        self._anchors = Anchors()
        self._neighbours: list[tuple[io.ConnectionId, bool]] = []  # when they were looked at last

    @property
    def card(self) -> Card:
        """Our own card."""
        return self.table.own_card

    @property
    def dialling(self) -> tuple[Target, ...]:
        """Who is being dialled, and has not answered yet."""
        return tuple(self._dialler.open.values())

    @property
    def neighbours(self) -> dict[NodeId, bool]:
        """With whom it gossips, and whether they are of its own choice."""
        links, active = self.links.all, self._overlay.views.active
        found = {links[link].node_id: ours for link, ours in active.items() if link in links}
        return {node_id: ours for node_id, ours in found.items() if node_id is not None}

    @property
    def questions(self) -> dict[io.ConnectionId, tuple[int, int]]:
        """Of each link how many items were asked of its peer, and how many are to be."""
        return self._overlay.questions

    @property
    def redundancy(self) -> tuple[int, int]:
        """How many cards, grants and records came by gossip, and how many of these need not have come."""
        return self._overlay.redundancy

    @property
    def ignored(self) -> int:
        """How many gossip messages of later versions came."""
        return self._overlay.ignored

    def held_until(self, node_id: NodeId) -> int:
        """Until when we do not dial this node, as our operator asked, in monotonic nanoseconds; 0 where we do."""
        return self._dialler.pauses.held_until(node_id)

    def new_connection(self) -> io.ConnectionId:
        """The number of the next connection; a driver asks before it says `Accepted`."""
        self._connections += 1
        return self._connections

    def handle(self, given: io.Input, now: Instant) -> list[io.Effect]:
        """Take one input and return what is to be done about it."""
        only = None  # the link whose streams are all that the input concerns
        match given:
            case io.BytesReceived(connection, data):
                only = connection if self.links.received(connection, data, now) else None
            case io.StreamWritten(connection) | io.StreamRead(connection) | io.StreamEnded(connection):
                self.links.openings.handle(given)
                self.links.agenda.touch(connection)
                only = connection
            case io.BytesSent(connection):
                self.links.sent(connection)
                only = connection
            case io.Tick():
                pass
            case io.Accepted(connection, address):
                self.links.accepted(connection, address, now)
            case io.Connected(connection):
                self.links.connected(connection, now)
            case io.ConnectFailed(connection, reason):
                self.links.broken(connection, reason, now)
            case io.StreamWanted() | io.StreamUnwanted() | io.ConnectWanted() | io.DisconnectWanted() | io.PingWanted():
                self._wanted(given, now)
            case io.FactOffered() | io.PeersOffered():
                self._offered(given, now)
            case _:
                self._manage(given, now)
        if not isinstance(given, io.BytesReceived | io.BytesSent | io.Tick):
            self._dialler.stale = True
        if only is not None and only in self.links.all and now.monotonic < self._due:
            # What waits for its time need not be looked at: a node may have much of it.
            self._due = min(self._due, self.links.flush(now))
        else:
            self._pass_time(now)
            self.links.flush(now)
            self._due = self._next_due()
        effects = list(self._effects)
        self._effects.clear()
        return effects

    def _wanted(self, given: io.Wanted, now: Instant) -> None:
        """Inputs that come from an application, about its peers."""
        match given:
            case io.StreamWanted() | io.ConnectWanted():
                self.links.openings.handle(given)
            case io.StreamUnwanted(ticket):
                self.links.openings.handle(given)
                self.links.pings.forget(ticket)
            case io.DisconnectWanted(node_id, hold):
                self.links.disconnect(node_id, hold, now)
            case io.PingWanted():
                self.links.pings.ask(given, now.monotonic)
                self.links.agenda.touch_all()
            case _:
                assert_never(given)

    def _offered(self, given: io.Offered, now: Instant) -> None:
        """What could have come by a link, and comes from a file."""
        match given:
            case io.FactOffered(fact, source):
                self.links.gossip.apply(self._overlay.offer_fact(fact, now), now, source)
            case io.PeersOffered(peers):
                self.links.gossip.apply(self._overlay.offer_peers(peers, now), now)
            case _:
                assert_never(given)

    def _manage(self, given: io.Managed, now: Instant) -> None:
        """Inputs that come from our own operator and disk."""
        match given:
            case io.TrustRestored(facts, marks, pins, scores):
                for identity, mark in marks.items():
                    self.table.restore_mark(identity, mark)
                self.table.restore_facts(facts, now.unix)
                self.table.restore_pins(pins)
                self.links.gossip.scores.restore(scores, now)
            case io.PeersRestored(peers, left, anchors):
                for stored in peers:
                    self._restore(stored, now)
                self._stored = left
                self._dialler.begin_with(anchors)
                self._anchors.restored(anchors)
                self.links.gossip.apply(self._overlay.restored((row.card.node_id for row in peers), left, now), now)
            case io.ListeningOn(bound, advertised):
                self._dialler.hosts.live_at((*bound, *advertised))
                self._presence.begin(advertised, now)
                self._emit(
                    events.Listening(
                        node_id=self.node_id,
                        name=self.card.name,
                        addresses=bound,
                        known_peers=len(self.table) + self._stored,
                    )
                )
            case io.PolicyChanged(policy):
                self.table.policy = policy
                self._trust_changed(self._overlay.trust_changed(now), now)
            case io.PinsChanged(pins, untied):
                self._trust_changed(self._overlay.pins_changed(pins, untied, now), now)
            case io.BansChanged(bans):
                self.bans.put(bans, now.unix)
                self.links.admission.recheck(now)
            case io.OwnCardChanged(card):
                self._presence.replace(card, now)
            case io.ConfigChanged(config, advertised):
                self._configure(config, advertised, now)
            case io.Stop():
                self.links.close_all(now)
            case _:
                assert_never(given)

    def _configure(self, config: NodeConfig, advertised: tuple[Address, ...] | None, now: Instant) -> None:
        self.config = config
        self.links.configure(config)
        self._dialler.configure(config)
        self._dialler.hosts.live_at(advertised or ())
        self._presence.configure(config, advertised, now)

    def _trust_changed(self, effects: list[gossip.Effect], now: Instant) -> None:
        self.links.gossip.apply(effects, now)
        self._presence.install(now)
        self.links.admission.recheck(now)

    def deadline(self) -> int | None:
        """The monotonic nanosecond by which a `Tick` is wanted, or None."""
        return self._due if self._due < NEVER else None

    def _next_due(self) -> int:
        due = self.links.upkeep.next_due()
        for other in (self._overlay.deadline(), self._presence.deadline(), self._dial_at, self._lift_at):
            if other is not None and other < due:
                due = other
        return due

    def _pass_time(self, now: Instant) -> None:
        """Whatever is due by now."""
        self.links.upkeep.tick(now)
        due = self._overlay.deadline()
        if due is not None and now.monotonic >= due:
            self.links.gossip.apply(self._overlay.tick(now), now)
        self._presence.tick(now)
        self._look_at_anchors()
        if self.bans.next_end is not None:
            self._dialler.stale |= self.bans.lift(now.unix)
        end = self.bans.next_end
        self._lift_at = now.monotonic + (end - now.unix) * SECOND if end is not None else None
        self._dial_at = self._next_dial(now)
        if self._dial_at is not None and now.monotonic >= self._dial_at:
            self._dial(now)
            self._dialler.stale = True
            self._dial_at = self._next_dial(now)

    def _next_dial(self, now: Instant) -> int | None:
        if not self._presence.begun or self.links.stopping:
            return None
        if not self._dialler.stale:
            return self._dialler.sooner(self._dial_at)
        return self._dialler.deadline(self.links.all.values(), self._overlay.views, now.monotonic)

    def _dial(self, now: Instant) -> None:
        links = self.links.all.values()
        for target in self._dialler.due_on_demand(links):
            self._begin(target)
        for target in self._dialler.due(links, self._overlay.views, now.monotonic):  # who is not dialled by now
            self._begin(target)

    def _begin(self, target: Target) -> None:
        connection = self.new_connection()
        self._dialler.open[connection] = target
        self._emit(
            events.Dialling(address=target.address, source=target.source, node_id=target.node_id, name=target.name)
        )
        self._effects.append(io.Dial(connection, target.address))

    def _look_at_anchors(self) -> None:
        neighbours = list(self._overlay.views.active.items())
        if neighbours == self._neighbours:
            return
        self._neighbours = neighbours
        self._dialler.stale = True  # who has no room for us has taken no link from us yet
        if self._anchors.look(tuple(self.neighbours.items())):
            self._effects.append(gossip.StoreAnchors(self._anchors.node_ids))

    def _restore(self, stored: io.StoredPeer, now: Instant) -> None:
        newer = self.table.newer_own(stored.card, now.unix)
        if newer is not None:  # others gave it to us, and the node ended before its file was written
            self.table.own_card = newer
            self._emit(events.OwnCardLearned(sequence=newer.sequence, source=self.node_id))
        ceased = restore(self.table, stored, now.unix)
        if ceased is not None:
            self._effects.append(gossip.StorePeer(ceased))

    def _emit(self, event: events.Event) -> None:
        self._effects.append(io.Emit(event))

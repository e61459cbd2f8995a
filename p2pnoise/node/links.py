"""Links: all links of a node, from the carrier that opens to the one that is gone.

What is to be done is left in `out`, in order. Which peers come in and stay is said by admission.py, what is due for
their links by upkeep.py, and what they gossip goes through gossiping.py.
"""

from typing import assert_never

from cards import Address, NodeId
from p2pnoise import events
from p2pnoise.config import NodeConfig
from p2pnoise.gossip import Overlay, network_of
from p2pnoise.instant import Instant, ns
from p2pnoise.noise import Entropy, KeyPair

from . import effects as io
from . import telling
from .admission import Admission
from .agenda import NEVER, Agenda
from .bans import Bans
from .dials import Dialler
from .frames import VISIT, Code
from .gossiping import Gossiping
from .link import Link, Stage
from .link_events import (
    CardPresented,
    Ended,
    GossipReceived,
    Greeted,
    KeyElsewhere,
    LinkEvent,
    PeerClosed,
    PeerReady,
    Ponged,
    StreamHappened,
)
from .openings import Openings
from .pings import Pings
from .upkeep import Upkeep

ROOM = 8  # of so many places one is for visitors; a guess: 16 of 128
DISCONNECTED = "disconnected by the operator"


class Links:
    """The links of one node, by connection. Bounded by `max_links` and `max_handshakes` of the configuration."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        static: KeyPair,
        entropy: Entropy,
        overlay: Overlay,
        dialler: Dialler,
        bans: Bans,
        out: list[io.Effect],
    ) -> None:
        self.all: dict[io.ConnectionId, Link] = {}
        self.stopping = False
        self.agenda = Agenda()
        self._config = config
        self._static = static
        self._entropy = entropy
        self._overlay = overlay
        self._table = overlay.table
        self._dialler = dialler
        self._out = out
        self.openings = Openings(self.all, table=overlay.table, dialler=dialler, bans=bans, out=out)
        self.pings = Pings(self.all, out)
        self.admission = Admission(self, config, boot_id=entropy(16), overlay=overlay, dialler=dialler, bans=bans)
        self.gossip = Gossiping(self, overlay=overlay, dialler=dialler, bans=bans, out=out)
        self.upkeep = Upkeep(self, config, overlay=overlay)

    @property
    def crowded(self) -> bool:
        """Whether the places that are left are for visitors: whoever comes learns of others, and goes to them.

        Or a full node would turn newcomers away for ever: of 150 that began with one node, 21 stayed out.
        """
        # Strangers that have proven nothing take no place here, or they could have all newcomers seen off.
        most = self._config.max_links
        return sum(link.greeted for link in self.all.values()) > max(most - max(1, most // ROOM), 1)

    def configure(self, config: NodeConfig) -> None:
        """Other limits and times from now on, for links that begin and in what is asked of all."""
        self._config = config
        self.agenda.touch_all()
        self.admission.configure(config)
        self.upkeep.configure(config)

    # Carriers

    def accepted(self, connection: io.ConnectionId, address: Address, now: Instant) -> None:
        """Somebody connected; one too many is sent away before a byte is read."""
        strangers = [link for link in self.all.values() if not link.initiator and not link.greeted]
        same_host = sum(link.address.host == address.host for link in strangers)
        full = (
            self.gossip.scores.waits(address, now.monotonic)
            or len(self.all) >= self._config.max_links
            or len(strangers) >= self._config.max_handshakes
            or same_host >= self._config.max_handshakes_per_host
        )
        if full or self.stopping:
            self._out.append(io.Disconnect(connection))
        else:
            self._open(connection, address, now)

    def connected(self, connection: io.ConnectionId, now: Instant) -> None:
        """A dial reached somebody."""
        target = self._dialler.open.pop(connection, None)
        if target is None or self.stopping:
            self._out.append(io.Disconnect(connection))
        elif len(self.all) >= self._config.max_links:  # others came in while we were dialling
            self._out.append(io.Disconnect(connection))
            reason = f"{len(self.all)} links, at most {self._config.max_links}"
            self._dial_failed(target.address, target.node_id, reason, now, answered=True)
            self.openings.failed(target.goal, reason, io.Refusal.TOO_MANY)
        else:
            link = self._open(connection, target.address, now, initiator=True, rs=target.node_id)
            link.on_demand = target.source == "demand"
            link.visit = target.source == VISIT
            link.start()

    def _open(
        self,
        connection: io.ConnectionId,
        address: Address,
        now: Instant,
        *,
        initiator: bool = False,
        rs: NodeId | None = None,
    ) -> Link:
        link = Link(
            initiator=initiator,
            address=address,
            static=self._static,
            own_card=self._table.own_card.raw,
            entropy=self._entropy,
            now=now.monotonic,
            rs=rs,
            config=self._config,
        )
        link.deadline = now.monotonic + ns(self._config.handshake_timeout)
        self.all[connection] = link
        self.agenda.begin(connection)
        self.moved(connection)
        return link

    def moved(self, connection: io.ConnectionId) -> None:
        """This link has come, or gone, or is in another stage."""
        self._dialler.stale = True
        self.agenda.touch(connection)

    def broken(self, connection: io.ConnectionId, reason: str, now: Instant) -> None:
        """A dial reached nobody, or a carrier broke."""
        target = self._dialler.open.pop(connection, None)
        if target is not None:
            self._dialler.hosts.failed(target.address, now.monotonic)
            self._dial_failed(target.address, target.node_id, reason, now, answered=False)
            self.openings.failed(target.goal, f"{target.address}: {reason}")
        elif connection in self.all:
            self.drop(connection, reason, now)

    def received(self, connection: io.ConnectionId, data: bytes, now: Instant) -> bool:
        """A carrier brought bytes, any bytes. Whether they concern the streams of this link and nothing else."""
        link = self.all.get(connection)
        if link is None:
            return False
        self.agenda.touch(connection)
        messages, generation, of_streams = link.messages, link.generation, link.stage is Stage.UP
        for event in link.receive(data, now.monotonic):
            if not isinstance(event, StreamHappened):
                of_streams = False
            self._link_event(connection, link, event, now)
            if connection not in self.all:
                return False
        # Mere bytes show nothing: with them somebody on the path could keep a link that is deaf looking alive.
        if link.messages > messages:
            link.heard_at = now.monotonic
            link.pinged_at = None
            waited_for = self._overlay.heard(connection, now)
            if waited_for:
                self.gossip.apply(waited_for, now)
                of_streams = False
        if link.generation > generation:  # a change of the wall clock is noticed by nothing else
            self.admission.judge_again(connection, now)
            return False
        return of_streams

    def _link_event(self, connection: io.ConnectionId, link: Link, event: LinkEvent, now: Instant) -> None:
        match event:
            case CardPresented(card, rs):
                self.moved(connection)
                self.admission.judge(connection, link, card, rs, now)
            case Greeted(hello):
                self.admission.greeted(connection, link, hello, now)
            case GossipReceived(data):
                self.gossip.came(connection, link, data, now)
            case StreamHappened(happened) if link.node_id is not None:
                self._out.append(io.OnStream(connection, link.node_id, happened))
            case StreamHappened() | PeerReady():  # whoever waits for it is served before the bytes go out
                pass
            case Ponged(payload):
                self.pings.answered(connection, payload, now.monotonic)
                self.admission.answered(connection, now)
            case KeyElsewhere(address):
                self.emit(telling.key_elsewhere(link, self.name(link), address))
            case PeerClosed(code) if code is Code.GOODBYE or link.ended_by_us:
                pass
            case PeerClosed(code):
                self.emit(telling.refused_by_peer(link, self.name(link), code.label))
            case Ended(fault):
                self.drop(connection, fault, now)
            case _:
                assert_never(event)

    # Ending

    def close_all(self, now: Instant) -> None:
        """Say goodbye to everybody."""
        self.stopping = True
        self.openings.stop()
        for connection in list(self.all):
            self.close(connection, Code.GOODBYE, now)

    def disconnect(self, node_id: NodeId, hold: float, now: Instant) -> None:
        """End what links and dials there are to this node, and leave it undialled for `hold` seconds."""
        # Whoever sent a first message alone may be a recording of it (P10), and is no link yet.
        links = [
            (number, link)
            for number, link in self.all.items()
            if node_id in (link.node_id, link.expected) and (link.initiator or link.greeted)
        ]
        addresses = [link.address for _, link in links if link.initiator]
        given_up = self._dialler.hold(node_id, now.monotonic + ns(hold), addresses, now.monotonic)
        for number, _ in links:
            self.close(number, Code.GOODBYE, now, reason=DISCONNECTED)
        if given_up:
            self.openings.failed(node_id, DISCONNECTED)

    def close(self, connection: io.ConnectionId, code: Code, now: Instant, *, reason: str = "closed by us") -> None:
        """End our direction; the peer has `close_timeout` to end its own."""
        link = self.all.get(connection)
        if link is None or link.ending:
            return
        link.close(code)
        self.moved(connection)
        self._unlink(connection, link, reason, now)
        link.deadline = now.monotonic + ns(self._config.close_timeout)
        if link.closed:
            self.drop(connection, reason, now)

    def drain(self, connection: io.ConnectionId, now: Instant) -> None:
        """Another link to its peer takes over; this one ends with its last stream, and not before the peer knows."""
        link = self.all[connection]
        link.draining = True
        self.moved(connection)
        link.idle_since = now.monotonic
        self._step_back(connection, link, "replaced by another link", now)

    def drop(self, connection: io.ConnectionId, reason: str, now: Instant) -> None:
        """The connection is finished, by whoever's doing."""
        link = self.all[connection]
        self._flush_link(connection, link)
        link.stage = Stage.CLOSED
        self._out.append(io.Disconnect(connection))
        if link.counted_up and link.closed_by is None:
            self.admission.broke(link)
        if link.closed_by not in (None, Code.GOODBYE):
            reason = link.closed_by.label if link.closed_by is not None else reason
        reason_told = reason or "closed by the peer"
        self._unlink(connection, link, reason_told, now)
        del self.all[connection]
        self.agenda.end(connection)
        self.moved(connection)
        self.openings.ended(link, reason_told)
        if link.initiator and not link.was_up and not link.ended_by_us and link.closed_by is not Code.GOODBYE:
            silent = "closed without a reason: perhaps it does not trust our card"
            if not link.met:
                self._dialler.hosts.failed(link.address, now.monotonic)
            self._dial_failed(link.address, link.expected, reason or silent, now, answered=True)
        elif link.initiator and link.closed_by is Code.BUSY and link.node_id is not None:
            self._dialler.pauses.put_off(link.node_id, link.address, now.monotonic)
        elif link.initiator:
            self._dialler.pauses.ended(link.address, now.monotonic)
        elif not link.initiator and not link.was_up and not link.ended_by_us and not link.told_of and reason:
            self.emit(events.ConnectionFailed(address=link.address, reason=reason))

    def _unlink(self, connection: io.ConnectionId, link: Link, reason: str, now: Instant) -> None:
        """Take a link out of all that counts on it."""
        if link.streams.clear():
            self._out.append(io.StreamsLost(connection, reason))
        self.pings.ended(connection, reason)
        self._step_back(connection, link, reason, now)

    def _step_back(self, connection: io.ConnectionId, link: Link, reason: str, now: Instant) -> None:
        """Take a link out of gossip and, if it was the last one to a verified peer, say that the peer is lost."""
        self.gossip.apply(self._overlay.peer_down(connection, now), now)
        counted, link.counted_up = link.counted_up, False
        if counted and link.node_id is not None:
            # Another link that its peer has proven to live on takes its place: the application hears nothing of that.
            # One that drains has stepped back itself: to count on it would let it drain for ever.
            heirs = (other for other in self.all.values() if other is not link and other.node_id == link.node_id)
            standing = (other for other in heirs if other.stage in (Stage.COMPARING, Stage.UP))
            heir = next((other for other in standing if not (other.draining or other.visit)), None)
            if heir is not None:
                heir.counted_up = True
            else:
                self.emit(telling.lost(link, link.node_id, reason))
        self.admission.gone(connection, now)

    def _dial_failed(
        self, address: Address, node_id: NodeId | None, reason: str, now: Instant, *, answered: bool
    ) -> None:
        pause = round(self._dialler.pauses.failed(address, now.monotonic), 3)
        if node_id is not None:
            self._overlay.views.candidates.silent(node_id, network_of(address))
        self.emit(events.DialFailed(address=address, node_id=node_id, reason=reason, answered=answered, retry_in=pause))

    # Output

    def sent(self, connection: io.ConnectionId) -> None:
        """All bytes of this connection have left."""
        if connection in self.all:
            self.all[connection].sent()
            self.agenda.touch(connection)

    def flush(self, now: Instant) -> int:
        """Hand out the bytes that links have gathered during one input: one write for each.

        The nanosecond by which `tick` is wanted for one of these, or `NEVER`.
        """
        due = NEVER
        self._serve()
        while touched := self.agenda.take_touched():
            for connection in touched:
                link = self.all[connection]
                self._flush_link(connection, link)
                if link.busy or len(link.streams):
                    link.idle_since = now.monotonic
                link.busy = len(link.streams) > 0
            self._serve()  # streams that have ended just now made places
            for connection in touched:
                due = min(due, self.upkeep.book(connection, self.all[connection]))
        return due

    def _serve(self) -> None:
        for connection in self.openings.serve():
            self.agenda.touch(connection)

    def _flush_link(self, connection: io.ConnectionId, link: Link) -> None:
        data, sent = link.take_output()
        if link.node_id is not None:
            self._out.extend(io.OnStream(connection, link.node_id, news) for news in sent)
        if data:
            self._out.append(io.SendBytes(connection, data, more=link.wants_word))

    def name(self, link: Link) -> str | None:
        """What the peer at the end of `link` is called, as far as we know."""
        peer = self._table.by_node(link.node_id) if link.node_id is not None else None
        return telling.name(link) or (peer.card.name if peer is not None else None)

    def emit(self, event: events.Event) -> None:
        """Tell the application."""
        self._out.append(io.Emit(event))

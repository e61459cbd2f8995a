"""Links: all links of a node, from the carrier that opens to the one that is gone; who comes in and who stays.

This is the only place that binds a Noise static key to a card. It joins links, the dialler and the overlay, and leaves
what is to be done in `out`, in order.
"""

from dataclasses import replace
from typing import assert_never

from cards import Address, Card, Finding, NodeId, Verdict
from p2pnoise import events
from p2pnoise.config import NodeConfig
from p2pnoise.errors import RemoteProtocolError
from p2pnoise.gossip import Overlay
from p2pnoise.gossip import effects as gossip
from p2pnoise.instant import SECOND, Instant
from p2pnoise.noise import Entropy, KeyPair

from . import effects as io
from . import pairing, telling
from .dials import Dialler
from .frames import Code, Hello
from .link import CardPresented, Ended, GossipReceived, Greeted, Link, LinkEvent, PeerClosed, Ponged, Stage

MAX_BROKEN = 1_000  # broken links that are remembered, to be replaced by name; the others are found out by their pings
MAX_ANSWERS = 1024 * 1024  # bytes that one input may draw on one link; an honest question draws half of it
MAX_HELD = 16  # gossip messages of a link that is being contested; an honest peer sends one or two


class Links:
    """The links of one node, by connection. Bounded by `max_links` and `max_handshakes` of the configuration."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        static: KeyPair,
        card: Card,
        entropy: Entropy,
        overlay: Overlay,
        dialler: Dialler,
        out: list[io.Effect],
    ) -> None:
        self.all: dict[io.ConnectionId, Link] = {}
        self.card = card
        self.boot_id = entropy(16)
        self.stopping = False
        self._config = config
        self._static = static
        self._entropy = entropy
        self._overlay = overlay
        self._table = overlay.table
        self._dialler = dialler
        self._out = out
        self._contests = pairing.Contests()
        self._last_hash: dict[bytes, bytes] = {}  # Node ID -> handshake hash of the last link that broke

    # Carriers

    def accepted(self, connection: io.ConnectionId, address: Address, now: Instant) -> None:
        """Somebody connected; one too many is sent away before a byte is read."""
        strangers = [link for link in self.all.values() if not link.initiator and not link.greeted]
        same_host = sum(link.address.host == address.host for link in strangers)
        full = (
            len(self.all) >= self._config.max_links
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
            self._dial_failed(target.address, target.node_id, reason, now)
        else:
            self._open(connection, target.address, now, initiator=True, rs=target.node_id).start()

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
            own_card=self.card.raw,
            entropy=self._entropy,
            now=now.monotonic,
            rs=rs,
            accept=self._config.accept,
        )
        link.deadline = now.monotonic + ns(self._config.handshake_timeout)
        self.all[connection] = link
        return link

    def broken(self, connection: io.ConnectionId, reason: str, now: Instant) -> None:
        """A dial reached nobody, or a carrier broke."""
        target = self._dialler.open.pop(connection, None)
        if target is not None:
            self._dial_failed(target.address, target.node_id, reason, now)
        elif connection in self.all:
            self._drop(connection, reason, now)

    def received(self, connection: io.ConnectionId, data: bytes, now: Instant) -> None:
        """A carrier brought bytes, any bytes."""
        link = self.all.get(connection)
        if link is None:
            return
        before = link.messages
        for event in link.receive(data):
            self._link_event(connection, link, event, now)
            if connection not in self.all:
                return
        # Mere bytes show nothing: with them somebody on the path could keep a link that is deaf looking alive.
        if link.messages > before:
            link.heard_at = now.monotonic
            link.pinged_at = None

    def _link_event(self, connection: io.ConnectionId, link: Link, event: LinkEvent, now: Instant) -> None:
        match event:
            case CardPresented(card, rs):
                self._judge(connection, link, card, rs, now)
            case Greeted() if link.ending:
                pass
            case Greeted(hello):
                self._greeted(connection, link, hello, now)
            case GossipReceived(data) if link.stage is Stage.CONTESTED:
                link.held.append(data)
                if len(link.held) > MAX_HELD:
                    self._drop(connection, f"more than {MAX_HELD} messages before it was admitted", now)
            case GossipReceived(data):
                self.apply(self._overlay.message(connection, data, now), now)
            case Ponged():
                for newcomer in self._contests.against(connection):
                    self._refuse_clone(newcomer, now)
            case PeerClosed(code):
                if code is not Code.GOODBYE and not link.ended_by_us:
                    self._emit(
                        events.RefusedByPeer(
                            node_id=link.node_id, name=self._name(link), address=link.address, reason=code.label
                        )
                    )
            case Ended(fault):
                self._drop(connection, fault, now)
            case _:
                assert_never(event)

    # Judging

    def _judge(self, connection: io.ConnectionId, link: Link, raw: bytes, rs: bytes, now: Instant) -> None:
        """The card of a handshake. Until the peer's first transport frame nothing here may touch any state (P10)."""
        verdict = self._table.judge(raw, now.unix, peer_static=rs)
        if link.expected is not None and rs != link.expected and verdict.claim is not None:
            verdict = self._judge_fallback(link.expected, verdict.claim, verdict)
        link.verdict = verdict
        if verdict.claim is None or not (verdict.ok or waits_for_lists(verdict)):
            self._refuse(connection, link, verdict, now)
            return
        link.node_id = verdict.claim.node_id
        try:
            link.accept(Hello(self.boot_id, self._last_hash.get(link.node_id, b"")))
        except RemoteProtocolError as error:
            self._drop(connection, str(error), now)

    def _judge_fallback(self, dialled: NodeId, claim: Card, verdict: Verdict) -> Verdict:
        """Fallback never changes the peer: a dialled Node ID is answered by its own identity with a newer card (P12).

        Or by the one identity to which that has handed over. Any member could stand on the path, garble our first
        message and answer for itself.
        """
        known = self._table.last_card(dialled)
        if known is not None:
            heir = self._table.facts.successor(known.identity, known.next_key_digest)
            if claim.identity == heir or (claim.identity == known.identity and claim.sequence > known.sequence):
                return verdict
        why = "of which no card is known" if known is None else "without a newer card of the same identity"
        finding = Finding("node-mismatch", f"{claim.node_id.short} answered for {dialled.short}, {why}")
        return replace(verdict, level="reject", findings=(*verdict.findings, finding))

    def _refuse(self, connection: io.ConnectionId, link: Link, verdict: Verdict, now: Instant) -> None:
        """Send a peer away: with a reason if an accepted issuer vouched for it once, in silence otherwise (P13)."""
        code = Code.of(verdict.errors)
        told = link.refuse(code if verdict.endorsed else None)
        link.told_of = True
        self._emit(telling.refused(link, code.label, told=told))
        self._drop(connection, code.label, now)
        if link.initiator and verdict.claim is not None:  # who answers us lives; who dials may be a recording (P10)
            self.apply(self._overlay.card_refused(verdict.claim, now), now)

    def _greeted(self, connection: io.ConnectionId, link: Link, hello: Hello, now: Instant) -> None:
        """The peer lives: from here on it counts. Its older link, if there is one, decides what comes next (P11)."""
        older = pairing.rival(self.all, connection)
        other = self.all[older] if older is not None else None
        if older is None or other is None:
            self._compare_lists(connection, link, now)
        elif not pairing.same_start(other, hello):
            # Another start of the same node, or another node with its key: the old link says which.
            other.ping(now.monotonic)
            link.stage = Stage.CONTESTED
            link.deadline = now.monotonic + ns(self._config.clone_timeout)
            self._contests.begin(connection, older)
        elif pairing.newcomer_stays(self._table.own, link, other, hello):
            self._compare_lists(connection, link, now)  # the older one goes on until this one is up
        else:
            self._close(connection, Code.GOODBYE, now)

    def _refuse_clone(self, newcomer: io.ConnectionId, now: Instant) -> None:
        """The older link answered, so two nodes that live use one key."""
        link = self.all.get(newcomer)
        if link is not None and link.stage is Stage.CONTESTED and link.node_id is not None:
            self._emit(events.DuplicateNode(node_id=link.node_id, name=self._name(link), address=link.address))
            self._close_refused(newcomer, Code.DUPLICATE_NODE, now)

    def _take_over(self, newcomer: io.ConnectionId, now: Instant) -> None:
        """The older link is gone, so the newcomer may begin, unless another newcomer was faster."""
        self._contests.over(newcomer)
        link = self.all.get(newcomer)
        if link is not None and link.stage is Stage.CONTESTED and link.hello is not None:
            self._greeted(newcomer, link, link.hello, now)

    def _compare_lists(self, connection: io.ConnectionId, link: Link, now: Instant) -> None:
        if link.node_id is None:
            return
        link.stage = Stage.COMPARING
        link.deadline = now.monotonic + ns(self._config.handshake_timeout)
        self.apply(self._overlay.peer_greeted(connection, link.node_id, now), now)
        held, link.held = link.held, []
        for data in held:
            self.apply(self._overlay.message(connection, data, now), now)

    def _page_came(self, connection: io.ConnectionId, now: Instant) -> None:
        """A long list comes by a slow line: the rest may take as long again."""
        link = self.all.get(connection)
        if link is not None and link.stage is Stage.COMPARING:
            link.deadline = now.monotonic + ns(self._config.handshake_timeout)
            # Our silence would end the link after a while: the peer's own question waits behind the list.
            link.ping(now.monotonic)

    def _lists_compared(self, connection: io.ConnectionId, now: Instant) -> None:
        """We know all that the peer knows of revocations: its card is judged for good."""
        link = self.all.get(connection)
        if link is None or link.stage is not Stage.COMPARING or link.verdict is None or link.verdict.claim is None:
            return
        claim = link.verdict.claim
        self.apply(self._overlay.card_presented(claim, now), now)
        if link.ending:
            return
        link.verdict = self._table.judge(claim, now.unix, peer_static=claim.node_id)
        if not link.verdict.ok:
            self._close_refused(connection, Code.of(link.verdict.errors), now)
            return
        link.stage = Stage.UP
        link.deadline = _end_of(link.verdict, now)
        self._dialler.succeeded(link.address)
        self._last_hash.pop(claim.node_id, None)
        older = [
            number
            for number, other in self.all.items()
            if other is not link and other.counted_up and other.node_id == claim.node_id
        ]
        first = not older and not link.counted_up
        link.counted_up = link.was_up = True
        self.apply(self._overlay.offer_card(claim, now, live=True), now)
        if link.expected is not None and link.expected != claim.node_id:
            self._emit(telling.key_changed(link, link.expected, claim.node_id))
        if first:
            self._emit(telling.verified(link, claim.node_id, len(self._table)))
        self.apply(self._overlay.peer_up(connection, now), now)
        for number in older:
            self._close(number, Code.GOODBYE, now)

    def recheck(self, now: Instant) -> None:
        """Trust or time changed: cut every live link whose peer no longer counts."""
        for connection, link in list(self.all.items()):
            if not link.greeted or link.verdict is None or link.verdict.claim is None:
                continue
            # Gossip may have brought a newer card of this peer, or a newer grant, than it showed us: that is judged.
            row = self._table.by_node(link.verdict.claim.node_id)
            claim = row.card if row is not None else link.verdict.claim
            verdict = self._table.judge(claim, now.unix, peer_static=link.node_id, established=True)
            if link.stage is not Stage.UP and waits_for_lists(verdict):
                continue
            link.verdict = verdict
            if not verdict.ok:
                self._close_refused(connection, Code.of(verdict.errors), now)
            elif link.stage is Stage.UP:
                link.deadline = _end_of(verdict, now)

    # Ending

    def close_all(self, now: Instant) -> None:
        """Say goodbye to everybody."""
        self.stopping = True
        for connection in list(self.all):
            self._close(connection, Code.GOODBYE, now)

    def _close_refused(self, connection: io.ConnectionId, code: Code, now: Instant) -> None:
        self._emit(telling.refused(self.all[connection], code.label, told=True))
        self._close(connection, code, now, reason=code.label)

    def _close(self, connection: io.ConnectionId, code: Code, now: Instant, *, reason: str = "closed by us") -> None:
        """End our direction; the peer has `close_timeout` to end its own."""
        link = self.all.get(connection)
        if link is None or link.ending:
            return
        link.close(code)
        self._unlink(connection, link, reason, now)
        link.deadline = now.monotonic + ns(self._config.close_timeout)
        if link.closed:
            self._drop(connection, reason, now)

    def _drop(self, connection: io.ConnectionId, reason: str, now: Instant) -> None:
        """The connection is finished, by whoever's doing."""
        link = self.all[connection]
        self._flush_link(connection, link)
        link.stage = Stage.CLOSED
        self._out.append(io.Disconnect(connection))
        if link.counted_up and link.node_id is not None and link.closed_by is None:
            self._last_hash[link.node_id] = link.handshake_hash
            if len(self._last_hash) > MAX_BROKEN:
                del self._last_hash[next(iter(self._last_hash))]
        if link.closed_by not in (None, Code.GOODBYE):
            reason = link.closed_by.label if link.closed_by is not None else reason
        self._unlink(connection, link, reason or "closed by the peer", now)
        del self.all[connection]
        if link.initiator and not link.was_up and not link.ended_by_us and link.closed_by is not Code.GOODBYE:
            silent = "closed without a reason: perhaps it does not trust our card"
            self._dial_failed(link.address, link.expected, reason or silent, now)
        elif link.initiator:
            self._dialler.ended(link.address, now.monotonic)
        elif not link.initiator and not link.was_up and not link.ended_by_us and not link.told_of and reason:
            self._emit(events.ConnectionFailed(address=link.address, reason=reason))

    def _unlink(self, connection: io.ConnectionId, link: Link, reason: str, now: Instant) -> None:
        """Take a link out of gossip and, if it was the last one to a verified peer, say that the peer is lost."""
        self.apply(self._overlay.peer_down(connection, now), now)
        self._contests.over(connection)
        counted, link.counted_up = link.counted_up, False
        if counted and link.node_id is not None:
            # Another link that its peer has proven to live on takes its place: the application hears nothing of that.
            heirs = (other for other in self.all.values() if other is not link and other.node_id == link.node_id)
            heir = next((other for other in heirs if other.stage in (Stage.COMPARING, Stage.UP)), None)
            if heir is not None:
                heir.counted_up = True
            else:
                self._emit(telling.lost(link, link.node_id, reason))
        for newcomer in self._contests.against(connection):
            self._take_over(newcomer, now)

    def _follow(self, card: Card, now: Instant) -> None:
        """Where an identity has moved to another node, the link to the one that it left is cut."""
        claims = [link.verdict.claim for link in self.all.values() if link.greeted and link.verdict is not None]
        if any(claim and claim.identity == card.identity and claim.node_id != card.node_id for claim in claims):
            self.recheck(now)

    def _dial_failed(self, address: Address, node_id: NodeId | None, reason: str, now: Instant) -> None:
        pause = self._dialler.failed(address, now.monotonic)
        self._emit(events.DialFailed(address=address, node_id=node_id, reason=reason, retry_in=round(pause, 3)))

    # Time

    def tick(self, now: Instant) -> None:
        """End what is overdue, ask those who are silent."""
        for connection, link in list(self.all.items()):
            if connection not in self.all:
                continue
            if link.deadline is not None and now.monotonic >= link.deadline:
                self._overdue(connection, link, now)
            elif link.stage is Stage.UP and now.monotonic >= self._ping_due(link):
                if link.pinged_at is None:
                    link.ping(now.monotonic)
                else:
                    self._drop(connection, f"silent for {self._config.ping_timeout:g} s after a ping", now)

    def deadline(self) -> int | None:
        """The monotonic nanosecond by which `tick` is wanted, or None."""
        dues = [link.deadline for link in self.all.values() if link.deadline is not None]
        dues += [self._ping_due(link) for link in self.all.values() if link.stage is Stage.UP]
        return min(dues, default=None)

    def _overdue(self, connection: io.ConnectionId, link: Link, now: Instant) -> None:
        match link.stage:
            case Stage.UP:  # its card or its issuer's list has come to an end
                link.deadline = None
                self.recheck(now)
            case Stage.CONTESTED:
                older = self._contests.older(connection)
                if older is not None:  # its end lets the newcomer begin
                    self._drop(older, "another start of the same node took over", now)
            case Stage.COMPARING:  # it named lists that it does not give
                self._close_refused(connection, Code.BUSY, now)
            case Stage.CLOSING:
                self._drop(connection, "", now)
            case _:
                self._drop(connection, f"no handshake within {self._config.handshake_timeout:g} s", now)

    def _ping_due(self, link: Link) -> int:
        if link.pinged_at is not None:
            return link.pinged_at + ns(self._config.ping_timeout)
        return link.heard_at + ns(self._config.ping_interval)

    # Gossip

    def apply(self, effects: list[gossip.Effect], now: Instant, source: str = "") -> None:
        """Carry out what the overlay wants. `source` says where a fact came from that no peer gave us."""
        for effect in effects:
            match effect:
                case gossip.SendMessage(connection, data):
                    self._send_gossip(connection, data, now)
                case gossip.StorePeer():
                    self._out.append(effect)
                    self._follow(effect.peer.card, now)
                case gossip.StoreRevocations() | gossip.StoreStatement() | gossip.StorePin():
                    self._out.append(effect)
                case gossip.PageCame(connection):
                    self._page_came(connection, now)
                case gossip.ListsCompared(connection):
                    self._lists_compared(connection, now)
                case gossip.Misbehaved(connection, reason):
                    if connection in self.all:
                        self._drop(connection, f"it broke the protocol: {reason}", now)
                case gossip.Learned() | gossip.Refused() | gossip.FactRefused() | gossip.Pinned():
                    self._emit(telling.gossiped(effect, self._table, source))
                case gossip.RecordLearned(record, _):
                    self._address_learned(record.node_id, now)
                    self._emit(telling.gossiped(effect, self._table, source))
                case gossip.FactApplied():
                    self._emit(telling.gossiped(effect, self._table, source))
                    self.recheck(now)
                case _:
                    assert_never(effect)

    def _address_learned(self, node_id: NodeId, now: Instant) -> None:
        peer = self._table.by_node(node_id)
        if peer is not None:
            self._dialler.learned(peer, now.monotonic)

    def _send_gossip(self, connection: io.ConnectionId, data: bytes, now: Instant) -> None:
        link = self.all.get(connection)
        if link is not None and link.greeted:
            link.send_gossip(data)
            if link.unsent > MAX_ANSWERS:
                self._drop(connection, f"it asked for more than {MAX_ANSWERS} bytes at once", now)

    def flush(self) -> None:
        """Hand out the bytes that all links have gathered during one input: one write for each."""
        for connection, link in self.all.items():
            self._flush_link(connection, link)

    def _flush_link(self, connection: io.ConnectionId, link: Link) -> None:
        data = link.take_output()
        if data:
            self._out.append(io.SendBytes(connection, data))

    def _name(self, link: Link) -> str | None:
        peer = self._table.by_node(link.node_id) if link.node_id is not None else None
        return telling.name(link) or (peer.card.name if peer is not None else None)

    def _emit(self, event: events.Event) -> None:
        self._out.append(io.Emit(event))


def waits_for_lists(verdict: Verdict) -> bool:
    """Whether all that keeps a card from counting is a list that we lack: its bearer may bring it."""
    codes = {finding.code for finding in verdict.errors} - {"threshold"}
    return verdict.endorsed and bool(codes) and codes <= {"revocation-missing", "revocation-stale"}


def ns(seconds: float) -> int:
    """Seconds of the configuration as nanoseconds of the monotonic clock."""
    return int(seconds * SECOND)


def _end_of(verdict: Verdict, now: Instant) -> int:
    return now.monotonic + max(0, verdict.valid_until - now.unix) * SECOND

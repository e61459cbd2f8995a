"""NodeCore: one node without I/O. Connections, cards, dials and gossip joined; `handle(input, now) -> effects`.

It is the only place that binds a Noise static key to a card. It knows all links, limits and dial plans; a `Link` is
one peer's affair, the `Overlay` never sees a byte of the wire, and whoever drives the core decides nothing.
"""

from collections.abc import Callable, Iterator
from typing import assert_never

from cards import Address, Card, NodeId, NodeKey, Policy, SignatureCache, Verdict, make_record
from p2pnoise import events
from p2pnoise.chance import Chance
from p2pnoise.config import NodeConfig
from p2pnoise.errors import RemoteProtocolError
from p2pnoise.gossip import Overlay, PeerTable
from p2pnoise.gossip import effects as gossip
from p2pnoise.instant import SECOND, Instant
from p2pnoise.noise import KeyPair

from . import effects as io
from .dials import DialPlan, Target, targets
from .frames import Code, Hello
from .link import CardPresented, Ended, GossipReceived, Greeted, Link, LinkEvent, PeerClosed, Ponged, Stage

MAX_HELD = 16  # gossip messages of a link that is being contested; an honest peer sends one or two


class NodeCore:
    """One node. Every input returns what is to be done, in order; store effects come before what depends on them.

    `random` serves choices and jitter, `entropy` keys and ids. The core never raises for what a peer does.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        key: NodeKey,
        card: Card,
        policy: Policy,
        random: Chance,
        entropy: Callable[[int], bytes],
        signatures: SignatureCache | None = None,
    ) -> None:
        self.config = config
        self.card = card
        self.table = PeerTable(policy, own=key.public, signatures=signatures)
        self.overlay = Overlay(self.table, random=random)
        self.links: dict[io.ConnectionId, Link] = {}
        self.boot_id = entropy(16)
        self._key = key
        self._static = KeyPair.from_private(key.static)
        self._entropy = entropy
        self._plan = DialPlan(config, own=key.public, random=random)
        self._dialling: dict[io.ConnectionId, Target] = {}
        self._last_hash: dict[bytes, bytes] = {}  # Node ID -> handshake hash of the last link that broke
        self._contests: dict[io.ConnectionId, io.ConnectionId] = {}  # a newcomer -> the link that is asked
        self._connections = 0
        self._advertised: tuple[Address, ...] | None = None  # until we listen
        self._refresh_at: int | None = None
        self._warn_at: int | None = None
        self._stopping = False
        self._effects: list[io.Effect] = []

    @property
    def node_id(self) -> NodeId:
        return self._key.public

    def new_connection(self) -> io.ConnectionId:
        """The number of the next connection; a driver asks before it says `Accepted`."""
        self._connections += 1
        return self._connections

    def handle(self, given: io.Input, now: Instant) -> list[io.Effect]:  # noqa: C901, PLR0912 - one case an input
        """Take one input and return what is to be done about it."""
        match given:
            case io.BytesReceived(connection, data):
                self._received(connection, data, now)
            case io.Tick():
                pass
            case io.Accepted(connection, address):
                self._accepted(connection, address, now)
            case io.Connected(connection):
                self._connected(connection, now)
            case io.ConnectFailed(connection, reason):
                self._broken(connection, reason, now)
            case io.TrustRestored(lists, marks):
                for identity, mark in marks.items():
                    self.table.restore_mark(identity, mark)
                for one in lists:
                    self.table.offer_list(one, now.unix)
            case io.PeersRestored(peers):
                self._restore(peers, now)
            case io.ListeningOn(bound, advertised):
                self._advertised = advertised
                self._install(now)
                self._emit(
                    events.Listening(
                        node_id=self.node_id, name=self.card.name, addresses=bound, known_peers=len(self.table)
                    )
                )
            case io.ListOffered(one, source):
                self._apply(self.overlay.offer_list(one, now), now, source)
            case io.PolicyChanged(policy):
                self.table.policy = policy
                for peer in self.table.reconsider(list(self.table), now.unix):
                    self._effects.append(gossip.StorePeer(peer))
                self._install(now)
                self._recheck_links(now)
            case io.OwnCardChanged(card):
                self.card = card
                self._install(now)
            case io.Stop():
                self._stopping = True
                for link in list(self.links.values()):
                    self._close(link, Code.GOODBYE, now)
            case _:
                assert_never(given)
        self._timers(now)
        self._dial(now)
        self._flush()
        effects, self._effects = self._effects, []
        return effects

    def deadline(self) -> int | None:
        """The monotonic nanosecond by which a `Tick` is wanted, or None."""
        dues = [self.overlay.deadline(), self._refresh_at, self._warn_at]
        for link in self.links.values():
            dues.append(link.deadline)
            if link.stage is Stage.UP:
                dues.append(self._ping_due(link))
        if self._slots() > 0:
            dues.append(self._plan.next_time(self._targets()))
        return min((due for due in dues if due is not None), default=None)

    # Connections

    def _accepted(self, connection: io.ConnectionId, address: Address, now: Instant) -> None:
        strangers = [link for link in self.links.values() if not link.initiator and not link.greeted]
        same_host = sum(link.address.host == address.host for link in strangers)
        full = (
            len(self.links) >= self.config.max_links
            or len(strangers) >= self.config.max_handshakes
            or same_host >= self.config.max_handshakes_per_host
        )
        if full or self._stopping:
            self._effects.append(io.Disconnect(connection))
            return
        self._open(connection, address, now, initiator=False)

    def _connected(self, connection: io.ConnectionId, now: Instant) -> None:
        target = self._dialling.pop(connection, None)
        if target is None:
            self._effects.append(io.Disconnect(connection))
            return
        link = self._open(connection, target.address, now, initiator=True, rs=target.node_id, source=target.source)
        link.start()

    def _open(
        self,
        connection: io.ConnectionId,
        address: Address,
        now: Instant,
        *,
        initiator: bool,
        rs: NodeId | None = None,
        source: str = "",
    ) -> Link:
        link = Link(
            initiator=initiator,
            address=address,
            static=self._static,
            own_card=self.card.raw,
            entropy=self._entropy,
            now=now.monotonic,
            rs=rs,
            source=source,
        )
        link.deadline = now.monotonic + _ns(self.config.handshake_timeout)
        self.links[connection] = link
        return link

    def _broken(self, connection: io.ConnectionId, reason: str, now: Instant) -> None:
        target = self._dialling.pop(connection, None)
        if target is not None:
            self._dial_failed(target.address, target.node_id, reason, now)
        elif connection in self.links:
            self._drop(connection, reason, now)

    def _received(self, connection: io.ConnectionId, data: bytes, now: Instant) -> None:
        link = self.links.get(connection)
        if link is None:
            return
        link.heard_at = now.monotonic
        link.pinged_at = None
        for event in link.receive(data):
            self._link_event(connection, link, event, now)
            if connection not in self.links:
                return

    def _link_event(self, connection: io.ConnectionId, link: Link, event: LinkEvent, now: Instant) -> None:
        match event:
            case CardPresented(card, rs):
                self._judge(connection, link, card, rs, now)
            case Greeted(hello):
                self._greeted(connection, link, hello, now)
            case GossipReceived(data) if link.stage is Stage.CONTESTED:
                link.held.append(data)
                if len(link.held) > MAX_HELD:
                    self._drop(connection, f"more than {MAX_HELD} messages before it was admitted", now)
            case GossipReceived(data):
                self._apply(self.overlay.message(connection, data, now), now)
            case Ponged():
                for newcomer, asked in list(self._contests.items()):
                    if asked == connection:
                        self._settle_contest(newcomer, now, alive=True)
            case PeerClosed(code):
                if code is not Code.GOODBYE and link.stage is not Stage.CLOSING:
                    name = self._name(link)
                    self._emit(
                        events.RefusedByPeer(node_id=link.node_id, name=name, address=link.address, reason=code.label)
                    )
            case Ended(fault):
                self._drop(connection, fault, now)
            case _:
                assert_never(event)

    # Judging

    def _judge(self, connection: io.ConnectionId, link: Link, raw: bytes, rs: bytes, now: Instant) -> None:
        """The card of a handshake. Until the peer's first transport frame nothing here may touch any state (P10)."""
        verdict = self.table.judge(raw, now.unix, peer_static=rs)
        link.verdict = verdict
        if verdict.claim is None or not (verdict.ok or _waits_for_lists(verdict)):
            self._refuse(connection, link, now)
            return
        link.node_id = verdict.claim.node_id
        try:
            link.accept(Hello(self.boot_id, self._last_hash.get(link.node_id, b"")))
        except RemoteProtocolError as error:
            self._drop(connection, str(error), now)

    def _refuse(self, connection: io.ConnectionId, link: Link, now: Instant) -> None:
        """Send a peer away: with a reason if an accepted issuer vouched for it once, in silence otherwise (P13)."""
        verdict = link.verdict
        findings = verdict.errors if verdict is not None else ()
        code = Code.of(findings)
        told = link.refuse(code if verdict is not None and verdict.endorsed else None)
        self._say_refused(link, code.label, told=told)
        self._drop(connection, code.label, now)

    def _say_refused(self, link: Link, reason: str, *, told: bool) -> None:
        claim = link.verdict.claim if link.verdict is not None else None
        self._emit(
            events.PeerRefused(
                node_id=claim.node_id if claim is not None else link.node_id,
                name=claim.name if claim is not None else None,
                address=link.address,
                reason=reason,
                told=told,
                findings=link.verdict.errors if link.verdict is not None else (),
            )
        )

    def _greeted(self, connection: io.ConnectionId, link: Link, hello: Hello, now: Instant) -> None:
        """The peer lives: from here on it counts. One link per pair (protocol rule P11)."""
        rival = self._rival(connection, link)
        if rival is None:
            self._compare_lists(connection, link, now)
            return
        other = self.links[rival]
        same_boot = other.hello is not None and other.hello.boot_id == hello.boot_id
        if not same_boot:
            # Another start of the same node, or another node with its key: the old link says which.
            other.ping(now.monotonic)
            link.stage = Stage.CONTESTED
            link.deadline = now.monotonic + _ns(self.config.clone_timeout)
            self._contests[connection] = rival
        elif hello.replaces == other.handshake_hash or self._beats(link, other):
            self._compare_lists(connection, link, now)
            self._close(other, Code.GOODBYE, now)
        else:
            self._close(link, Code.GOODBYE, now)

    def _rival(self, connection: io.ConnectionId, link: Link) -> io.ConnectionId | None:
        for number, other in self.links.items():
            if number != connection and other.greeted and other.node_id == link.node_id:
                return number
        return None

    def _beats(self, link: Link, other: Link) -> bool:
        """Both ends must choose alike: the link dialled by the lower Node ID, of two such the lower handshake hash."""

        def rank(one: Link) -> tuple[bool, bytes]:
            peer = one.node_id if one.node_id is not None else b""
            return one.initiator != (self.node_id < peer), one.handshake_hash

        return rank(link) < rank(other)

    def _settle_contest(self, newcomer: io.ConnectionId, now: Instant, *, alive: bool) -> None:
        rival = self._contests.pop(newcomer)
        link = self.links.get(newcomer)
        if link is None or link.stage is not Stage.CONTESTED or link.node_id is None:
            return
        if alive:
            self._emit(events.DuplicateNode(node_id=link.node_id, name=self._name(link), address=link.address))
            self._say_refused(link, Code.DUPLICATE_NODE.label, told=True)
            self._close(link, Code.DUPLICATE_NODE, now)
        else:
            if rival in self.links:
                self._drop(rival, "another start of the same node took over", now)
            self._compare_lists(newcomer, link, now)

    def _compare_lists(self, connection: io.ConnectionId, link: Link, now: Instant) -> None:
        link.stage = Stage.COMPARING
        link.deadline = now.monotonic + _ns(self.config.handshake_timeout)
        if link.node_id is not None:
            self._apply(self.overlay.peer_greeted(connection, link.node_id, now), now)
            held, link.held = link.held, []
            for data in held:
                self._apply(self.overlay.message(connection, data, now), now)

    def _lists_compared(self, connection: io.ConnectionId, now: Instant) -> None:
        """We know all that the peer knows of revocations: its card is judged for good."""
        link = self.links.get(connection)
        if link is None or link.stage is not Stage.COMPARING or link.verdict is None or link.verdict.claim is None:
            return
        link.verdict = self.table.judge(link.verdict.claim, now.unix, peer_static=link.node_id)
        if not link.verdict.ok:
            self._close_refused(link, now)
            return
        link.stage = Stage.UP
        link.deadline = now.monotonic + max(0, link.verdict.valid_until - now.unix) * SECOND
        self._plan.succeeded(link.address)
        claim = link.verdict.claim
        if claim is None or link.node_id is None:
            return
        self._last_hash.pop(link.node_id, None)
        first = not any(other.counted_up for other in self.links.values() if other.node_id == link.node_id)
        link.counted_up = link.was_up = True
        self._apply(self.overlay.offer_card(claim, now, live=True), now)
        if first:
            self._emit(
                events.PeerVerified(
                    node_id=link.node_id,
                    name=claim.name,
                    address=link.address,
                    pattern=link.pattern,
                    dialled=link.initiator,
                    known_peers=len(self.table),
                    groups=link.verdict.groups,
                )
            )
        self._apply(self.overlay.peer_up(connection, now), now)

    def _close_refused(self, link: Link, now: Instant) -> None:
        code = Code.of(link.verdict.errors if link.verdict is not None else ())
        self._say_refused(link, code.label, told=True)
        self._close(link, code, now, reason=code.label)

    def _recheck_links(self, now: Instant) -> None:
        """Trust or time changed: cut every live link whose peer no longer counts."""
        for link in list(self.links.values()):
            if not link.greeted or link.verdict is None or link.verdict.claim is None:
                continue
            verdict = self.table.judge(link.verdict.claim, now.unix, peer_static=link.node_id, established=True)
            # Gossip may have brought a newer card of this peer than the one it showed us: that one is judged.
            outdated = any(finding.code == "rollback" for finding in verdict.errors)
            newer = self.table.by_node(link.node_id) if outdated and link.node_id is not None else None
            if newer is not None:
                verdict = newer.verdict
            elif link.stage is not Stage.UP and _waits_for_lists(verdict):
                continue
            link.verdict = verdict
            if not verdict.ok:
                self._close_refused(link, now)
            elif link.stage is Stage.UP:
                link.deadline = now.monotonic + max(0, verdict.valid_until - now.unix) * SECOND

    # Ending

    def _close(self, link: Link, code: Code, now: Instant, *, reason: str = "closed by us") -> None:
        """End our direction; the peer has `close_timeout` to end its own."""
        connection = next(number for number, other in self.links.items() if other is link)
        self._unlink(connection, link, reason, now)
        link.close(code)
        link.deadline = now.monotonic + _ns(self.config.close_timeout)
        if link.closed:
            self._drop(connection, reason, now)

    def _drop(self, connection: io.ConnectionId, reason: str, now: Instant) -> None:
        """The connection is finished, by whoever's doing."""
        link = self.links[connection]
        out = link.take_output()
        if out:
            self._effects.append(io.SendBytes(connection, out))
        self._effects.append(io.Disconnect(connection))
        refused = link.closed_by is not None and link.closed_by is not Code.GOODBYE
        told_by_peer = link.closed_by.label if refused and link.closed_by is not None else ""
        if link.counted_up and link.node_id is not None:
            self._last_hash[link.node_id] = link.handshake_hash
        self._unlink(connection, link, told_by_peer or reason or "closed by the peer", now)
        del self.links[connection]
        if link.initiator and not link.was_up and not link.ended_by_us and link.closed_by is not Code.GOODBYE:
            silent = reason or "closed without a reason: perhaps it does not trust our card"
            self._dial_failed(link.address, link.expected, told_by_peer or silent, now)
        elif not link.initiator and link.verdict is None and reason:
            self._emit(events.ConnectionFailed(address=link.address, reason=reason))

    def _unlink(self, connection: io.ConnectionId, link: Link, reason: str, now: Instant) -> None:
        """Take a link out of gossip and, if it was the last one to a verified peer, say that the peer is lost."""
        self._apply(self.overlay.peer_down(connection, now), now)
        for newcomer, asked in list(self._contests.items()):
            if asked == connection:
                self._settle_contest(newcomer, now, alive=False)
        if not link.counted_up or link.node_id is None:
            return
        link.counted_up = False
        if any(other.counted_up for other in self.links.values() if other.node_id == link.node_id):
            return
        findings = link.verdict.errors if link.verdict is not None else ()
        self._emit(events.PeerLost(node_id=link.node_id, name=self._name(link), reason=reason, findings=findings))

    # Time

    def _timers(self, now: Instant) -> None:
        for connection, link in list(self.links.items()):
            if connection not in self.links:
                continue
            if link.deadline is not None and now.monotonic >= link.deadline:
                self._overdue(connection, link, now)
            elif link.stage is Stage.UP and now.monotonic >= self._ping_due(link):
                if link.pinged_at is None:
                    link.ping(now.monotonic)
                else:
                    self._drop(connection, f"silent for {self.config.ping_timeout:g} s after a ping", now)
        due = self.overlay.deadline()
        if due is not None and now.monotonic >= due:
            self._apply(self.overlay.tick(now), now)
        if self._refresh_at is not None and now.monotonic >= self._refresh_at:
            self._publish_record(now)
        if self._warn_at is not None and now.monotonic >= self._warn_at:
            self._warn_of_lists(now)

    def _overdue(self, connection: io.ConnectionId, link: Link, now: Instant) -> None:
        match link.stage:
            case Stage.UP:
                link.deadline = None
                self._recheck_links(now)
            case Stage.CONTESTED:
                self._settle_contest(connection, now, alive=False)
            case Stage.COMPARING:
                self._say_refused(link, Code.BUSY.label, told=True)
                self._close(link, Code.BUSY, now, reason="the lists that it named did not come")
            case Stage.CLOSING:
                self._drop(connection, "", now)
            case _:
                self._drop(connection, f"no handshake within {self.config.handshake_timeout:g} s", now)

    def _ping_due(self, link: Link) -> int:
        if link.pinged_at is not None:
            return link.pinged_at + _ns(self.config.ping_timeout)
        return link.heard_at + _ns(self.config.ping_interval)

    def _publish_record(self, now: Instant) -> None:
        """Our addresses, signed anew. The number is never lower than the clock's, so a restored backup heals itself."""
        own = self.table.by_node(self.node_id)
        if own is None or self._advertised is None:
            return
        last = own.record.sequence if own.record is not None else 0
        record = make_record(
            self._key,
            network=self.table.policy.network,
            addresses=[str(address) for address in self._advertised],
            sequence=max(last + 1, now.unix_ms),
            now=now.unix,
        )
        self._refresh_at = now.monotonic + _ns(self.config.record_refresh)
        self._apply(self.overlay.offer_record(record, now), now)

    def _warn_of_lists(self, now: Instant) -> None:
        """Tell the operator of lists that are due soon, or overdue; again every day."""
        self._warn_at = now.monotonic + 86400 * SECOND
        for issuer, state in self.table.revocations.by_issuer.items():
            left = state.next_due - now.unix
            if left < self.config.list_warning:
                name = self.table.policy.issuer_name(issuer)
                self._emit(events.ListDue(issuer=name, sequence=state.sequence, seconds_left=left))

    # Dialling

    def _slots(self) -> int:
        if self._stopping or self._advertised is None:
            return 0
        # Strangers that have proven nothing take no slot, or they could keep us from dialling.
        standing = sum(link.greeted or (link.initiator and not link.ending) for link in self.links.values())
        return self.config.target_links - standing - len(self._dialling)

    def _targets(self) -> Iterator[Target]:
        nodes = {link.node_id for link in self.links.values() if not link.ending}
        nodes |= {target.node_id for target in self._dialling.values()} | {self.node_id}
        nodes.discard(None)
        addresses = {link.address for link in self.links.values() if link.initiator}
        addresses |= {target.address for target in self._dialling.values()}
        linked = any(link.stage is Stage.UP for link in self.links.values())

        def busy(node_id: NodeId | None, address: Address) -> bool:
            # An address without a Node ID is a way in, not a peer: of no use once we are in.
            return address in addresses or (linked if node_id is None else node_id in nodes)

        return targets(self.config, self.table, busy)

    def _dial(self, now: Instant) -> None:
        slots = self._slots()
        if slots <= 0:
            return
        for target in self._plan.due(self._targets(), now.monotonic, slots):
            connection = self.new_connection()
            self._dialling[connection] = target
            self._emit(
                events.Dialling(address=target.address, source=target.source, node_id=target.node_id, name=target.name)
            )
            self._effects.append(io.Dial(connection, target.address))

    def _dial_failed(self, address: Address, node_id: NodeId | None, reason: str, now: Instant) -> None:
        retry_in = self._plan.failed(address, now.monotonic)
        self._emit(events.DialFailed(address=address, node_id=node_id, reason=reason, retry_in=round(retry_in, 3)))

    # Table and trust

    def _install(self, now: Instant) -> None:
        """Put our own card and addresses into the table. Others will judge the card as we do here."""
        if self._advertised is None:
            return
        verdict = self.table.judge(self.card, now.unix, own=True)
        if verdict.ok:
            self._apply(self.overlay.offer_card(self.card, now, live=True, own=True), now)
            self._publish_record(now)
        elif not _waits_for_lists(verdict):
            self._emit(events.OwnCardRejected(findings=verdict.errors))
        self._warn_at = now.monotonic

    def _restore(self, peers: tuple[io.StoredPeer, ...], now: Instant) -> None:
        for stored in peers:
            own = stored.card.node_id == self.node_id
            verdict = self.table.restore(
                stored.card,
                now.unix,
                provenance=stored.provenance,
                first_seen=stored.first_seen,
                learned_from=stored.learned_from,
                own=own,
            )
            if verdict.ok and stored.record is not None:
                self.table.offer_record(stored.record, now.unix)

    def _apply(self, effects: list[gossip.Effect], now: Instant, source: str = "") -> None:
        """Carry out what the overlay wants."""
        for effect in effects:
            match effect:
                case gossip.SendMessage(connection, data):
                    link = self.links.get(connection)
                    if link is not None and link.greeted:
                        link.send_gossip(data)
                case gossip.StorePeer() | gossip.StoreRevocations():
                    self._effects.append(effect)
                case gossip.ListsCompared(connection):
                    self._lists_compared(connection, now)
                case (
                    gossip.Learned()
                    | gossip.RecordLearned()
                    | gossip.Refused()
                    | gossip.ListApplied()
                    | gossip.ListRefused()
                ):
                    self._tell(effect, now, source)
                case gossip.Misbehaved(connection, reason):
                    if connection in self.links:
                        self._drop(connection, f"it broke the protocol: {reason}", now)
                case _:
                    assert_never(effect)

    def _tell(
        self,
        effect: gossip.Learned | gossip.RecordLearned | gossip.Refused | gossip.ListApplied | gossip.ListRefused,
        now: Instant,
        source: str,
    ) -> None:
        match effect:
            case gossip.Learned(peer, teller):
                self._emit(
                    events.CardLearned(
                        node_id=peer.node_id,
                        name=peer.card.name,
                        sequence=peer.card.sequence,
                        learned_from=NodeId(teller),
                        known_peers=len(self.table),
                    )
                )
            case gossip.RecordLearned(record, _):
                peer_ = self.table.by_node(record.node_id)
                if peer_ is not None:
                    self._plan.learned(peer_, now.monotonic)
                self._emit(events.AddressLearned(node_id=record.node_id, addresses=record.addresses))
            case gossip.Refused(_, verdict):
                claim = verdict.claim
                self._emit(
                    events.CardRefused(
                        node_id=claim.node_id if claim else None,
                        name=claim.name if claim else None,
                        findings=verdict.errors,
                    )
                )
            case gossip.ListRefused(finding):
                self._emit(events.FileRejected(file=source, reason=finding.message))
            case gossip.ListApplied(issuer, sequence, teller, finding, gone):
                self._emit(
                    events.ListApplied(
                        issuer=self.table.policy.issuer_name(issuer),
                        sequence=sequence,
                        source=source or NodeId(teller).short,
                        revoked=tuple(peer.node_id for peer in gone),
                        findings=(finding,) if finding is not None else (),
                    )
                )
                if any(peer.node_id == self.node_id for peer in gone):
                    own = next(peer for peer in gone if peer.node_id == self.node_id)
                    self._emit(events.OwnCardRejected(findings=own.verdict.errors))
                elif self.table.by_node(self.node_id) is None:
                    self._install(now)  # it waited for this list
                self._recheck_links(now)

    def _name(self, link: Link) -> str | None:
        if link.verdict is not None and link.verdict.claim is not None:
            return link.verdict.claim.name
        peer = self.table.by_node(link.node_id) if link.node_id is not None else None
        return peer.card.name if peer is not None else None

    def _emit(self, event: events.Event) -> None:
        self._effects.append(io.Emit(event))

    def _flush(self) -> None:
        for connection, link in self.links.items():
            out = link.take_output()
            if out:
                self._effects.append(io.SendBytes(connection, out))


def _waits_for_lists(verdict: Verdict) -> bool:
    """Whether all that keeps a card from counting is a list that we lack: its bearer may bring it."""
    codes = {finding.code for finding in verdict.errors} - {"threshold"}
    return verdict.endorsed and bool(codes) and codes <= {"revocation-missing", "revocation-stale"}


def _ns(seconds: float) -> int:
    return int(seconds * SECOND)
